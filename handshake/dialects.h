/* SPDX-License-Identifier: GPL-2.0-only */
/* What the dialects of MPTCP differ in. */
#ifndef HANDSHAKE_DIALECTS_H
#define HANDSHAKE_DIALECTS_H

#include "../include/mptcp_handshake.h"

struct dialect {
	uint8_t version;
	uint8_t flag; /* of MP_CAPABLE, which asks for it and agrees to it */
	uint8_t token_bytes;
	enum mptcp_algorithm algorithm; /* of HMACs, and of tokens made from keys */
	bool explicit_token;            /* tokens on the wire; keys come from the application */
};

extern const struct dialect dialects[MPTCP_DIALECTS];

static inline bool speaks(const struct mptcp_end *end, enum mptcp_dialect dialect)
{
	return end->speaks >> dialect & 1;
}

/* RFC 8684 section 3.1: the most significant 32 bits of the key's digest. */
uint64_t token_of_key(enum mptcp_dialect dialect, uint64_t key);

#endif
