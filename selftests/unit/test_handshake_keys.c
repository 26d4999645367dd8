// SPDX-License-Identifier: GPL-2.0-only
/* Keys of the application: TLS's against RFC 5705 and RFC 8446 by hand, a shared secret's, null. */
#include "../../include/mptcp_keys.h"
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <openssl/core_names.h>

#include "handshake_ends.h"
#include "tap.h"
#include "tls_pair.h"

#define MATERIAL 16
#define RANDOM 32

static uint8_t logged_secret[32]; /* EXPORTER_SECRET, as the key log tells it */

static uint64_t number_at(const uint8_t *bytes)
{
	uint64_t number = 0;

	for (int i = 0; i < 8; i++)
		number = number << 8 | bytes[i];
	return number;
}

/* RFC 5705 section 4 without context: PRF(master_secret, label, client_random + server_random). */
static void export_tls12(SSL *ssl, uint8_t *material)
{
	uint8_t seed[14 + 2 * RANDOM] = "EXPORTER-MPTCP", master[48];
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, "TLS1-PRF", NULL);
	EVP_KDF_CTX *context = EVP_KDF_CTX_new(kdf);
	OSSL_PARAM parameters[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, "SHA256", 0),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SECRET, master, sizeof(master)),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SEED, seed, sizeof(seed)),
		OSSL_PARAM_construct_end(),
	};

	SSL_get_client_random(ssl, seed + 14, RANDOM);
	SSL_get_server_random(ssl, seed + 14 + RANDOM, RANDOM);
	SSL_SESSION_get_master_key(SSL_get_session(ssl), master, sizeof(master));
	if (EVP_KDF_derive(context, material, MATERIAL, parameters) != 1)
		abort();
	EVP_KDF_CTX_free(context);
	EVP_KDF_free(kdf);
}

/* RFC 8446 section 7.1, for at most one block of SHA-256. */
static void expand_label(const uint8_t *secret, const char *label, uint8_t length, uint8_t *out)
{
	uint8_t info[128] = { 0, length }, nothing[32], block[32];
	size_t size = 2;

	SHA256(NULL, 0, nothing);
	info[size++] = (uint8_t)(6 + strlen(label));
	size += (size_t)sprintf((char *)info + size, "tls13 %s", label);
	info[size++] = sizeof(nothing);
	memcpy(info + size, nothing, sizeof(nothing));
	size += sizeof(nothing);
	info[size++] = 1;
	HMAC(EVP_sha256(), secret, 32, info, size, block, NULL);
	memcpy(out, block, length);
}

/* RFC 8446 section 7.5. */
static void export_tls13(SSL *ssl, uint8_t *material)
{
	uint8_t secret[32];

	(void)ssl;
	expand_label(logged_secret, "EXPORTER-MPTCP", sizeof(secret), secret);
	expand_label(secret, "exporter", MATERIAL, material);
}

static void on_key(const SSL *ssl, const char *line)
{
	char text[65];

	(void)ssl;
	if (sscanf(line, "EXPORTER_SECRET %*s %64s", text) != 1)
		return;
	for (size_t i = 0; i < sizeof(logged_secret); i++)
		sscanf(text + 2 * i, "%2hhx", &logged_secret[i]);
}

static struct tls_pair shaken_pair(int version, uint64_t options)
{
	struct tls_pair pair = tls_pair_new(version, options);

	SSL_CTX_set_keylog_callback(SSL_get_SSL_CTX(pair.client), on_key);
	tls_pair_shake(&pair);
	return pair;
}

static bool are_keyed_alike(const struct ends *ends)
{
	return ends->a.has_keys && ends->b.has_keys &&
	       ends->a.keys[MPTCP_OWN] == ends->b.keys[MPTCP_PEER] &&
	       ends->a.keys[MPTCP_PEER] == ends->b.keys[MPTCP_OWN];
}

static void test_tls(const char *name, int version, void (*export_by_hand)(SSL *, uint8_t *))
{
	/* In this order, since the key log has the last session's secret. */
	struct tls_pair other = shaken_pair(version, 0), pair = shaken_pair(version, 0);
	struct ends ends = ends_of(APPLICATION), more = ends_of(APPLICATION);
	uint8_t material[MATERIAL];

	ok(!mptcp_keys_from_tls(&ends.a, pair.client) &&
		   !mptcp_keys_from_tls(&ends.b, pair.server) && are_keyed_alike(&ends),
	   "%s gives both ends the same keys", name);
	export_by_hand(pair.client, material);
	ok(ends.a.keys[MPTCP_OWN] == number_at(material) &&
		   ends.a.keys[MPTCP_PEER] == number_at(material + 8),
	   "... key A the first 64 bits that the label exports, key B the others");
	mptcp_keys_from_tls(&more.a, other.client);
	ok(more.a.keys[MPTCP_OWN] != ends.a.keys[MPTCP_OWN] &&
		   more.a.keys[MPTCP_PEER] != ends.a.keys[MPTCP_PEER],
	   "... another session has other keys");
	ok(mptcp_keys_from_tls(&ends.a, pair.client) == MPTCP_REASON_keys_given_already,
	   "... and they are given once");
	tls_pair_free(&pair);
	tls_pair_free(&other);
}

static void test_too_early(void)
{
	struct tls_pair pair = tls_pair_new(TLS1_3_VERSION, 0);
	struct ends ends = ends_of(APPLICATION), v1 = ends_of(V1);

	SSL_connect(pair.client);
	SSL_accept(pair.server);
	ok(mptcp_keys_from_tls(&ends.a, pair.client) == MPTCP_REASON_tls_not_ready &&
		   mptcp_keys_from_tls(&ends.b, pair.server) == MPTCP_REASON_tls_not_ready &&
		   !ends.a.has_keys && !ends.b.has_keys,
	   "TLS gives no keys in the middle of its own handshake");
	tls_pair_shake(&pair);
	ok(mptcp_keys_from_tls(&v1.a, pair.client) == MPTCP_REASON_keys_not_external,
	   "RFC 8684 takes none");
	tls_pair_free(&pair);
}

static void test_not_bound(void)
{
	struct tls_pair pair = shaken_pair(TLS1_2_VERSION, SSL_OP_NO_EXTENDED_MASTER_SECRET);
	struct ends ends = ends_of(APPLICATION);

	ok(mptcp_keys_from_tls(&ends.a, pair.client) == MPTCP_REASON_tls_not_bound &&
		   !ends.a.has_keys,
	   "TLS 1.2 without the extended master secret gives none");
	tls_pair_free(&pair);
}

/* The numbers are what Python's hmac says. */
static void test_secret(void)
{
	static const uint8_t secret[] = "a secret that two applications share";
	struct ends ends = ends_of(APPLICATION), other;

	ok(!mptcp_keys_from_secret(&ends.a, secret, sizeof(secret) - 1) &&
		   !mptcp_keys_from_secret(&ends.b, secret, sizeof(secret) - 1) &&
		   are_keyed_alike(&ends),
	   "a shared secret gives both ends the same keys");
	ok(ends.a.keys[MPTCP_OWN] == 0xd1f3eee2b369352e &&
		   ends.a.keys[MPTCP_PEER] == 0xa4eda0a4edc29409,
	   "... the HMAC of label and tokens");
	ends_init(&other, APPLICATION, APPLICATION);
	other.b.own.token++;
	ends_shake(&other);
	mptcp_keys_from_secret(&other.a, secret, sizeof(secret) - 1);
	ok(other.a.keys[MPTCP_OWN] != ends.a.keys[MPTCP_OWN],
	   "... and another connection has other keys");
}

static void test_null(void)
{
	struct ends ends = ends_of(APPLICATION);

	ok(!mptcp_keys_null(&ends.a) && !mptcp_keys_null(&ends.b) && are_keyed_alike(&ends) &&
		   !ends.a.keys[MPTCP_OWN] && !ends.a.keys[MPTCP_PEER],
	   "null keys are keys, and 0");
}

int main(void)
{
	test_tls("TLS 1.2", TLS1_2_VERSION, export_tls12);
	test_tls("TLS 1.3", TLS1_3_VERSION, export_tls13);
	test_too_early();
	test_not_bound();
	test_secret();
	test_null();
	return tap_end();
}
