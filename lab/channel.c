// SPDX-License-Identifier: GPL-2.0-only
/* Between stream and application: TLS or nothing; and where the application's keys come from. */
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdlib.h>

#include "peer.h"

#define CHUNK 4096
#define CERTIFICATE_S 86400

/* Nobody checks the certificate: what is shown is where keys come from. */
static void make_certificate(SSL_CTX *context)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *certificate = X509_new();

	X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
	X509_gmtime_adj(X509_getm_notAfter(certificate), CERTIFICATE_S);
	X509_set_pubkey(certificate, key);
	if (!X509_sign(certificate, key, EVP_sha256()) ||
	    SSL_CTX_use_certificate(context, certificate) != 1 ||
	    SSL_CTX_use_PrivateKey(context, key) != 1)
		abort();
	X509_free(certificate);
	EVP_PKEY_free(key);
}

static SSL_CTX *context_of(struct peer *peer)
{
	bool is_server = peer->settings.is_server;
	int version = peer->settings.keys == KEYS_TLS12 ? TLS1_2_VERSION : TLS1_3_VERSION;

	if (peer->tls)
		return peer->tls;
	peer->tls = SSL_CTX_new(is_server ? TLS_server_method() : TLS_client_method());
	SSL_CTX_set_min_proto_version(peer->tls, version);
	SSL_CTX_set_max_proto_version(peer->tls, version);
	if (is_server)
		make_certificate(peer->tls);
	return peer->tls;
}

static bool has_tls(const struct peer *peer)
{
	return peer->settings.keys == KEYS_TLS12 || peer->settings.keys == KEYS_TLS13;
}

/* As dialect F names it; 0: there is none. */
uint8_t channel_key_source(const struct peer *peer)
{
	static const uint8_t sources[] = {
		[KEYS_TLS12] = MPTCP_KEYS_TLS,
		[KEYS_TLS13] = MPTCP_KEYS_TLS,
		[KEYS_SHARED] = MPTCP_KEYS_SHARED,
		[KEYS_NULL] = MPTCP_KEYS_NULL,
	};

	return sources[peer->settings.keys];
}

/* Keys that need no TLS; the library refuses them where the dialect has its own. */
static void give_keys(struct connection *connection)
{
	const struct settings *settings = &connection->peer->settings;
	enum mptcp_reason reason = MPTCP_REASON_keys_not_external;

	if (settings->keys == KEYS_SHARED)
		reason = mptcp_keys_from_secret(&connection->handshake,
						(const uint8_t *)&settings->shared,
						sizeof(settings->shared));
	else if (settings->keys == KEYS_NULL)
		reason = mptcp_keys_null(&connection->handshake);
	if (!reason)
		connection_send_new_key(connection);
}

void channel_open(struct connection *connection)
{
	struct peer *peer = connection->peer;

	if (has_tls(peer)) {
		connection->tls = SSL_new(context_of(peer));
		SSL_set_bio(connection->tls, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
		if (peer->settings.is_server)
			SSL_set_accept_state(connection->tls);
		else
			SSL_set_connect_state(connection->tls);
	} else {
		give_keys(connection);
	}
}

bool channel_is_ready(const struct connection *connection)
{
	if (connection->handshake.progress != MPTCP_DONE)
		return false;
	return connection->tls ? SSL_is_init_finished(connection->tls) : !has_tls(connection->peer);
}

/* TLS's own bytes to the stream. */
static void drain(struct connection *connection)
{
	uint8_t bytes[CHUNK];
	int length;

	while ((length = BIO_read(SSL_get_wbio(connection->tls), bytes, sizeof(bytes))) > 0)
		fifo_put(&connection->out, bytes, (size_t)length);
}

void channel_turn(struct connection *connection)
{
	size_t length = fifo_length(&connection->in);
	uint8_t bytes[CHUNK];
	int got;

	if (!connection->tls) {
		fifo_put(&connection->plaintext, fifo_bytes(&connection->in), length);
		fifo_drop(&connection->in, length);
		return;
	}
	if (length)
		BIO_write(SSL_get_rbio(connection->tls), fifo_bytes(&connection->in), (int)length);
	fifo_drop(&connection->in, length);
	while ((got = SSL_read(connection->tls, bytes, sizeof(bytes))) > 0)
		fifo_put(&connection->plaintext, bytes, (size_t)got);
	drain(connection);
	if (!mptcp_keys_from_tls(&connection->handshake, connection->tls))
		connection_send_new_key(connection);
}

void channel_write(struct connection *connection, const uint8_t *bytes, size_t length)
{
	if (!connection->tls) {
		fifo_put(&connection->out, bytes, length);
		return;
	}
	SSL_write(connection->tls, bytes, (int)length);
	drain(connection);
}
