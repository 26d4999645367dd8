// SPDX-License-Identifier: GPL-2.0-only
/*
 * What each BPF program costs: its instructions, those that the verifier walks, its stack.
 * Compared with selftests/verifier/record.txt, which `test_verifier record` writes. Needs root.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "../tap.h"

#define RECORD "selftests/verifier/record.txt"
#define PROGRAMS_MAX 16
#define LOG_STATS 4 /* BPF_LOG_STATS of the kernel */

/*
 * Of instructions only the compiler decides, so they may not grow by more than a tenth. What
 * the verifier walks differs between kernels, and so does what it takes for a stack.
 */
#define GROWTH_PERCENT 10
#define FACTOR 2

struct cost {
	char program[32];
	unsigned int instructions, verified, stack;
};

static struct cost costs[PROGRAMS_MAX], recorded[PROGRAMS_MAX];
static size_t cost_count, recorded_count;

static void die(const char *what)
{
	printf("Bail out! %s: %m\n", what);
	exit(1);
}

/* The number behind a word of the log, or, for a stack of several functions, their sum. */
static unsigned int read_log(const char *log, const char *word)
{
	const char *at = strstr(log, word);
	unsigned int sum = 0;
	char *rest;

	if (!at)
		die("the verifier's log lacks a line");
	for (at += strlen(word);; at = rest + 1) {
		sum += strtoul(at, &rest, 10);
		if (*rest != '+')
			return sum;
	}
}

/* Nothing is pinned, so this is at nobody's costs. */
static struct bpf_object *open_object(const char *path)
{
	struct bpf_object *object = bpf_object__open_file(path, NULL);
	struct bpf_map *map;

	if (!object)
		die(path);
	bpf_object__for_each_map(map, object) bpf_map__set_pin_path(map, NULL);
	return object;
}

static void weigh(const char *path)
{
	static char logs[PROGRAMS_MAX][4096];
	struct bpf_object *object = open_object(path);
	size_t first = cost_count;
	struct bpf_program *program;

	bpf_object__for_each_program(program, object)
	{
		struct cost *cost = &costs[cost_count];

		snprintf(cost->program, sizeof(cost->program), "%s", bpf_program__name(program));
		bpf_program__set_log_level(program, LOG_STATS);
		bpf_program__set_log_buf(program, logs[cost_count], sizeof(logs[0]));
		if (++cost_count == PROGRAMS_MAX)
			die("too many programs");
	}
	if (bpf_object__load(object))
		die("can't load");
	bpf_object__for_each_program(program, object)
	{
		costs[first].instructions = bpf_program__insn_cnt(program);
		costs[first].verified = read_log(logs[first], "processed ");
		costs[first].stack = read_log(logs[first], "stack depth ");
		first++;
	}
	bpf_object__close(object);
}

static void write_record(void)
{
	FILE *file = fopen(RECORD, "w");

	if (!file)
		die(RECORD);
	fputs("# SPDX-License-Identifier: GPL-2.0-only\n"
	      "# Written by `make record-verifier`: program, its instructions, those that the\n"
	      "# verifier walks, bytes of stack.\n",
	      file);
	for (size_t i = 0; i < cost_count; i++)
		fprintf(file, "%s %u %u %u\n", costs[i].program, costs[i].instructions,
			costs[i].verified, costs[i].stack);
	fclose(file);
}

static void read_record(void)
{
	FILE *file = fopen(RECORD, "r");
	char line[128];

	while (file && fgets(line, sizeof(line), file)) {
		struct cost *cost = &recorded[recorded_count];

		if (recorded_count < PROGRAMS_MAX &&
		    sscanf(line, "%31[a-z0-9_] %u %u %u", cost->program, &cost->instructions,
			   &cost->verified, &cost->stack) == 4)
			recorded_count++;
	}
	if (!file)
		die(RECORD);
	fclose(file);
}

static const struct cost *find(const struct cost *among, size_t count, const char *program)
{
	for (size_t i = 0; i < count; i++)
		if (!strcmp(among[i].program, program))
			return &among[i];
	return NULL;
}

static void compare(const struct cost *cost, const struct cost *before)
{
	const char *name = cost->program;

	ok(100 * cost->instructions <= (100 + GROWTH_PERCENT) * before->instructions,
	   "%s has grown by no more than %d %% since `make record-verifier`", name, GROWTH_PERCENT);
	ok(cost->verified < FACTOR * before->verified,
	   "what the verifier walks of %s has not doubled", name);
	ok(cost->stack < FACTOR * before->stack, "the stack of %s has not doubled", name);
	diag("%s: %u instructions, %u recorded; %u walked, %u; %u bytes of stack, %u", name,
	     cost->instructions, before->instructions, cost->verified, before->verified,
	     cost->stack, before->stack);
}

int main(int argc, char **argv)
{
	libbpf_set_print(NULL);
	weigh("build/lb.bpf.o");
	weigh("build/server.bpf.o");
	if (argc == 2 && !strcmp(argv[1], "record")) {
		write_record();
		return 0;
	}
	read_record();
	ok(recorded_count == cost_count, "the record knows of %zu programs", cost_count);
	for (size_t i = 0; i < cost_count; i++) {
		const struct cost *before = find(recorded, recorded_count, costs[i].program);

		if (ok(before, "%s is in the record", costs[i].program))
			compare(&costs[i], before);
	}
	return tap_end();
}
