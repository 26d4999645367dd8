/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Tokens for a stack that may choose them: they name the server's index to the balancer and,
 * since a counter is encrypted, no two are the same and none is ever tried.
 */
#ifndef MPTCP_LB_MPTCP_ISSUER_H
#define MPTCP_LB_MPTCP_ISSUER_H

#include "token.h"

struct mptcp_issuer {
	struct token_secret secret;
	uint32_t epoch;
	uint32_t index_bits;
	uint32_t index;
	uint32_t counter; /* start it anywhere; only its low 30 - index_bits bits count */
};

/*
 * Different each time for 2^(30 - index_bits) calls (4 million at 8 bits); a server with
 * connections older than that asks again while it has the token.
 */
static inline uint32_t mptcp_issue(struct mptcp_issuer *issuer)
{
	uint32_t nonces = (1u << (TOKEN_BODY_BITS - issuer->index_bits)) - 1;
	uint32_t token;

	do
		token = token_encode(&issuer->secret, issuer->epoch, issuer->index_bits,
				     issuer->index, issuer->counter++ & nonces);
	while (!token); /* one nonce of one epoch may encode to 0, which is nobody's */
	return token;
}

/* 64 bits for MPTCP_DIALECT_APPLICATION; the random half keeps a token from being guessed. */
static inline uint64_t mptcp_issue_wide(struct mptcp_issuer *issuer, uint32_t random)
{
	return (uint64_t)mptcp_issue(issuer) << 32 | random;
}

#endif
