// SPDX-License-Identifier: GPL-2.0-only
/* What follows from keys and tokens: other tokens, sequence numbers, HMACs. */
#include <string.h>

#include "bytes.h"
#include "dialects.h"
#include "options_layout.h"

const struct dialect dialects[MPTCP_DIALECTS] = {
	[MPTCP_DIALECT_V0] = { 0, MPTCP_HMAC, 4, MPTCP_SHA1, false },
	[MPTCP_DIALECT_V1] = { 1, MPTCP_HMAC, 4, MPTCP_SHA256, false },
	[MPTCP_DIALECT_APPLICATION] = { 1, MPTCP_APPLICATION_KEY, 8, MPTCP_SHA256, true },
};

static size_t digest_bytes(enum mptcp_algorithm algorithm)
{
	return algorithm == MPTCP_SHA1 ? 20 : 32;
}

static void digest_number(enum mptcp_algorithm algorithm, uint64_t number,
			  uint8_t digest[static MPTCP_DIGEST_MAX])
{
	uint8_t bytes[KEY_BYTES];

	put_number(bytes, number, sizeof(bytes));
	mptcp_digest(algorithm, bytes, sizeof(bytes), digest);
}

uint64_t token_of_key(enum mptcp_dialect dialect, uint64_t key)
{
	uint8_t digest[MPTCP_DIGEST_MAX];

	digest_number(dialects[dialect].algorithm, key, digest);
	return get_number(digest, 4);
}

uint8_t mptcp_token_bytes(enum mptcp_dialect dialect)
{
	return dialects[dialect].token_bytes;
}

/* Of keys the documents take the least significant 64 bits, of tokens the most significant. */
uint64_t mptcp_initial_dsn(const struct mptcp_handshake *handshake, enum mptcp_side side)
{
	const struct dialect *dialect = &dialects[handshake->dialect];
	uint8_t digest[MPTCP_DIGEST_MAX];

	if (dialect->explicit_token) {
		digest_number(MPTCP_SHA1, handshake->tokens[side], digest);
		return get_number(digest, 8);
	}
	digest_number(dialect->algorithm, handshake->keys[side], digest);
	return get_number(digest + digest_bytes(dialect->algorithm) - 8, 8);
}

/* A key of the application's own is never sent in clear, not even at the end. */
uint64_t mptcp_fastclose_key(const struct mptcp_handshake *handshake, enum mptcp_side side)
{
	uint8_t digest[MPTCP_DIGEST_MAX];

	if (!dialects[handshake->dialect].explicit_token)
		return handshake->keys[side];
	digest_number(MPTCP_SHA1, handshake->keys[side], digest);
	return get_number(digest, 8);
}

void mptcp_hmac(enum mptcp_algorithm algorithm, const uint8_t key[static 16],
		const uint8_t *message, size_t length, uint8_t hmac[static MPTCP_DIGEST_MAX])
{
	uint8_t inner[MPTCP_DIGEST_BLOCK + MPTCP_HMAC_MESSAGE_MAX];
	uint8_t outer[MPTCP_DIGEST_BLOCK + MPTCP_DIGEST_MAX];

	memset(inner, 0x36, MPTCP_DIGEST_BLOCK);
	memset(outer, 0x5c, MPTCP_DIGEST_BLOCK);
	for (size_t i = 0; i < 16; i++) {
		inner[i] ^= key[i];
		outer[i] ^= key[i];
	}
	memcpy(inner + MPTCP_DIGEST_BLOCK, message, length);
	mptcp_digest(algorithm, inner, MPTCP_DIGEST_BLOCK + length, outer + MPTCP_DIGEST_BLOCK);
	mptcp_digest(algorithm, outer, MPTCP_DIGEST_BLOCK + digest_bytes(algorithm), hmac);
}
