/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The stamp: a server's index inside the TCP timestamps (RFC 7323) that its clients
 * echo. All values are in host byte order, in milliseconds where they are times, and
 * wrap at 2^32 on purpose.
 */
#ifndef MPTCP_LB_STAMP_H
#define MPTCP_LB_STAMP_H

#include <stdint.h>

#define STAMP_INLINE static inline __attribute__((always_inline))

/* SYN cookies keep options in the low 6 bits of a TSval: the offset must not touch them. */
#define STAMP_OFFSET_STEP_MS 64

/* S: how many milliseconds of wall clock one slot spans. index_bits: 4 to 12. */
STAMP_INLINE uint32_t stamp_slot_ms(uint32_t index_bits)
{
	return 1u << (32 - index_bits);
}

/* How far a stamp may lie in the balancer's future and still decode: S/16. */
STAMP_INLINE uint32_t stamp_clock_error_ms(uint32_t index_bits)
{
	return stamp_slot_ms(index_bits) / 16;
}

/* What turns a TSval that counts monotonic milliseconds into one that counts wall clock. */
STAMP_INLINE uint32_t stamp_offset(uint64_t wall_ms, uint64_t monotonic_ms)
{
	return (uint32_t)((wall_ms - monotonic_ms) & ~(uint64_t)(STAMP_OFFSET_STEP_MS - 1));
}

/* The constant that a server adds to TSval on the way out and takes from TSecr on the way in. */
STAMP_INLINE uint32_t stamp_constant(uint32_t offset_ms, uint32_t index, uint32_t index_bits)
{
	return offset_ms + index * stamp_slot_ms(index_bits);
}

/* What a balancer adds before it divides by S: all of a slot but S/16 lies below its index. */
STAMP_INLINE uint32_t stamp_ahead(uint32_t index_bits)
{
	return stamp_slot_ms(index_bits) - 1 - stamp_clock_error_ms(index_bits);
}

/*
 * The slot of an echoed timestamp at the balancer: the index of the server that
 * sent it, or, once the stamp has aged past S/16 short of a slot, one below for
 * every S. Hence a slot belongs to the next assigned index at or above it.
 */
STAMP_INLINE uint32_t stamp_slot(uint32_t tsecr, uint32_t wall_ms, uint32_t index_bits)
{
	return (tsecr - wall_ms + stamp_ahead(index_bits)) >> (32 - index_bits);
}

/*
 * How old a stamp may grow before it is taken for another server's, when `gap` slots
 * lie between an index and the assigned index below it (2^index_bits if it is the only one).
 */
static inline uint64_t stamp_horizon_ms(uint32_t gap, uint32_t index_bits)
{
	return (uint64_t)gap * stamp_slot_ms(index_bits) - stamp_clock_error_ms(index_bits);
}

/*
 * owner[slot] = the assigned index at or next above the slot, cyclic, for all
 * 2^index_bits slots. assigned[i] is not 0 where index i is a backend of the cluster;
 * at least one must be.
 */
static inline void stamp_fill_owners(const uint8_t *assigned, uint32_t index_bits, uint16_t *owner)
{
	uint32_t slots = 1u << index_bits, next = 0;

	while (!assigned[next])
		next++;
	for (uint32_t slot = slots; slot-- > 0;) {
		if (assigned[slot])
			next = slot;
		owner[slot] = next;
	}
}

#endif
