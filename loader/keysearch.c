// SPDX-License-Identifier: GPL-2.0-only
/* Draws random keys, hashes them, and keeps those whose token opens to the index. */
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "keysearch.h"

#define KEYS_DRAWN 1024 /* at once: 8 KiB of AES-CTR, which then costs 2 % of a hash */

_Static_assert(KEYS_DRAWN % KEYHASH_LANES == 0, "all keys drawn are hashed side by side");

struct keysearch {
	struct keysearch_goal goal;
	EVP_CIPHER_CTX *stream;
	uint64_t hashes;
	uint32_t unused; /* the last so many of drawn[] */
	uint64_t drawn[KEYS_DRAWN];
	uint32_t tokens[KEYHASH_LANES]; /* of the keys with the same place modulo KEYHASH_LANES */
	struct token_rounds rounds;
};

/* AES-256-CTR under a key of the kernel's: every 8 bytes of it are as good as getrandom(). */
static EVP_CIPHER_CTX *stream_open(void)
{
	uint8_t seed[32 + 16];
	EVP_CIPHER_CTX *stream = EVP_CIPHER_CTX_new();

	if (stream && (getrandom(seed, sizeof(seed), 0) != sizeof(seed) ||
		       !EVP_EncryptInit_ex(stream, EVP_aes_256_ctr(), NULL, seed, seed + 32))) {
		EVP_CIPHER_CTX_free(stream);
		stream = NULL;
	}
	OPENSSL_cleanse(seed, sizeof(seed));
	return stream;
}

struct keysearch *keysearch_open(const struct keysearch_goal *goal)
{
	struct keysearch *search = calloc(1, sizeof(*search));

	if (!search)
		return NULL;
	search->goal = *goal;
	search->stream = stream_open();
	if (!search->stream) {
		keysearch_close(search);
		return NULL;
	}
	token_tabulate(&goal->secret, goal->epoch, &search->rounds);
	return search;
}

void keysearch_close(struct keysearch *search)
{
	if (!search)
		return;
	EVP_CIPHER_CTX_free(search->stream);
	OPENSSL_cleanse(search, sizeof(*search));
	free(search);
}

/* Keys must never be guessable: without randomness there is no going on. */
static void draw(struct keysearch *search)
{
	uint8_t *bytes = (uint8_t *)search->drawn;
	int length;

	memset(bytes, 0, sizeof(search->drawn));
	if (!EVP_EncryptUpdate(search->stream, bytes, &length, bytes, sizeof(search->drawn)))
		abort();
	search->unused = KEYS_DRAWN;
}

/* The epoch is in the clear, so three tokens of four need no opening. */
static inline bool is_good(const struct keysearch *search, uint64_t key, uint32_t token)
{
	const struct keysearch_goal *goal = &search->goal;

	if (token_epoch(token) != goal->epoch)
		return false;
	if (token_index(token_look_up(&search->rounds, token), goal->index_bits) != goal->index)
		return false;
	/* The kernel takes neither. */
	return key && token;
}

/* Takes one more key of those drawn, and its token. */
static inline struct server_key next_key(struct keysearch *search)
{
	uint32_t at;

	if (!search->unused)
		draw(search);
	at = --search->unused;
	if (at % KEYHASH_LANES == KEYHASH_LANES - 1)
		keyhash_tokens(&search->drawn[at + 1 - KEYHASH_LANES], search->tokens,
			       search->goal.version);
	return (struct server_key){
		.key = search->drawn[at],
		.token = search->tokens[at % KEYHASH_LANES],
	};
}

bool keysearch_next(struct keysearch *search, uint64_t tries, struct server_key *found)
{
	for (; tries; tries--) {
		struct server_key key = next_key(search);

		search->hashes++;
		if (is_good(search, key.key, key.token)) {
			*found = key;
			return true;
		}
	}
	return false;
}

uint64_t keysearch_hashes(const struct keysearch *search)
{
	return search->hashes;
}
