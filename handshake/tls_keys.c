// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The application's keys: exported from TLS, derived from a shared secret, or null. */
#include <openssl/crypto.h>
#include <openssl/hmac.h>
#include <openssl/ssl.h>
#include <string.h>

#include "../include/mptcp_keys.h"
#include "bytes.h"
#include "options_layout.h"

#define LABEL_LENGTH (sizeof(MPTCP_TLS_LABEL) - 1)

/* Key A is the first half of the 16 bytes. Wipes them. */
static enum mptcp_reason give(struct mptcp_handshake *handshake, uint8_t *material)
{
	enum mptcp_reason reason = mptcp_give_keys(handshake, get_number(material, KEY_BYTES),
						   get_number(material + KEY_BYTES, KEY_BYTES));

	OPENSSL_cleanse(material, 2 * KEY_BYTES);
	return reason;
}

enum mptcp_reason mptcp_keys_from_tls(struct mptcp_handshake *handshake, struct ssl_st *ssl)
{
	uint8_t material[2 * KEY_BYTES];

	if (!SSL_is_init_finished(ssl))
		return MPTCP_REASON_tls_not_ready;
	if (SSL_version(ssl) < TLS1_3_VERSION && SSL_get_extms_support(ssl) != 1)
		return MPTCP_REASON_tls_not_bound;
	if (SSL_export_keying_material(ssl, material, sizeof(material), MPTCP_TLS_LABEL,
				       LABEL_LENGTH, NULL, 0, 0) != 1)
		return MPTCP_REASON_tls_not_ready;
	return give(handshake, material);
}

enum mptcp_reason mptcp_keys_from_secret(struct mptcp_handshake *handshake, const uint8_t *secret,
					 size_t length)
{
	enum mptcp_side a = handshake->is_client ? MPTCP_OWN : MPTCP_PEER;
	enum mptcp_side b = handshake->is_client ? MPTCP_PEER : MPTCP_OWN;
	uint8_t message[LABEL_LENGTH + 2 * KEY_BYTES], hmac[MPTCP_DIGEST_MAX], *at;
	enum mptcp_reason reason;

	memcpy(message, MPTCP_TLS_LABEL, LABEL_LENGTH);
	at = put_number(message + LABEL_LENGTH, handshake->tokens[a], KEY_BYTES);
	put_number(at, handshake->tokens[b], KEY_BYTES);
	HMAC(EVP_sha256(), secret, (int)length, message, sizeof(message), hmac, NULL);
	reason = give(handshake, hmac);
	OPENSSL_cleanse(hmac, sizeof(hmac));
	return reason;
}

enum mptcp_reason mptcp_keys_null(struct mptcp_handshake *handshake)
{
	return mptcp_give_keys(handshake, 0, 0);
}
