/* SPDX-License-Identifier: GPL-2.0-only */
/* What benchmarks have in common: one CPU, medians, and build/bench.json, an array of rows. */
#ifndef RESULTS_H
#define RESULTS_H

#include <json-c/json.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RESULTS_FILE "build/bench.json"
#define PERFORMANCE_DIR "build/performance" /* tables and curves, for the documentation */

static inline void stay_on_one_cpu(void)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(sysconf(_SC_NPROCESSORS_ONLN) - 1, &cpus);
	sched_setaffinity(0, sizeof(cpus), &cpus);
}

/* Nothing but the kernel interrupts what is measured between the two. */
static inline void go_first(void)
{
	struct sched_param priority = { .sched_priority = 1 };

	if (sched_setscheduler(0, SCHED_FIFO, &priority))
		printf("# measured among other processes: no SCHED_FIFO\n");
}

static inline void go_along(void)
{
	sched_setscheduler(0, SCHED_OTHER, &(struct sched_param){});
}

static inline int compare(const void *a, const void *b)
{
	double difference = *(const double *)a - *(const double *)b;

	return (difference > 0) - (difference < 0);
}

static inline bool is_of(struct json_object *row, const char *bench)
{
	struct json_object *name;

	return json_object_object_get_ex(row, "bench", &name) &&
	       !strcmp(json_object_get_string(name), bench);
}

/* Every row of the file has them all; null where they mean nothing. */
static inline void complete_row(struct json_object *row)
{
	static const char *const keys[] = { "family",   "forward",   "flows",  "backends",
					    "services", "median_ns", "net_ns", "ratio_to_encap" };

	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
		if (!json_object_object_get_ex(row, keys[i], NULL))
			json_object_object_add(row, keys[i], NULL);
}

/* Puts a benchmark's rows in the place of those that it wrote before; others' stay. Takes `rows`.
 */
static inline void results_write(const char *bench, struct json_object *rows)
{
	struct json_object *before = json_object_from_file(RESULTS_FILE);
	struct json_object *all = json_object_new_array();

	for (size_t i = 0; before && i < json_object_array_length(before); i++)
		if (!is_of(json_object_array_get_idx(before, i), bench))
			json_object_array_add(
				all, json_object_get(json_object_array_get_idx(before, i)));
	for (size_t i = 0; i < json_object_array_length(rows); i++) {
		struct json_object *row = json_object_array_get_idx(rows, i);

		complete_row(row);
		json_object_object_add(row, "bench", json_object_new_string(bench));
		json_object_array_add(all, json_object_get(row));
	}
	if (json_object_to_file_ext(RESULTS_FILE, all, JSON_C_TO_STRING_PRETTY)) {
		printf("Bail out! can't write " RESULTS_FILE "\n");
		exit(1);
	}
	json_object_put(before);
	json_object_put(rows);
	json_object_put(all);
}

#endif
