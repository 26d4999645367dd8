/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where the application's keys come from. Each gives them to a handshake that is done, and
 * returns what mptcp_give_keys() says. Needs OpenSSL; a stack of another TLS library
 * exports the same 16 bytes and calls mptcp_give_keys() itself.
 */
#ifndef MPTCP_LB_MPTCP_KEYS_H
#define MPTCP_LB_MPTCP_KEYS_H

#include "mptcp_handshake.h"

struct ssl_st;

/* draft-paasch-mptcp-tls-authentication-00: exported (RFC 5705) by this label, no context. */
#define MPTCP_TLS_LABEL "EXPORTER-MPTCP"

/* After SSL_connect() or SSL_accept() on the connection's own stream; TLS 1.2 or 1.3. */
enum mptcp_reason mptcp_keys_from_tls(struct mptcp_handshake *handshake, struct ssl_st *ssl);

/*
 * From a secret that both applications have: the first 16 bytes of
 * HMAC-SHA256(secret, MPTCP_TLS_LABEL || tokenA || tokenB), so that no two connections share keys.
 */
enum mptcp_reason mptcp_keys_from_secret(struct mptcp_handshake *handshake, const uint8_t *secret,
					 size_t length);

/* Both keys 0: whoever knows the token may join. For trials, and for paths that nobody taps. */
enum mptcp_reason mptcp_keys_null(struct mptcp_handshake *handshake);

#endif
