// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* SHA-1 and SHA-256 from OpenSSL's libcrypto. */
#include <openssl/sha.h>

#include "../include/mptcp_digest.h"

void mptcp_digest(enum mptcp_algorithm algorithm, const uint8_t *data, size_t length,
		  uint8_t digest[static MPTCP_DIGEST_MAX])
{
	if (algorithm == MPTCP_SHA1)
		SHA1(data, length, digest);
	else
		SHA256(data, length, digest);
}
