/* SPDX-License-Identifier: GPL-2.0-only */
/* build/bench.json: one array, to which each benchmark adds its rows. */
#ifndef BENCH_RESULTS_H
#define BENCH_RESULTS_H

#include <json-c/json.h>
#include <stdbool.h>
#include <unistd.h>

#define BENCH_RESULTS "build/bench.json"

/* The rows of the benchmarks before this one in the same run. */
static inline struct json_object *results_open(void)
{
	if (access(BENCH_RESULTS, F_OK))
		return json_object_new_array();
	return json_object_from_file(BENCH_RESULTS);
}

static inline bool results_close(struct json_object *rows)
{
	int error = json_object_to_file_ext(BENCH_RESULTS, rows, JSON_C_TO_STRING_PRETTY);

	json_object_put(rows);
	return !error;
}

#endif
