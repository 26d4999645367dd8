/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
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
	bool external;                  /* one key for both directions, confirmed by NEW_KEY */
};

extern const struct dialect dialects[MPTCP_DIALECTS];

static inline bool speaks(const struct mptcp_end *end, enum mptcp_dialect dialect)
{
	return end->speaks >> dialect & 1;
}

static inline enum mptcp_side other_side(enum mptcp_side side)
{
	return side == MPTCP_OWN ? MPTCP_PEER : MPTCP_OWN;
}

/* EXTERNAL: what the sender proves to have, in NEW_KEY and in MP_FASTCLOSE. */
uint64_t hmac_of_external_key(const struct mptcp_handshake *handshake, enum mptcp_side sender);

/* Two keys behind each other, as the dialect's HMACs want them from the sender. */
void join_keys(const struct mptcp_handshake *handshake, enum mptcp_side sender,
	       uint8_t keys[static 16]);

/* RFC 8684 section 3.1: the most significant 32 bits of the key's digest; or E_K(Z). */
uint64_t token_of_key(enum mptcp_dialect dialect, uint64_t key);

#endif
