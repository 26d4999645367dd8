// SPDX-License-Identifier: GPL-2.0-only
/* Draws random keys, hashes them, and keeps those whose token opens to the index. */
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "keysearch.h"

#define KEYS_DRAWN 1024 /* at once: 8 KiB of AES-CTR, which then costs 2 % of a hash */

/* One block of either hash: the key, the end mark, and the key's length in bits, big-endian. */
struct key_block {
	uint64_t key;
	uint8_t end_mark;
	uint8_t zeros[54];
	uint8_t bits;
};

_Static_assert(sizeof(struct key_block) == SHA256_CBLOCK, "SHA-256 hashes whole blocks");
_Static_assert(sizeof(struct key_block) == SHA_CBLOCK, "SHA-1 hashes whole blocks");

#define KEY_BLOCK_EMPTY \
	{ \
		.end_mark = 0x80, .bits = 8 * sizeof(uint64_t) \
	}

/* FIPS 180-4, sections 5.3.1 and 5.3.3. */
static const SHA_LONG sha1_start[5] = { 0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476,
					0xc3d2e1f0 };
static const SHA_LONG sha256_start[8] = { 0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
					  0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19 };

struct keysearch {
	struct keysearch_goal goal;
	EVP_CIPHER_CTX *stream;
	uint64_t hashes;
	uint32_t unused; /* the last so many of drawn[] */
	uint64_t drawn[KEYS_DRAWN];
	struct key_block block;
	struct token_rounds rounds;
};

static uint32_t token_sha256(const struct key_block *block)
{
	SHA256_CTX state;

	memcpy(state.h, sha256_start, sizeof(sha256_start));
	SHA256_Transform(&state, (const uint8_t *)block);
	return state.h[0];
}

static uint32_t token_sha1(const struct key_block *block)
{
	SHA_CTX state = { .h0 = sha1_start[0],
			  .h1 = sha1_start[1],
			  .h2 = sha1_start[2],
			  .h3 = sha1_start[3],
			  .h4 = sha1_start[4] };

	SHA1_Transform(&state, (const uint8_t *)block);
	return state.h0;
}

static inline uint32_t block_token(const struct key_block *block, enum mptcp_version version)
{
	return version == MPTCP_V1 ? token_sha256(block) : token_sha1(block);
}

uint32_t keysearch_token(uint64_t key, enum mptcp_version version)
{
	struct key_block block = KEY_BLOCK_EMPTY;

	block.key = key;
	return block_token(&block, version);
}

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
	search->block = (struct key_block)KEY_BLOCK_EMPTY;
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

bool keysearch_next(struct keysearch *search, uint64_t tries, struct server_key *found)
{
	for (; tries; tries--) {
		uint32_t token;

		if (!search->unused)
			draw(search);
		search->block.key = search->drawn[--search->unused];
		search->hashes++;
		token = block_token(&search->block, search->goal.version);
		if (is_good(search, search->block.key, token)) {
			*found = (struct server_key){ .key = search->block.key, .token = token };
			return true;
		}
	}
	return false;
}

uint64_t keysearch_hashes(const struct keysearch *search)
{
	return search->hashes;
}
