/* SPDX-License-Identifier: GPL-2.0-only */
/* The wall clock that stamps are measured against, at the price of two loads. */
#ifndef CLOCK_BPF_H
#define CLOCK_BPF_H

#include "maps.bpf.h"
#include "../include/stamp.h"

/*
 * A stamp needs the clock to S/16, 65 s at the least, so one reading serves for a
 * while: 256 jiffies are 1 s at HZ=250, 2.6 s at HZ=100. Time that passes with no
 * packet does no harm: the packet that ends it finds the reading due.
 */
#define CLOCK_LASTS_JIFFIES 256

static __always_inline uint32_t stamp_owner(const struct state *state,
					    const struct cluster *cluster, uint32_t stamp)
{
	uint32_t slot =
		(stamp - state->clock.wall_ms + cluster->stamp_ahead) >> cluster->stamp_shift;

	return cluster->owner[slot % MAX_BACKENDS];
}

/* Two CPUs at once may lose one. */
static __always_inline void note_stamp_age(struct state *now, uint32_t stamp)
{
	const struct cluster *cluster = &now->cluster[now->generation % BANKS];
	uint32_t index = stamp_owner(now, cluster, stamp), future, at = 0;
	uint32_t age_ms = stamp_constant(now->clock.wall_ms, index, cluster->index_bits) - stamp;

	future = age_ms >> 31;
	if (future)
		age_ms = -age_ms;
	for (uint32_t age = 0; age < STAMP_AGES - 1; age++)
		at += age_ms >> STAMP_AGE_SHIFT(age) != 0;
	now->stamp_ages[future & 1][at % STAMP_AGES]++;
}

/*
 * stamp: of the packet that found the reading due, or 0. Global, so that those that don't keep
 * their registers.
 */
__noinline int read_clock(uint32_t stamp)
{
	uint32_t zero = 0;
	struct state *now = bpf_map_lookup_elem(&state, &zero);

	if (!now)
		return 0;
	now->clock.wall_ms = bpf_ktime_get_tai_ns() / 1000000 - now->clock.tai_offset_ms;
	now->clock.due_jiffies = bpf_jiffies64() + CLOCK_LASTS_JIFFIES;
	if (stamp)
		note_stamp_age(now, stamp);
	return 0;
}

static __always_inline void keep_clock(const struct state *state, uint32_t stamp)
{
	if (unlikely(bpf_jiffies64() >= state->clock.due_jiffies))
		read_clock(stamp);
}

#endif
