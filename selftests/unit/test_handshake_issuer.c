// SPDX-License-Identifier: GPL-2.0-only
/* Tokens of one server: each names it, no two are the same, and none is tried in vain. */
#include <stdlib.h>

#include "../../include/mptcp_issuer.h"
#include "tap.h"

#define MILLION 1000000

static int by_value(const void *a, const void *b)
{
	uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;

	return (left > right) - (left < right);
}

static void test_uniqueness(void)
{
	struct mptcp_issuer issuer = {
		.secret = { 1, 2 }, .epoch = 1, .index_bits = 8, .index = 7, .counter = 0xfff80000
	};
	uint32_t *tokens = calloc(MILLION, sizeof(*tokens));
	uint32_t foreign = 0, repeated = 0;

	for (int i = 0; i < MILLION; i++) {
		tokens[i] = mptcp_issue(&issuer);
		foreign += token_epoch(tokens[i]) != 1 ||
			   token_index(token_open(&issuer.secret, tokens[i]), 8) != 7;
	}
	ok(issuer.counter == (uint32_t)(0xfff80000 + MILLION),
	   "a million tokens of one server take a million steps of a counter");
	ok(!foreign, "... all name that server");
	qsort(tokens, MILLION, sizeof(*tokens), by_value);
	for (int i = 1; i < MILLION; i++)
		repeated += tokens[i] == tokens[i - 1];
	ok(!repeated, "... and no two are the same");
	free(tokens);
	ok(mptcp_issue_wide(&issuer, 0x12345678) >> 32 ==
		   token_encode(&issuer.secret, 1, 8, 7, (issuer.counter - 1) & 0x3fffff),
	   "a token of 64 bits begins with one of 32");
}

static void test_token_zero(void)
{
	struct mptcp_issuer issuer = { .secret = { 1, 2 }, .epoch = 0, .index_bits = 8 };
	uint32_t body = token_open(&issuer.secret, 0);

	issuer.index = token_index(body, 8);
	issuer.counter = token_nonce(body, 8);
	ok(mptcp_issue(&issuer) == token_encode(&issuer.secret, 0, 8, issuer.index,
						(token_nonce(body, 8) + 1) & 0x3fffff),
	   "the token 0 is passed over");
}

int main(void)
{
	test_uniqueness();
	test_token_zero();
	return tap_end();
}
