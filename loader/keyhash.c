// SPDX-License-Identifier: GPL-2.0-only
/* One block of SHA-256 or SHA-1 for each key: sixteen side by side in AVX-512, or by libcrypto. */
#include <endian.h>
#include <openssl/sha.h>
#include <stdbool.h>
#include <string.h>

#include "keyhash.h"

/* One block of either hash: the key, the end mark, and the key's length in bits, big-endian. */
struct key_block {
	uint64_t key;
	uint8_t end_mark;
	uint8_t zeros[54];
	uint8_t bits;
};

_Static_assert(sizeof(struct key_block) == SHA256_CBLOCK, "SHA-256 hashes whole blocks");
_Static_assert(sizeof(struct key_block) == SHA_CBLOCK, "SHA-1 hashes whole blocks");

/* FIPS 180-4, sections 5.3.1, 5.3.3 and 4.2.2. */
static const SHA_LONG sha1_start[5] = { 0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476,
					0xc3d2e1f0 };
static const SHA_LONG sha256_start[8] = { 0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
					  0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19 };

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

uint32_t keyhash_token(uint64_t key, enum mptcp_version version)
{
	struct key_block block = { .key = key, .end_mark = 0x80, .bits = 8 * sizeof(key) };

	return version == MPTCP_V1 ? token_sha256(&block) : token_sha1(&block);
}

#ifdef __x86_64__

#define ROUNDS 64

static const uint32_t sha256_round[ROUNDS] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4,
	0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe,
	0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f,
	0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7,
	0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc,
	0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
	0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116,
	0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
	0xc67178f2,
};

typedef uint32_t lanes __attribute__((vector_size(4 * KEYHASH_LANES)));

#define ROTATE(x, bits) ((x) >> (bits) | (x) << (32 - (bits)))

/* As FIPS 180-4 names them. */
#define SUM0(x) (ROTATE(x, 2) ^ ROTATE(x, 13) ^ ROTATE(x, 22))
#define SUM1(x) (ROTATE(x, 6) ^ ROTATE(x, 11) ^ ROTATE(x, 25))
#define SIGMA0(x) (ROTATE(x, 7) ^ ROTATE(x, 18) ^ (x) >> 3)
#define SIGMA1(x) (ROTATE(x, 17) ^ ROTATE(x, 19) ^ (x) >> 10)
#define CHOOSE(x, y, z) ((z) ^ ((x) & ((y) ^ (z))))
#define MAJORITY(x, y, z) (((x) & (y)) | ((z) & ((x) | (y))))

/* Unrolled, so that the fourteen words of the block that are always the same fold away. */
__attribute__((target("avx512f"))) static void hash_lanes(lanes w[static 16], uint32_t *tokens)
{
	lanes s[8], first;

	for (int i = 0; i < 8; i++)
		s[i] = (lanes){} + sha256_start[i];
#pragma GCC unroll 64
	for (int i = 0; i < ROUNDS; i++) {
		lanes *word = &w[i % 16];

		if (i >= 16)
			*word += SIGMA0(w[(i + 1) % 16]) + w[(i + 9) % 16] +
				 SIGMA1(w[(i + 14) % 16]);
		first = s[7] + SUM1(s[4]) + CHOOSE(s[4], s[5], s[6]) + sha256_round[i] + *word;
		s[7] = s[6], s[6] = s[5], s[5] = s[4];
		s[4] = s[3] + first;
		first += SUM0(s[0]) + MAJORITY(s[0], s[1], s[2]);
		s[3] = s[2], s[2] = s[1], s[1] = s[0];
		s[0] = first;
	}
	s[0] += sha256_start[0];
	memcpy(tokens, &s[0], sizeof(s[0]));
}

__attribute__((target("avx512f"))) static void tokens_by_avx512(const uint64_t *keys,
								uint32_t *tokens)
{
	lanes w[16] = { [2] = (lanes){} + 0x80000000, [15] = (lanes){} + 8 * sizeof(*keys) };

	for (int i = 0; i < KEYHASH_LANES; i++) {
		uint64_t key = be64toh(keys[i]);

		w[0][i] = key >> 32;
		w[1][i] = key;
	}
	hash_lanes(w, tokens);
}

/* 2.4 times as fast as libcrypto with the CPU's SHA instructions; eight lanes of AVX2 are not. */
static bool has_avx512(void)
{
	return __builtin_cpu_supports("avx512f");
}

#else

static void tokens_by_avx512(const uint64_t *keys, uint32_t *tokens)
{
	(void)keys;
	(void)tokens;
}

static bool has_avx512(void)
{
	return false;
}

#endif

void keyhash_tokens(const uint64_t keys[static KEYHASH_LANES],
		    uint32_t tokens[static KEYHASH_LANES], enum mptcp_version version)
{
	if (version == MPTCP_V1 && has_avx512()) {
		tokens_by_avx512(keys, tokens);
		return;
	}
	for (int i = 0; i < KEYHASH_LANES; i++)
		tokens[i] = keyhash_token(keys[i], version);
}

const char *keyhash_engine(enum mptcp_version version)
{
	return version == MPTCP_V1 && has_avx512() ? "AVX-512" : "libcrypto";
}
