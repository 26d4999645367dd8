/* SPDX-License-Identifier: GPL-2.0-only */
/* The tokens of random keys, many at a time, as fast as this CPU hashes. */
#ifndef KEYHASH_H
#define KEYHASH_H

#include <stdint.h>

/* Versions of MPTCP differ in the hash that makes a token: SHA-1 (RFC 6824), SHA-256 (RFC 8684). */
enum mptcp_version { MPTCP_V0, MPTCP_V1 };

#define KEYHASH_LANES 16

/* keys: in wire order; tokens: in host order. */
void keyhash_tokens(const uint64_t keys[static KEYHASH_LANES],
		    uint32_t tokens[static KEYHASH_LANES], enum mptcp_version version);

/* The same by libcrypto, whatever the CPU. */
uint32_t keyhash_token(uint64_t key, enum mptcp_version version);

/* What keyhash_tokens() hashes with: "AVX-512" or "libcrypto". */
const char *keyhash_engine(enum mptcp_version version);

#endif
