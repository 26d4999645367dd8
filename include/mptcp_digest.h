/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The hashes of MPTCP. handshake/digest_libcrypto.c has them from OpenSSL; a stack with its
 * own leaves that file out and defines the one function.
 */
#ifndef MPTCP_LB_MPTCP_DIGEST_H
#define MPTCP_LB_MPTCP_DIGEST_H

#include <stddef.h>
#include <stdint.h>

enum mptcp_algorithm { MPTCP_SHA1, MPTCP_SHA256 };

#define MPTCP_DIGEST_MAX 32
#define MPTCP_DIGEST_BLOCK 64 /* of both */

/* digest: 20 bytes of SHA-1, 32 of SHA-256. */
void mptcp_digest(enum mptcp_algorithm algorithm, const uint8_t *data, size_t length,
		  uint8_t digest[static MPTCP_DIGEST_MAX]);

#endif
