// SPDX-License-Identifier: GPL-2.0-only
/* The key search against published keys and against hashes computed another way. */
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "../../loader/keysearch.h"
#include "../../loader/say.h"
#include "../../loader/tokens.h"
#include "tap.h"

struct options options;

#define MANY 1000

static const struct token_secret secret = { 0x0706050403020100, 0x0f0e0d0c0b0a0908 };

/* protocol.md 4.5; 0: no token is known. */
static const struct vector {
	uint8_t key[8];
	uint32_t v1, v0;
	const char *origin;
} vectors[] = {
	{ { 0xd8, 0x99, 0x76, 0xaa, 0xa8, 0xd8, 0x1c, 0xe2 },
	  0xee2d0eda,
	  0,
	  "mptcp_net-next #176" },
	{ { 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef }, 0x55c53f5d, 0x0ca2eadb, "a kernel" },
	{ { 0x0f, 0x7e, 0xc4, 0xd3, 0x68, 0x66, 0xc6, 0xd1 }, 0xdb8ed0b2, 0x4458698f, "a kernel" },
	{ { 0xd2, 0x27, 0x2b, 0x0c, 0x80, 0x28, 0x13, 0xb6 }, 0x952ddb54, 0xa9be19ab, "a kernel" },
	{ { 0x05, 0xc4, 0x26, 0x55, 0xd3, 0x3f, 0x7b, 0xd1 }, 0x97a19dbe, 0xe7e8f15a, "a kernel" },
	{ { 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88 },
	  0x1dce6604,
	  0xbdc04c09,
	  "protocol.md" },
	{ { 0, 0, 0, 0, 0, 0, 0, 1 }, 0xcd266215, 0xcb473678, "protocol.md" },
};

static void test_vectors(void)
{
	for (size_t i = 0; i < sizeof(vectors) / sizeof(*vectors); i++) {
		const struct vector *v = &vectors[i];
		uint64_t key;

		memcpy(&key, v->key, sizeof(key));
		ok(keyhash_token(key, MPTCP_V1) == v->v1, "a key of %s has the v1 token %08x",
		   v->origin, v->v1);
		if (v->v0)
			ok(keyhash_token(key, MPTCP_V0) == v->v0,
			   "a key of %s has the v0 token %08x", v->origin, v->v0);
	}
}

/* The token by a whole hash, which shares no code with the search. */
static uint32_t token_by_evp(uint64_t key, enum mptcp_version version)
{
	uint8_t digest[EVP_MAX_MD_SIZE];

	EVP_Digest(&key, sizeof(key), digest, NULL, version ? EVP_sha256() : EVP_sha1(), NULL);
	return (uint32_t)digest[0] << 24 | digest[1] << 16 | digest[2] << 8 | digest[3];
}

static void test_lanes(enum mptcp_version version)
{
	uint64_t keys[KEYHASH_LANES];
	uint32_t tokens[KEYHASH_LANES], wrong = 0;

	for (int turn = 0; turn < MANY; turn++) {
		if (getrandom(keys, sizeof(keys), 0) != sizeof(keys))
			abort();
		keyhash_tokens(keys, tokens, version);
		for (int i = 0; i < KEYHASH_LANES; i++)
			wrong += tokens[i] != token_by_evp(keys[i], version) ||
				 tokens[i] != keyhash_token(keys[i], version);
	}
	ok(!wrong, "tokens of %d random keys, %d at a time by %s, are those by EVP, v%d",
	   MANY * KEYHASH_LANES, KEYHASH_LANES, keyhash_engine(version), version);
}

static int by_key(const void *a, const void *b)
{
	const struct server_key *left = a, *right = b;

	return (left->key > right->key) - (left->key < right->key);
}

static bool find_keys(const struct keysearch_goal *goal, struct server_key *keys, size_t count)
{
	struct keysearch *search = keysearch_open(goal);
	/* 64 times the average: to fall short of it has a chance of e^-64. */
	uint64_t tries = 64ULL << (goal->index_bits + 2);
	size_t found = 0;

	while (search && found < count && keysearch_next(search, tries, &keys[found]))
		found++;
	keysearch_close(search);
	return found == count;
}

static bool is_right(const struct keysearch_goal *goal, const struct server_key *key)
{
	uint32_t token = token_by_evp(key->key, goal->version);
	uint32_t body = token_open(&goal->secret, token);

	return key->key && token && key->token == token && token_epoch(token) == goal->epoch &&
	       token_index(body, goal->index_bits) == goal->index;
}

static void test_goal(const struct keysearch_goal *goal, size_t count)
{
	struct server_key keys[MANY];
	size_t right = 0, distinct = 1;

	if (!ok(find_keys(goal, keys, count), "%zu keys for index %u of %u bits, v%d, epoch %u",
		count, goal->index, goal->index_bits, goal->version, goal->epoch))
		return;
	for (size_t i = 0; i < count; i++)
		right += is_right(goal, &keys[i]);
	ok(right == count, "... whose tokens, hashed by EVP, all name that index");
	qsort(keys, count, sizeof(*keys), by_key);
	for (size_t i = 1; i < count; i++)
		distinct += keys[i].key != keys[i - 1].key;
	ok(distinct == count, "... and no two of which are the same");
}

static void test_goals(void)
{
	static const struct keysearch_goal goals[] = {
		{ secret, 1, 8, 7, MPTCP_V1 },     { secret, 1, 8, 7, MPTCP_V0 },
		{ secret, 0, 8, 0, MPTCP_V1 },     { secret, 3, 8, 255, MPTCP_V1 },
		{ secret, 2, 4, 15, MPTCP_V0 },    { secret, 0, 4, 0, MPTCP_V1 },
		{ secret, 3, 12, 4095, MPTCP_V1 },
	};

	for (size_t i = 0; i < sizeof(goals) / sizeof(*goals); i++)
		test_goal(&goals[i], goals[i].index_bits > 8 ? 100 : MANY);
}

static void test_streams(void)
{
	struct keysearch_goal goal = { secret, 1, 8, 7, MPTCP_V1 };
	struct server_key one[10], other[10];
	bool shared = false;

	ok(find_keys(&goal, one, 10) && find_keys(&goal, other, 10), "two searches find keys");
	for (int i = 0; i < 100; i++)
		shared |= one[i / 10].key == other[i % 10].key;
	ok(!shared, "... and share none of them");
}

static void test_tries(void)
{
	struct keysearch_goal goal = { secret, 1, 12, 7, MPTCP_V1 };
	struct keysearch *search = keysearch_open(&goal);
	struct server_key key;

	while (keysearch_next(search, 10, &key))
		;
	uint64_t before = keysearch_hashes(search);

	ok(keysearch_next(search, 1, &key) || keysearch_hashes(search) == before + 1,
	   "a search for one try makes one");
	ok(!keysearch_next(search, 0, &key) && keysearch_hashes(search) == before + 1,
	   "a search for no try makes none");
	keysearch_close(search);
}

static void test_tokens_in_use(void)
{
	struct tokens *tokens = tokens_new(1024);

	ok(tokens_allow(tokens, 0xabc00001), "a token that nobody has may be issued");
	tokens_add(tokens, 0xabc00001);
	ok(!tokens_allow(tokens, 0xabc00001), "a token in use may not be issued again");
	ok(tokens_allow(tokens, 0xabc00401), "another of the same bucket may");
	tokens_forget_all(tokens);
	ok(tokens_allow(tokens, 0xabc00001), "a token that was forgotten may be issued");
	tokens_free(tokens);
}

static void test_buckets(void)
{
	struct tokens *tokens = tokens_new(1024);

	tokens_add(tokens, 0x00000005);
	tokens_add(tokens, 0x00000405);
	tokens_add(tokens, 0x00000405);
	ok(tokens_allow(tokens, 0x00000805), "a bucket of two takes a third; twice told is one");
	tokens_add(tokens, 0x00000805);
	ok(!tokens_allow(tokens, 0x00000c05), "a bucket of three takes no fourth");
	ok(tokens_allow(tokens, 0x00000c06), "its neighbour does");
	tokens_add(tokens, 0x00000c05);
	ok(!tokens_allow(tokens, 0xffff0005),
	   "a bucket that the kernel filled with four takes none");
	tokens_free(tokens);
}

static void test_barred_tokens(void)
{
	struct tokens *tokens = tokens_new(1024);

	for (uint32_t token = 0x005; token < 0x2000; token += 0x400)
		tokens_bar(tokens, token);
	ok(!tokens_allow(tokens, 0x405), "a token that is barred may not be issued");
	ok(tokens_allow(tokens, 0x4005), "but it takes no place in its bucket");
	tokens_add(tokens, 0x005);
	tokens_add(tokens, 0x405);
	tokens_bar(tokens, 0x405);
	ok(tokens_allow(tokens, 0x4005), "two that are in use all the same leave a place");
	tokens_add(tokens, 0x805);
	ok(!tokens_allow(tokens, 0x4005), "... and three leave none");
	tokens_free(tokens);
}

static void test_many_tokens(void)
{
	struct tokens *tokens = tokens_new(65536);
	uint32_t wrong = 0;

	for (uint32_t i = 0; i < 200000; i++)
		tokens_add(tokens, i * 7);
	for (uint32_t i = 0; i < 200000; i++)
		wrong += tokens_allow(tokens, i * 7);
	ok(!wrong, "of 200000 tokens in use none may be issued");
	tokens_free(tokens);
}

static void test_kernel_buckets(void)
{
	static const struct {
		uint64_t mib, buckets;
	} rows[] = { { 24105, 32768 }, { 1, 256 },     { 171, 256 },     { 1024, 1024 },
		     { 1025, 2048 },   { 3900, 4096 }, { 65536, 65536 }, { 1 << 20, 65536 } };

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		ok(tokens_kernel_buckets(rows[i].mib << 20) == rows[i].buckets,
		   "a kernel with %llu MiB has %llu buckets of tokens",
		   (unsigned long long)rows[i].mib, (unsigned long long)rows[i].buckets);
}

int main(void)
{
	test_vectors();
	test_lanes(MPTCP_V0);
	test_lanes(MPTCP_V1);
	test_goals();
	test_streams();
	test_tries();
	test_tokens_in_use();
	test_buckets();
	test_barred_tokens();
	test_many_tokens();
	test_kernel_buckets();
	return tap_end();
}
