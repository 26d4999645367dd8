// SPDX-License-Identifier: GPL-2.0-only
/* What the program has counted, as sums over all CPUs. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../include/reason.h"
#include "tables_layout.h"

static void *of_each_cpu(size_t size)
{
	void *values = calloc(libbpf_num_possible_cpus(), size);

	if (!values)
		exit(fail(FAILED, "out of memory"));
	return values;
}

/* All of the per-CPU values in one system call. Returns 0, or -errno. */
static int add_counters(struct tables *tables, uint64_t *sums)
{
	uint64_t *values = of_each_cpu(COUNTERS * sizeof(*values));
	uint32_t *keys = calloc(COUNTERS, sizeof(*keys)), count = COUNTERS, next;
	size_t cpus = libbpf_num_possible_cpus();
	int err;

	if (!keys)
		exit(fail(FAILED, "out of memory"));
	err = bpf_map_lookup_batch(tables->fd[COUNTERS_MAP], NULL, &next, keys, values, &count,
				   NULL);
	for (size_t i = 0; i < COUNTERS * cpus; i++)
		sums[keys[i / cpus]] += values[i];
	free(keys);
	free(values);
	return err == -ENOENT ? 0 : err; /* which says that there are no more */
}

void tables_add_stamped(uint64_t sums[static COUNTERS], uint32_t part,
			const struct stamped *stamped)
{
	uint64_t *backends = sums + COUNTER_BACKENDS + part * STAMPED_BACKENDS;

	for (uint32_t id = 1; id <= MAX_SERVICES; id++)
		sums[id * COUNTER_REASONS + REASON_stamp] += stamped->services[id % MAX_SERVICES];
	for (uint32_t i = 0; i < STAMPED_BACKENDS; i++)
		backends[i] += stamped->backends[i];
}

/* Returns 0, or -errno. */
static int add_stamped(struct tables *tables, uint64_t *sums)
{
	struct stamped *values = of_each_cpu(sizeof(*values));
	int cpus = libbpf_num_possible_cpus(), err = 0;

	for (uint32_t part = 0; !err && part < STAMPED_PARTS; part++) {
		err = bpf_map_lookup_elem(tables->fd[STAMPED_MAP], &part, values);
		for (int cpu = 0; !err && cpu < cpus; cpu++)
			tables_add_stamped(sums, part, &values[cpu]);
	}
	free(values);
	return err;
}

static uint64_t *new_sums(void)
{
	uint64_t *sums = calloc(COUNTERS, sizeof(*sums));

	if (!sums)
		exit(fail(FAILED, "out of memory"));
	return sums;
}

enum status tables_counters(struct tables *tables, uint64_t **sums)
{
	int err;

	*sums = new_sums();
	err = add_counters(tables, *sums);
	if (!err)
		err = add_stamped(tables, *sums);
	return err ? fail(FAILED, "can't read the counters: %s", strerror(-err)) : DONE;
}

/* stamped: what the id has in the map of that name, which packets of others are writing. */
static int clear_row(struct tables *tables, uint32_t id, uint64_t stamped)
{
	uint64_t *values = of_each_cpu(sizeof(*values));
	int err = 0;

	for (uint32_t reason = 0; !err && reason < COUNTER_REASONS; reason++) {
		uint32_t counter = id * COUNTER_REASONS + reason;

		values[0] = reason == REASON_stamp ? -stamped : 0;
		err = bpf_map_update_elem(tables->fd[COUNTERS_MAP], &counter, values, BPF_ANY);
	}
	free(values);
	return err;
}

enum status tables_clear_counters(struct tables *tables, const uint16_t *ids, size_t count)
{
	uint64_t *stamped = new_sums();
	int err = add_stamped(tables, stamped);

	for (size_t i = 0; !err && i < count; i++)
		err = clear_row(tables, ids[i], stamped[ids[i] * COUNTER_REASONS + REASON_stamp]);
	free(stamped);
	return err ? fail(FAILED, "can't clear counters: %s", strerror(-err)) : DONE;
}
