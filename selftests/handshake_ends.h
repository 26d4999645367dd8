/* SPDX-License-Identifier: GPL-2.0-only */
/* Two ends of an MPTCP connection whose options go through bytes, as on a wire. */
#ifndef HANDSHAKE_ENDS_H
#define HANDSHAKE_ENDS_H

#include <stdlib.h>
#include <string.h>

#include "../include/mptcp_handshake.h"

#define V0 (1u << MPTCP_DIALECT_V0)
#define V1 (1u << MPTCP_DIALECT_V1)
#define CIPHERED (1u << MPTCP_DIALECT_CIPHERED)
#define EXTERNAL (1u << MPTCP_DIALECT_EXTERNAL)
#define SELECTED (1u << MPTCP_DIALECT_SELECTED)
#define APPLICATION (1u << MPTCP_DIALECT_APPLICATION)

/* protocol.md 4.5: the keys of a connection with a kernel. */
#define KEY_A 0x1122334455667788
#define KEY_B 0x05c42655d33f7bd1
#define TOKEN_A 0xa0a1a2a3a4a5a6a7
#define TOKEN_B 0xb0b1b2b3b4b5b6b7

static const struct mptcp_end end_a = { .key_sources = MPTCP_KEYS_TLS | MPTCP_KEYS_NULL,
					.key = KEY_A,
					.ciphered_key = KEY_A,
					.token = TOKEN_A };
static const struct mptcp_end end_b = { .key_sources = MPTCP_KEYS_TLS | MPTCP_KEYS_SHARED |
						       MPTCP_KEYS_NULL,
					.key = KEY_B,
					.ciphered_key = KEY_B,
					.token = TOKEN_B };

struct ends {
	struct mptcp_handshake a, b;
	size_t lengths[3]; /* of the options sent; 0: there was none */
};

/* What arrives when this is sent; NULL if it was not accepted. */
static inline struct mptcp_option *through_bytes(struct mptcp_option *option)
{
	static struct mptcp_option arrived;
	uint8_t bytes[MPTCP_OPTION_MAX];
	size_t length = mptcp_option_encode(option, bytes);

	if (mptcp_option_parse(bytes, length, option->segment, &arrived))
		return NULL;
	return &arrived;
}

static inline void ends_init(struct ends *ends, uint32_t client_speaks, uint32_t server_speaks)
{
	struct mptcp_end a = end_a, b = end_b;

	memset(ends, 0, sizeof(*ends));
	a.speaks = client_speaks;
	b.speaks = server_speaks;
	mptcp_handshake_init(&ends->a, true, &a);
	mptcp_handshake_init(&ends->b, false, &b);
}

/* Until both are done, or one has said no. */
static inline void ends_shake(struct ends *ends)
{
	struct mptcp_option option;
	uint8_t bytes[MPTCP_OPTION_MAX];
	bool there = !mptcp_offer(&ends->a, &option);

	if (there)
		ends->lengths[0] = mptcp_option_encode(&option, bytes);
	there = !mptcp_judge_offer(&ends->b, there ? through_bytes(&option) : NULL, &option);
	if (there)
		ends->lengths[1] = mptcp_option_encode(&option, bytes);
	if (ends->a.progress == MPTCP_WAITING)
		there = !mptcp_judge_answer(&ends->a, there ? through_bytes(&option) : NULL,
					    &option);
	if (there)
		ends->lengths[2] = mptcp_option_encode(&option, bytes);
	if (ends->b.progress == MPTCP_WAITING)
		mptcp_judge_ack(&ends->b, there ? through_bytes(&option) : NULL);
}

static inline struct ends ends_of(uint32_t both_speak)
{
	struct ends ends;

	ends_init(&ends, both_speak, both_speak);
	ends_shake(&ends);
	if (ends.a.progress != MPTCP_DONE || ends.b.progress != MPTCP_DONE ||
	    ends.a.dialect == MPTCP_DIALECT_TCP)
		abort();
	return ends;
}

/* As above, with the keys that some dialects have from the application. */
static inline struct ends keyed_ends(uint32_t both_speak)
{
	struct ends ends = ends_of(both_speak);
	struct mptcp_option from_a, from_b;

	mptcp_give_keys(&ends.a, KEY_A, KEY_B);
	mptcp_give_keys(&ends.b, KEY_A, KEY_B);
	if (both_speak == EXTERNAL) {
		mptcp_new_key(&ends.a, &from_a);
		mptcp_new_key(&ends.b, &from_b);
		mptcp_judge_new_key(&ends.b, &from_a);
		mptcp_judge_new_key(&ends.a, &from_b);
	}
	return ends;
}

#endif
