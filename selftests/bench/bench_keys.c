// SPDX-License-Identifier: GPL-2.0-only
/*
 * `make bench`: keys tried a second by the key search, against libcrypto's one-block transform
 * in a loop, interleaved on one CPU. Prints a table, adds to build/bench.json.
 */
#define _GNU_SOURCE
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../../loader/keysearch.h"
#include "../../loader/say.h"
#include "results.h"

struct options options;

#define ROUNDS 15
#define HASHES (1 << 20) /* in one turn: some 50 ms */

struct subject {
	const char *name;
	const char *engine;
	double (*seconds)(void); /* for HASHES of them */
	double rate[ROUNDS];     /* in a second */
};

static struct keysearch *search;

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

/* The block changes each time by what came out, so no turn can be left out. */
static double run_transform(void)
{
	uint8_t block[SHA256_CBLOCK] = { [8] = 0x80, [SHA256_CBLOCK - 1] = 64 };
	double start = now();
	SHA256_CTX state;

	SHA256_Init(&state);
	for (uint32_t i = 0; i < HASHES; i++) {
		memcpy(block, state.h, sizeof(uint64_t));
		SHA256_Transform(&state, block);
	}
	return now() - start;
}

static double run_search(void)
{
	uint64_t end = keysearch_hashes(search) + HASHES;
	double start = now();
	struct server_key key;

	while (keysearch_hashes(search) < end)
		keysearch_next(search, end - keysearch_hashes(search), &key);
	return now() - start;
}

static void add_row(struct json_object *rows, const struct subject *subject, double ratio)
{
	struct json_object *row = json_object_new_object();

	json_object_object_add(row, "name", json_object_new_string(subject->name));
	json_object_object_add(row, "engine", json_object_new_string(subject->engine));
	json_object_object_add(row, "median_per_s",
			       json_object_new_double(subject->rate[ROUNDS / 2]));
	json_object_object_add(row, "ratio_to_transform", json_object_new_double(ratio));
	json_object_array_add(rows, row);
}

static void report(struct subject *subjects, size_t count)
{
	struct json_object *rows = json_object_new_array();
	double ratio;

	printf("%-24s %-10s %12s %12s %12s %8s\n", "keys a second, one thread", "engine", "min",
	       "median", "max", "ratio");
	for (size_t i = 0; i < count; i++) {
		struct subject *s = &subjects[i];

		qsort(s->rate, ROUNDS, sizeof(double), compare);
		ratio = s->rate[ROUNDS / 2] / subjects[0].rate[ROUNDS / 2];
		printf("%-24s %-10s %12.0f %12.0f %12.0f %8.2f\n", s->name, s->engine, s->rate[0],
		       s->rate[ROUNDS / 2], s->rate[ROUNDS - 1], ratio);
		add_row(rows, s, ratio);
	}
	results_write("keys", rows);
}

int main(void)
{
	struct keysearch_goal goal = {
		.secret = { 0x0706050403020100, 0x0f0e0d0c0b0a0908 },
		.epoch = 1,
		.index_bits = 8,
		.index = 7,
		.version = MPTCP_V1,
	};
	struct subject subjects[] = {
		{ "SHA256_Transform()", "libcrypto", run_transform },
		{ "key search", keyhash_engine(MPTCP_V1), run_search },
	};
	size_t count = sizeof(subjects) / sizeof(*subjects);

	stay_on_one_cpu();
	search = keysearch_open(&goal);
	if (!search)
		return 1;
	go_first();
	for (int round = 0; round < ROUNDS; round++)
		for (size_t i = 0; i < count; i++)
			subjects[i].rate[round] = HASHES / subjects[i].seconds();
	go_along();
	keysearch_close(search);
	report(subjects, count);
	return 0;
}
