/* SPDX-License-Identifier: GPL-2.0-only */
/* The first rows of counters, before and after each packet: to read all of them would take long. */
#ifndef SELFTESTS_COUNTER_ROWS_H
#define SELFTESTS_COUNTER_ROWS_H

#include "../include/reason.h"
#include "fixture.h"

/* Of backends below STAMPED_BACKENDS, which is all that these tests have. */
static inline void counter_rows_add_stamped(uint64_t *sums, uint32_t rows)
{
	static struct stamped *values;
	static int fd;
	uint32_t cpus = libbpf_num_possible_cpus(), part = 0;

	if (!values) {
		values = calloc(cpus, sizeof(*values));
		fd = fixture_open_pin("stamped");
	}
	if (bpf_map_lookup_elem(fd, &part, values))
		fixture_die("can't read the counters of stamped packets");
	for (uint32_t id = 1; id < rows; id++)
		for (uint32_t cpu = 0; cpu < cpus; cpu++)
			sums[id * COUNTER_REASONS + REASON_stamp] += values[cpu].services[id];
}

/* Row 0, which is of no service, and those of the ids below `rows`, as sums over all CPUs. */
static inline void counter_rows_read(uint64_t *sums, uint32_t rows)
{
	static uint64_t *values;
	static uint32_t *keys;
	static int fd;
	uint32_t cpus = libbpf_num_possible_cpus(), wanted = rows * COUNTER_REASONS;
	uint32_t count = wanted, next;

	if (!values) {
		values = calloc((size_t)COUNTERS * cpus, sizeof(*values));
		keys = calloc(COUNTERS, sizeof(*keys));
		fd = fixture_open_pin("counters");
	}
	if (bpf_map_lookup_batch(fd, NULL, &next, keys, values, &count, NULL) || count != wanted)
		fixture_die("can't read the counters");
	memset(sums, 0, wanted * sizeof(*sums));
	for (uint32_t i = 0; i < wanted * cpus; i++)
		sums[keys[i / cpus]] += values[i];
	counter_rows_add_stamped(sums, rows);
}

#endif
