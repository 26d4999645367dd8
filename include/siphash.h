/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * SipHash-c-d for messages that the caller cuts into 64-bit little-endian words
 * (Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012).
 *
 * Feed every full word to siphash_word(); the rest of the message, 0 to 7 bytes in
 * the low end and the message's length mod 256 in the top byte, to siphash_end().
 */
#ifndef MPTCP_LB_SIPHASH_H
#define MPTCP_LB_SIPHASH_H

#include <stdint.h>

#define SIPHASH_INLINE static inline __attribute__((always_inline))

struct siphash {
	uint64_t v0, v1, v2, v3;
};

SIPHASH_INLINE uint64_t siphash_rotl(uint64_t x, int bits)
{
	return x << bits | x >> (64 - bits);
}

SIPHASH_INLINE void siphash_round(struct siphash *s)
{
	s->v0 += s->v1;
	s->v1 = siphash_rotl(s->v1, 13) ^ s->v0;
	s->v0 = siphash_rotl(s->v0, 32);
	s->v2 += s->v3;
	s->v3 = siphash_rotl(s->v3, 16) ^ s->v2;
	s->v0 += s->v3;
	s->v3 = siphash_rotl(s->v3, 21) ^ s->v0;
	s->v2 += s->v1;
	s->v1 = siphash_rotl(s->v1, 17) ^ s->v2;
	s->v2 = siphash_rotl(s->v2, 32);
}

/* k0 and k1: the 16 key bytes as two little-endian words. */
SIPHASH_INLINE struct siphash siphash_start(uint64_t k0, uint64_t k1)
{
	return (struct siphash){
		.v0 = k0 ^ 0x736f6d6570736575ULL,
		.v1 = k1 ^ 0x646f72616e646f6dULL,
		.v2 = k0 ^ 0x6c7967656e657261ULL,
		.v3 = k1 ^ 0x7465646279746573ULL,
	};
}

/* c: compression rounds, a compile-time constant so that the loop unrolls. */
SIPHASH_INLINE void siphash_word(struct siphash *s, uint64_t word, int c)
{
	s->v3 ^= word;
	for (int i = 0; i < c; i++)
		siphash_round(s);
	s->v0 ^= word;
}

/* d: finalisation rounds; last: length << 56 | the bytes left over. */
SIPHASH_INLINE uint64_t siphash_end(struct siphash *s, uint64_t last, int c, int d)
{
	siphash_word(s, last, c);
	s->v2 ^= 0xff;
	for (int i = 0; i < d; i++)
		siphash_round(s);
	return s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
}

#endif
