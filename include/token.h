/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The token codec: which backend owns an MPTCP connection, read from the 32-bit
 * token that its joins carry (RFC 8684 section 3.2).
 *
 *	token = epoch(2) | PRP30(index(k) | nonce(30-k))
 *
 * PRP30 is a balanced Feistel network on 15-bit halves with four rounds; the round
 * function is SipHash-2-4 under the epoch's secret. Everything here is in host byte
 * order: a token read from the wire goes through ntohl() first.
 */
#ifndef MPTCP_LB_TOKEN_H
#define MPTCP_LB_TOKEN_H

#include "siphash.h"

#define TOKEN_EPOCHS 4
#define TOKEN_ROUNDS 4
#define TOKEN_BODY_BITS 30
#define TOKEN_HALF_BITS 15
#define TOKEN_HALF_MASK ((1u << TOKEN_HALF_BITS) - 1)
#define TOKEN_INDEX_BITS_MIN 4
#define TOKEN_INDEX_BITS_MAX 12

/* The 16 bytes of a secret file as two little-endian words. */
struct token_secret {
	uint64_t k0, k1;
};

/* Every value of the round function under one secret: 256 KiB for one load a round. */
struct token_rounds {
	uint16_t f[TOKEN_ROUNDS][1 << TOKEN_HALF_BITS];
};

/* F(round, half): 15 bits, from the four bytes half-low, half-high, round, epoch. */
SIPHASH_INLINE uint32_t token_round(const struct token_secret *secret, uint32_t epoch,
				    uint32_t round, uint32_t half)
{
	struct siphash s = siphash_start(secret->k0, secret->k1);
	uint64_t message = half | round << 16 | epoch << 24;

	return siphash_end(&s, (uint64_t)4 << 56 | message, 2, 4) & TOKEN_HALF_MASK;
}

/* epoch: 0 to 3. */
SIPHASH_INLINE uint32_t token_epoch(uint32_t token)
{
	return token >> TOKEN_BODY_BITS;
}

/* body: what token_open() returned. Range 0 to 2^index_bits - 1. */
SIPHASH_INLINE uint32_t token_index(uint32_t body, uint32_t index_bits)
{
	return body >> (TOKEN_BODY_BITS - index_bits);
}

/* body: what token_open() returned. Range 0 to 2^(30 - index_bits) - 1. */
SIPHASH_INLINE uint32_t token_nonce(uint32_t body, uint32_t index_bits)
{
	return body & ((1u << (TOKEN_BODY_BITS - index_bits)) - 1);
}

/*
 * The token of index and nonce. The caller keeps both in range, and never issues
 * the token 0, which the Linux kernel reserves.
 */
static inline uint32_t token_encode(const struct token_secret *secret, uint32_t epoch,
				    uint32_t index_bits, uint32_t index, uint32_t nonce)
{
	uint32_t body = index << (TOKEN_BODY_BITS - index_bits) | nonce;
	uint32_t left = body >> TOKEN_HALF_BITS, right = body & TOKEN_HALF_MASK;

	for (uint32_t round = 0; round < TOKEN_ROUNDS; round++) {
		uint32_t next = left ^ token_round(secret, epoch, round, right);

		left = right;
		right = next;
	}
	return epoch << TOKEN_BODY_BITS | left << TOKEN_HALF_BITS | right;
}

/* The 30-bit body, index | nonce, of a token whose epoch has this secret. */
static inline uint32_t token_open(const struct token_secret *secret, uint32_t token)
{
	uint32_t left = token >> TOKEN_HALF_BITS & TOKEN_HALF_MASK;
	uint32_t right = token & TOKEN_HALF_MASK;

	for (uint32_t round = TOKEN_ROUNDS; round-- > 0;) {
		uint32_t previous = right ^ token_round(secret, token_epoch(token), round, left);

		right = left;
		left = previous;
	}
	return left << TOKEN_HALF_BITS | right;
}

/* Tabulates the round function: 131,072 hashes, a few milliseconds. */
static inline void token_tabulate(const struct token_secret *secret, uint32_t epoch,
				  struct token_rounds *rounds)
{
	for (uint32_t round = 0; round < TOKEN_ROUNDS; round++)
		for (uint32_t half = 0; half <= TOKEN_HALF_MASK; half++)
			rounds->f[round][half] = token_round(secret, epoch, round, half);
}

/*
 * token_open() by table: the same body for the secret and epoch that were tabulated. The
 * masks change nothing; without them the verifier of Linux 6.1 sees no bound on the index.
 */
SIPHASH_INLINE uint32_t token_look_up(const struct token_rounds *rounds, uint32_t token)
{
	uint32_t left = token >> TOKEN_HALF_BITS & TOKEN_HALF_MASK;
	uint32_t right = token & TOKEN_HALF_MASK;

	right = (right ^ rounds->f[3][left]) & TOKEN_HALF_MASK;
	left = (left ^ rounds->f[2][right]) & TOKEN_HALF_MASK;
	right = (right ^ rounds->f[1][left]) & TOKEN_HALF_MASK;
	left = (left ^ rounds->f[0][right]) & TOKEN_HALF_MASK;
	return left << TOKEN_HALF_BITS | right;
}

#endif
