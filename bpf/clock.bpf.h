/* SPDX-License-Identifier: GPL-2.0-only */
/* The wall clock that stamps are measured against, at the price of two loads. */
#ifndef CLOCK_BPF_H
#define CLOCK_BPF_H

#include "maps.bpf.h"

/*
 * A stamp needs the clock to S/16, 65 s at the least, so one reading serves for a
 * while: 256 jiffies are 1 s at HZ=250, 2.6 s at HZ=100. Time that passes with no
 * packet does no harm: the packet that ends it finds the reading due.
 */
#define CLOCK_LASTS_JIFFIES 256

static __always_inline uint32_t wall_clock_ms(struct state *state)
{
	struct clock *clock = &state->clock;
	uint64_t now = bpf_jiffies64();

	if (now >= clock->due_jiffies) {
		clock->wall_ms = bpf_ktime_get_tai_ns() / 1000000 - clock->tai_offset_ms;
		clock->due_jiffies = now + CLOCK_LASTS_JIFFIES;
		clock->samples = 1;
	}
	return clock->wall_ms;
}

/*
 * Global, and given a number: struct packet stays in registers only while nobody is given its
 * address. Two CPUs at once may lose a sample.
 */
__noinline int note_stamp_age(uint32_t age_ms)
{
	uint32_t zero = 0, future = age_ms >> 31, at = 0;
	struct state *now = bpf_map_lookup_elem(&state, &zero);

	if (!now)
		return 0;
	if (future)
		age_ms = -age_ms;
	for (uint32_t age = 0; age < STAMP_AGES - 1; age++)
		at += age_ms >> STAMP_AGE_SHIFT(age) != 0;
	now->clock.samples = 0;
	now->stamp_ages[future & 1][at % STAMP_AGES]++;
	return 0;
}

#endif
