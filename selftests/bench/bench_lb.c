// SPDX-License-Identifier: GPL-2.0-only
/*
 * `make bench`: nanoseconds a packet of the balancer, of floors, and of minimal balancers, in
 * one process and interleaved. Prints tables, adds to build/bench.json, and leaves the tables
 * and the growth curves in build/performance/.
 *
 * ONLY="ipip growth": these configurations only. LOADS=N, ROUNDS=N: the programs are loaded so
 * often, since where the JIT puts one moves its rows by a nanosecond or two, and each row is run
 * so often after each, of 8 bursts.
 */
#define _GNU_SOURCE
#include <bpf/libbpf.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "../../loader/cmd.h"
#include "curves.h"
#include "lb_flows.h"
#include "lb_goals.h"
#include "lb_report.h"

struct options options;

#define TABLE_FILE PERFORMANCE_DIR "/packets.md"
#define GOALS_FILE PERFORMANCE_DIR "/goals.md"

static const char *const curve_files[] = {
	PERFORMANCE_DIR "/growth.svg",
	PERFORMANCE_DIR "/growth-stateless.svg",
};

static struct tables *tables;
static struct bench_flow *flow_table;

static bool is_chosen(const struct group *group)
{
	const char *chosen = getenv("ONLY");
	size_t length = strlen(group->name);

	if (!chosen || !*chosen)
		return true;
	for (; (chosen = strstr(chosen, group->name)); chosen += length)
		if (!chosen[length] || chosen[length] == ' ')
			return true;
	return false;
}

static uint32_t most_of_all_flows(void)
{
	uint32_t most = 1;

	for (size_t i = 0; i < GROUPS; i++)
		if (is_chosen(&groups[i]) && most_flows(&groups[i]) > most)
			most = most_flows(&groups[i]);
	return most;
}

/* An LRU map frees ahead of need, so it must be larger than what it is to hold. */
static void load(void)
{
	LIBBPF_OPTS(bpf_object_open_opts, open_options, .pin_root_path = fixture_pins);
	uint32_t flows = most_of_all_flows();

	if (cmd_load(&(struct words){}))
		exit(1);
	bench = lb_bench_bpf__open_opts(&open_options);
	if (!bench)
		fixture_die("can't open the benchmark");
	fixture_share_devices(bench->maps.devices);
	bpf_map__set_max_entries(bench->maps.bench_flows, flows);
	bpf_map__set_max_entries(bench->maps.minimal_flows, flows + flows / 4 + BENCH_RUN);
	if (lb_bench_bpf__load(bench) || tables_open(fixture_pins, &tables))
		fixture_die("can't load the benchmark");
	flow_table = mmap(NULL, flows * sizeof(*flow_table), PROT_READ | PROT_WRITE, MAP_SHARED,
			  bpf_map__fd(bench->maps.bench_flows), 0);
	if (flow_table == MAP_FAILED)
		fixture_die("can't map the flows");
}

static void fill_minimal(const struct group *group)
{
	uint32_t one = 1;

	for (uint32_t i = 0; i < services_of_family(group); i++) {
		struct minimal_service key = { inet_addr(SERVICE_V4), htons(SERVICE_PORT + i),
					       IPPROTO_TCP };

		bpf_map_update_elem(bpf_map__fd(bench->maps.minimal_services), &key, &one, 0);
	}
	for (uint32_t slot = 0; slot < RING_SLOTS; slot++) {
		__be32 backend = htonl(0x0a090000 + slot % group->backends);

		bpf_map_update_elem(bpf_map__fd(bench->maps.minimal_ring), &slot, &backend, 0);
	}
}

static void publish(const struct group *group)
{
	struct config *config = group_config(group);
	struct expectation *expected = expect(config, group);

	if (tables_publish(tables, config))
		fixture_die("can't publish");
	fixture_freeze_clock(tables, WALL_MS);
	fill_minimal(group);
	fill_flows(flow_table, expected);
	expect_no_more(expected);
	config_free(config);
}

static void unload(void)
{
	munmap(flow_table, most_of_all_flows() * sizeof(*flow_table));
	lb_bench_bpf__destroy(bench);
	tables_close(tables);
	if (cmd_unload(&(struct words){}))
		exit(1);
}

static void measure(int turn)
{
	load();
	for (size_t i = 0; i < GROUPS; i++) {
		if (!is_chosen(&groups[i]))
			continue;
		fprintf(stderr, "# load %d, %s\n", turn, groups[i].name);
		publish(&groups[i]);
		go_first();
		measure_group(&groups[i], turn);
		go_along();
	}
	unload();
}

static int number_of(const char *variable, int number, int most)
{
	const char *said = getenv(variable);

	if (said)
		number = atoi(said);
	if (number < 1 || number > most)
		fixture_die(variable);
	return number;
}

static FILE *open_file(const char *path)
{
	FILE *file = fopen(path, "w");

	if (!file)
		fixture_die(path);
	return file;
}

static void report(void)
{
	const struct group *growth = find_group("growth");
	FILE *out = open_file(TABLE_FILE);

	print_table(stdout);
	printf("\n");
	print_goals(stdout);
	print_table(out);
	fclose(out);
	out = open_file(GOALS_FILE);
	print_machine(out);
	print_goals(out);
	fclose(out);
	results_write("lb", rows_as_json());
	if (!is_chosen(growth))
		return;
	for (size_t first = 0; first < 2; first++) {
		out = open_file(curve_files[first]);
		draw_curves(out, growth, first);
		fclose(out);
	}
}

int main(void)
{
	loads = number_of("LOADS", loads, LOADS_MAX);
	rounds = number_of("ROUNDS", rounds, ROUNDS_MAX);
	mkdir(PERFORMANCE_DIR, 0777);
	stay_on_one_cpu();
	fixture_network("bench");
	for (size_t i = 0; i < GROUPS; i++)
		if (is_chosen(&groups[i]))
			add_rows(&groups[i]);
	for (int turn = 0; turn < loads; turn++)
		measure(turn);
	evaluate();
	report();
	return 0;
}
