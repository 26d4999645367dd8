/* SPDX-License-Identifier: GPL-2.0-only */
/* The search for random MPTCP keys whose token names a given backend. */
#ifndef KEYSEARCH_H
#define KEYSEARCH_H

#include <stdbool.h>

#include "../include/server.h"
#include "../include/token.h"
#include "keyhash.h"

/* What a key is searched for: its token, opened under the epoch's secret, names the index. */
struct keysearch_goal {
	struct token_secret secret;
	uint32_t epoch;
	uint32_t index_bits;
	uint32_t index;
	enum mptcp_version version;
};

/* One stream of random keys; a thread needs its own. Opaque. */
struct keysearch;

/* NULL if there is no memory or no randomness. */
struct keysearch *keysearch_open(const struct keysearch_goal *goal);

/* Wipes the secret and what was drawn of the stream. */
void keysearch_close(struct keysearch *search);

/* Tries that many keys at most; false if none of them was good. 2^(index_bits + 2) on average. */
bool keysearch_next(struct keysearch *search, uint64_t tries, struct server_key *found);

/* How many keys were hashed so far. */
uint64_t keysearch_hashes(const struct keysearch *search);

#endif
