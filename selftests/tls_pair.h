/* SPDX-License-Identifier: GPL-2.0-only */
/* Two ends of a TLS session in memory, and a certificate for as long as the test runs. */
#ifndef TLS_PAIR_H
#define TLS_PAIR_H

#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdlib.h>

struct tls_pair {
	SSL *client, *server;
};

static inline void tls_make_certificate(SSL_CTX *context)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *certificate = X509_new();

	X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
	X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
	X509_set_pubkey(certificate, key);
	if (!X509_sign(certificate, key, EVP_sha256()) ||
	    SSL_CTX_use_certificate(context, certificate) != 1 ||
	    SSL_CTX_use_PrivateKey(context, key) != 1)
		abort();
	X509_free(certificate);
	EVP_PKEY_free(key);
}

static inline SSL *tls_end(int version, bool is_server, uint64_t options)
{
	SSL_CTX *context = SSL_CTX_new(is_server ? TLS_server_method() : TLS_client_method());
	SSL *end;

	SSL_CTX_set_min_proto_version(context, version);
	SSL_CTX_set_max_proto_version(context, version);
	SSL_CTX_set_options(context, options);
	SSL_CTX_set_ciphersuites(context, "TLS_AES_128_GCM_SHA256");
	SSL_CTX_set_cipher_list(context, "ECDHE-ECDSA-AES128-GCM-SHA256");
	if (is_server)
		tls_make_certificate(context);
	end = SSL_new(context);
	SSL_CTX_free(context);
	return end;
}

/* options: SSL_OP_... of both ends. Nothing is sent yet. */
static inline struct tls_pair tls_pair_new(int version, uint64_t options)
{
	struct tls_pair pair = { tls_end(version, false, options),
				 tls_end(version, true, options) };
	BIO *client, *server;

	if (!BIO_new_bio_pair(&client, 0, &server, 0))
		abort();
	SSL_set_bio(pair.client, client, client);
	SSL_set_bio(pair.server, server, server);
	return pair;
}

static inline void tls_pair_shake(struct tls_pair *pair)
{
	for (int i = 0; i < 10; i++) {
		bool client = SSL_connect(pair->client) == 1,
		     server = SSL_accept(pair->server) == 1;

		if (client && server)
			return;
	}
	abort();
}

static inline void tls_pair_free(struct tls_pair *pair)
{
	SSL_free(pair->client);
	SSL_free(pair->server);
}

#endif
