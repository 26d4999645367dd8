// SPDX-License-Identifier: GPL-2.0-only
/* Tokens in use: buckets of chains over one array of entries. */
#include <stdlib.h>
#include <string.h>

#include "tokens.h"

#define ENTRIES_FIRST 4096

/* net/mptcp/token.c and alloc_large_system_hash() of Linux 6.18. */
#define KERNEL_BUCKET_BYTES 24
#define KERNEL_BUCKETS_MAX (64 * 1024)
#define KERNEL_PAGE_BYTES 4096
#define MEMORY_PER_BUCKET (1 << 20)

#define NO_ENTRY UINT32_MAX

struct entry {
	uint32_t token;
	uint32_t next; /* in its bucket, or NO_ENTRY */
	bool has_place;
};

struct tokens {
	size_t buckets;
	uint32_t *first; /* of each bucket, or NO_ENTRY */
	struct entry *entries;
	uint32_t count, room;
};

struct tokens *tokens_new(size_t buckets)
{
	struct tokens *tokens = calloc(1, sizeof(*tokens));

	if (!tokens)
		return NULL;
	*tokens = (struct tokens){ .buckets = buckets, .room = ENTRIES_FIRST };
	tokens->first = calloc(buckets, sizeof(*tokens->first));
	tokens->entries = calloc(tokens->room, sizeof(*tokens->entries));
	if (!tokens->first || !tokens->entries) {
		tokens_free(tokens);
		return NULL;
	}
	tokens_forget_all(tokens);
	return tokens;
}

void tokens_free(struct tokens *tokens)
{
	if (!tokens)
		return;
	free(tokens->first);
	free(tokens->entries);
	free(tokens);
}

void tokens_forget_all(struct tokens *tokens)
{
	memset(tokens->first, 0xff, tokens->buckets * sizeof(*tokens->first));
	tokens->count = 0;
}

static uint32_t *bucket_of(const struct tokens *tokens, uint32_t token)
{
	return &tokens->first[token & (tokens->buckets - 1)];
}

static struct entry *find(const struct tokens *tokens, uint32_t token)
{
	uint32_t at = *bucket_of(tokens, token);

	while (at != NO_ENTRY && tokens->entries[at].token != token)
		at = tokens->entries[at].next;
	return at == NO_ENTRY ? NULL : &tokens->entries[at];
}

static bool make_room(struct tokens *tokens)
{
	struct entry *entries;

	if (tokens->count < tokens->room)
		return true;
	entries = reallocarray(tokens->entries, 2 * (size_t)tokens->room, sizeof(*entries));
	if (!entries)
		return false;
	tokens->entries = entries;
	tokens->room *= 2;
	return true;
}

static bool add(struct tokens *tokens, uint32_t token, bool has_place)
{
	struct entry *entry = find(tokens, token);
	uint32_t *bucket = bucket_of(tokens, token);

	if (!entry) {
		if (!make_room(tokens))
			return false;
		entry = &tokens->entries[tokens->count];
		*entry = (struct entry){ .token = token, .next = *bucket };
		*bucket = tokens->count++;
	}
	entry->has_place |= has_place;
	return true;
}

bool tokens_add(struct tokens *tokens, uint32_t token)
{
	return add(tokens, token, true);
}

bool tokens_bar(struct tokens *tokens, uint32_t token)
{
	return add(tokens, token, false);
}

bool tokens_allow(const struct tokens *tokens, uint32_t token)
{
	int places = 0;

	for (uint32_t at = *bucket_of(tokens, token); at != NO_ENTRY;
	     at = tokens->entries[at].next) {
		if (tokens->entries[at].token == token)
			return false;
		places += tokens->entries[at].has_place;
	}
	return places < TOKENS_BUCKET_ISSUED_MAX;
}

/*
 * The kernel counts the pages that it booted with, some more than it reports later. A table
 * that is taken for smaller than it is only makes us stricter.
 */
size_t tokens_kernel_buckets(uint64_t memory_bytes)
{
	uint64_t wanted = (memory_bytes + MEMORY_PER_BUCKET - 1) / MEMORY_PER_BUCKET;
	size_t buckets = 1;

	if (wanted * KERNEL_BUCKET_BYTES < KERNEL_PAGE_BYTES)
		wanted = KERNEL_PAGE_BYTES / KERNEL_BUCKET_BYTES;
	while (buckets < wanted && buckets < KERNEL_BUCKETS_MAX)
		buckets *= 2;
	return buckets;
}
