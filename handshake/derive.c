// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What follows from keys and tokens: other tokens, sequence numbers, HMACs. */
#include <string.h>

#include "bytes.h"
#include "dialects.h"
#include "options_layout.h"
#include "rc5.h"

const struct dialect dialects[MPTCP_DIALECTS] = {
	[MPTCP_DIALECT_V0] = { 0, MPTCP_HMAC, 4, MPTCP_SHA1 },
	[MPTCP_DIALECT_V1] = { 1, MPTCP_HMAC, 4, MPTCP_SHA256 },
	[MPTCP_DIALECT_CIPHERED] = { 1, MPTCP_CIPHERED_TOKEN, 4, MPTCP_SHA256 },
	[MPTCP_DIALECT_EXTERNAL] = { 1, MPTCP_EXTERNAL_KEY, 4, MPTCP_SHA256, true, true },
	[MPTCP_DIALECT_SELECTED] = { 1, MPTCP_KEY_SELECTION, 8, MPTCP_SHA256, true },
	[MPTCP_DIALECT_APPLICATION] = { 1, MPTCP_APPLICATION_KEY, 8, MPTCP_SHA256, true },
};

static size_t digest_bytes(enum mptcp_algorithm algorithm)
{
	return algorithm == MPTCP_SHA1 ? 20 : 32;
}

static void digest_number(enum mptcp_algorithm algorithm, uint64_t number, size_t size,
			  uint8_t digest[static MPTCP_DIGEST_MAX])
{
	uint8_t bytes[KEY_BYTES];

	put_number(bytes, number, size);
	mptcp_digest(algorithm, bytes, size, digest);
	wipe(bytes, sizeof(bytes));
}

static uint64_t first_of_sha1(uint64_t number)
{
	uint8_t digest[MPTCP_DIGEST_MAX];

	digest_number(MPTCP_SHA1, number, KEY_BYTES, digest);
	return get_number(digest, 8);
}

static uint64_t last_of_digest(enum mptcp_algorithm algorithm, uint64_t number, size_t size)
{
	uint8_t digest[MPTCP_DIGEST_MAX];

	digest_number(algorithm, number, size, digest);
	return get_number(digest + digest_bytes(algorithm) - 8, 8);
}

uint64_t token_of_key(enum mptcp_dialect dialect, uint64_t key)
{
	uint8_t digest[MPTCP_DIGEST_MAX];

	if (dialect == MPTCP_DIALECT_CIPHERED)
		return rc5_encrypt((uint32_t)key, (uint32_t)(key >> 32));
	digest_number(dialects[dialect].algorithm, key, KEY_BYTES, digest);
	return get_number(digest, 4);
}

uint8_t mptcp_token_bytes(enum mptcp_dialect dialect)
{
	return dialects[dialect].token_bytes;
}

uint64_t mptcp_key_of_token(uint32_t token, uint32_t k)
{
	return (uint64_t)rc5_decrypt(k, token) << 32 | k;
}

/*
 * Of keys the documents take the least significant 64 bits, of tokens the most significant.
 * EXTERNAL says nothing: its token takes the key's place in RFC 8684.
 */
uint64_t mptcp_initial_dsn(const struct mptcp_handshake *handshake, enum mptcp_side side)
{
	const struct dialect *dialect = &dialects[handshake->dialect];

	if (dialect->external)
		return last_of_digest(dialect->algorithm, handshake->tokens[side],
				      dialect->token_bytes);
	if (dialect->explicit_token)
		return first_of_sha1(handshake->tokens[side]);
	return last_of_digest(dialect->algorithm, handshake->keys[side], KEY_BYTES);
}

/* A key of the application's own is never sent in clear, not even at the end. */
uint64_t mptcp_fastclose_key(const struct mptcp_handshake *handshake, enum mptcp_side side)
{
	const struct dialect *dialect = &dialects[handshake->dialect];

	if (dialect->external)
		return hmac_of_external_key(handshake, other_side(side));
	return dialect->explicit_token ? first_of_sha1(handshake->keys[side])
				       : handshake->keys[side];
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
	wipe(inner, sizeof(inner));
	wipe(outer, sizeof(outer));
}
