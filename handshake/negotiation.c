// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The three segments that open a connection: which dialect the two ends agree on. */
#include <string.h>

#include "bytes.h"
#include "dialects.h"

void mptcp_handshake_init(struct mptcp_handshake *handshake, bool is_client,
			  const struct mptcp_end *own)
{
	memset(handshake, 0, sizeof(*handshake));
	handshake->own = *own;
	handshake->is_client = is_client;
}

void mptcp_handshake_wipe(struct mptcp_handshake *handshake)
{
	wipe(handshake, sizeof(*handshake));
}

/* The connection goes on as plain TCP. */
static enum mptcp_reason fall_back(struct mptcp_handshake *handshake, enum mptcp_reason reason)
{
	handshake->dialect = MPTCP_DIALECT_TCP;
	handshake->has_keys = false;
	handshake->progress = MPTCP_DONE;
	memset(handshake->keys, 0, sizeof(handshake->keys));
	memset(handshake->tokens, 0, sizeof(handshake->tokens));
	return reason;
}

static void make_option(const struct mptcp_handshake *handshake, enum mptcp_segment segment,
			uint8_t version, uint8_t flags, struct mptcp_option *option)
{
	memset(option, 0, sizeof(*option));
	option->subtype = MPTCPOPT_MP_CAPABLE;
	option->segment = segment;
	option->capable.version = version;
	option->capable.flags = flags | (handshake->own.checksums ? MPTCP_CHECKSUMS : 0);
	if (flags & MPTCP_KEY_SELECTION)
		option->capable.key_sources =
			handshake->key_source ? handshake->key_source : handshake->own.key_sources;
	/* In version 0 the bit was one of the algorithms'. */
	if (handshake->own.join_elsewhere && version && segment != MPTCP_ACK)
		option->capable.flags |= MPTCP_JOIN_ELSEWHERE;
}

/* What goes onto the wire for one end: its token, or the key that the token is made from. */
static uint64_t value_of(const struct mptcp_handshake *handshake, enum mptcp_side side)
{
	bool explicit_token = dialects[handshake->dialect].explicit_token;

	return explicit_token ? handshake->tokens[side] : handshake->keys[side];
}

static void take_value(struct mptcp_handshake *handshake, enum mptcp_side side, uint64_t value)
{
	if (dialects[handshake->dialect].explicit_token) {
		handshake->tokens[side] = value;
	} else {
		handshake->keys[side] = value;
		handshake->tokens[side] = token_of_key(handshake->dialect, value);
	}
}

static void take_dialect(struct mptcp_handshake *handshake, enum mptcp_dialect dialect)
{
	const struct mptcp_end *own = &handshake->own;
	uint64_t value = own->key;

	if (dialects[dialect].explicit_token)
		value = own->token >> (64 - 8 * dialects[dialect].token_bytes);
	else if (dialect == MPTCP_DIALECT_CIPHERED)
		value = own->ciphered_key;
	handshake->dialect = dialect;
	take_value(handshake, MPTCP_OWN, value);
}

static void take_flags(struct mptcp_handshake *handshake, const struct mptcp_capable *capable)
{
	handshake->checksums = handshake->own.checksums || capable->flags & MPTCP_CHECKSUMS;
	handshake->peer_join_elsewhere = capable->version && capable->flags & MPTCP_JOIN_ELSEWHERE;
}

static bool is_capable(const struct mptcp_option *option, enum mptcp_segment segment)
{
	return option && option->subtype == MPTCPOPT_MP_CAPABLE && option->segment == segment;
}

/* Version 1 if any of its dialects is spoken; its SYN may ask for several at once. */
enum mptcp_reason mptcp_offer(struct mptcp_handshake *handshake, struct mptcp_option *syn)
{
	uint8_t version = 0, flags = 0;

	if (!handshake->is_client || handshake->progress != MPTCP_CLOSED)
		return MPTCP_REASON_out_of_turn;
	for (int i = MPTCP_DIALECT_V0; i < MPTCP_DIALECTS; i++)
		if (speaks(&handshake->own, i) && dialects[i].version > version)
			version = dialects[i].version;
	for (int i = MPTCP_DIALECT_V0; i < MPTCP_DIALECTS; i++)
		if (speaks(&handshake->own, i) && dialects[i].version == version)
			flags |= dialects[i].flag;
	if (!flags)
		return fall_back(handshake, MPTCP_REASON_nothing_in_common);
	make_option(handshake, MPTCP_SYN, version, flags, syn);
	syn->capable.sender = version ? handshake->own.token : handshake->own.key;
	handshake->progress = MPTCP_WAITING;
	return MPTCP_REASON_ok;
}

/*
 * The SYN with a choice of keys is longer than RFC 8684 knows it, so whoever does not speak
 * that dialect finds no other in it.
 */
static enum mptcp_dialect best_dialect(const struct mptcp_end *own,
				       const struct mptcp_capable *offered)
{
	uint8_t version = offered->version > 1 ? 1 : offered->version;
	uint8_t flags = offered->flags;

	if (version && flags & MPTCP_KEY_SELECTION && !speaks(own, MPTCP_DIALECT_SELECTED))
		return MPTCP_DIALECT_TCP;
	if (!(offered->key_sources & own->key_sources))
		flags &= ~MPTCP_KEY_SELECTION;
	for (int i = MPTCP_DIALECTS - 1; i > MPTCP_DIALECT_TCP; i--)
		if (speaks(own, i) && dialects[i].version == version && flags & dialects[i].flag)
			return i;
	return MPTCP_DIALECT_TCP;
}

/* Those whose SYN has the client's key or token already. */
static bool is_told_early(enum mptcp_dialect dialect)
{
	return dialect == MPTCP_DIALECT_V0 || dialect == MPTCP_DIALECT_SELECTED;
}

enum mptcp_reason mptcp_judge_offer(struct mptcp_handshake *handshake,
				    const struct mptcp_option *syn, struct mptcp_option *synack)
{
	enum mptcp_dialect dialect;

	if (handshake->is_client || handshake->progress != MPTCP_CLOSED)
		return MPTCP_REASON_out_of_turn;
	if (!is_capable(syn, MPTCP_SYN))
		return fall_back(handshake, MPTCP_REASON_nothing_offered);
	dialect = best_dialect(&handshake->own, &syn->capable);
	if (dialect == MPTCP_DIALECT_TCP)
		return fall_back(handshake, MPTCP_REASON_nothing_in_common);
	take_dialect(handshake, dialect);
	take_flags(handshake, &syn->capable);
	if (is_told_early(dialect))
		take_value(handshake, MPTCP_PEER, syn->capable.sender);
	if (dialect == MPTCP_DIALECT_SELECTED) {
		handshake->key_source = syn->capable.key_sources & handshake->own.key_sources;
		handshake->key_source &= -handshake->key_source;
	}
	make_option(handshake, MPTCP_SYNACK, dialects[dialect].version, dialects[dialect].flag,
		    synack);
	synack->capable.sender = value_of(handshake, MPTCP_OWN);
	handshake->progress = MPTCP_WAITING;
	return MPTCP_REASON_ok;
}

/* Agreement names one dialect, and no other. */
static bool names_only(const struct mptcp_capable *capable, enum mptcp_dialect dialect)
{
	uint8_t algorithms = capable->version ? MPTCP_ALGORITHMS_V1 : MPTCP_ALGORITHMS_V0;

	return capable->version == dialects[dialect].version &&
	       (capable->flags & algorithms) == dialects[dialect].flag;
}

static enum mptcp_dialect dialect_agreed(const struct mptcp_end *own,
					 const struct mptcp_capable *answer)
{
	for (int i = MPTCP_DIALECT_V0; i < MPTCP_DIALECTS; i++)
		if (speaks(own, i) && names_only(answer, i))
			return i;
	return MPTCP_DIALECT_TCP;
}

/* A client that speaks both versions has asked for version 1. */
static bool was_offered(const struct mptcp_end *own, enum mptcp_dialect dialect)
{
	return dialect == MPTCP_DIALECT_V0 ? own->speaks == 1u << MPTCP_DIALECT_V0
					   : dialect != MPTCP_DIALECT_TCP;
}

static bool is_one_of(uint8_t source, uint8_t sources)
{
	return source && !(source & (source - 1)) && source & sources;
}

static void make_ack(const struct mptcp_handshake *handshake, struct mptcp_option *ack)
{
	const struct dialect *dialect = &dialects[handshake->dialect];

	make_option(handshake, MPTCP_ACK, dialect->version, dialect->flag, ack);
	ack->capable.sender = value_of(handshake, MPTCP_OWN);
	ack->capable.receiver = value_of(handshake, MPTCP_PEER);
	if (handshake->checksums)
		ack->capable.flags |= MPTCP_CHECKSUMS;
}

enum mptcp_reason mptcp_judge_answer(struct mptcp_handshake *handshake,
				     const struct mptcp_option *synack, struct mptcp_option *ack)
{
	enum mptcp_dialect dialect;

	if (!handshake->is_client || handshake->progress != MPTCP_WAITING)
		return MPTCP_REASON_out_of_turn;
	if (!is_capable(synack, MPTCP_SYNACK))
		return fall_back(handshake, MPTCP_REASON_nothing_offered);
	dialect = dialect_agreed(&handshake->own, &synack->capable);
	if (!was_offered(&handshake->own, dialect))
		return fall_back(handshake, MPTCP_REASON_answer_not_asked);
	if (dialect == MPTCP_DIALECT_SELECTED &&
	    !is_one_of(synack->capable.key_sources, handshake->own.key_sources))
		return fall_back(handshake, MPTCP_REASON_key_source_unknown);
	take_dialect(handshake, dialect);
	take_flags(handshake, &synack->capable);
	take_value(handshake, MPTCP_PEER, synack->capable.sender);
	handshake->key_source = dialect == MPTCP_DIALECT_SELECTED ? synack->capable.key_sources : 0;
	handshake->has_keys = !dialects[dialect].explicit_token;
	handshake->progress = MPTCP_DONE;
	make_ack(handshake, ack);
	return MPTCP_REASON_ok;
}

void mptcp_ack_with_data(const struct mptcp_handshake *handshake, uint16_t data_length,
			 uint16_t checksum, struct mptcp_option *ack)
{
	make_ack(handshake, ack);
	ack->capable.has_data_length = true;
	ack->capable.data_length = data_length;
	ack->capable.has_checksum = handshake->checksums;
	ack->capable.checksum = handshake->checksums ? checksum : 0;
}

/* What the first two segments said already. */
static bool repeats(const struct mptcp_handshake *handshake, const struct mptcp_capable *ack)
{
	return ack->receiver == value_of(handshake, MPTCP_OWN) &&
	       ack->key_sources == handshake->key_source &&
	       (!is_told_early(handshake->dialect) ||
		ack->sender == value_of(handshake, MPTCP_PEER));
}

enum mptcp_reason mptcp_judge_ack(struct mptcp_handshake *handshake, const struct mptcp_option *ack)
{
	if (handshake->is_client || handshake->progress != MPTCP_WAITING)
		return MPTCP_REASON_out_of_turn;
	if (!is_capable(ack, MPTCP_ACK))
		return fall_back(handshake, MPTCP_REASON_nothing_offered);
	if (!names_only(&ack->capable, handshake->dialect))
		return fall_back(handshake, MPTCP_REASON_ack_of_other_dialect);
	if (!repeats(handshake, &ack->capable))
		return fall_back(handshake, MPTCP_REASON_ack_repeats_other);
	take_value(handshake, MPTCP_PEER, ack->capable.sender);
	handshake->has_keys = !dialects[handshake->dialect].explicit_token;
	handshake->progress = MPTCP_DONE;
	return MPTCP_REASON_ok;
}

enum mptcp_reason mptcp_give_keys(struct mptcp_handshake *handshake, uint64_t key_a, uint64_t key_b)
{
	if (handshake->progress != MPTCP_DONE)
		return MPTCP_REASON_out_of_turn;
	if (!dialects[handshake->dialect].explicit_token)
		return MPTCP_REASON_keys_not_external;
	if (handshake->was_given_keys)
		return MPTCP_REASON_keys_given_already;
	handshake->keys[MPTCP_OWN] = handshake->is_client ? key_a : key_b;
	handshake->keys[MPTCP_PEER] = handshake->is_client ? key_b : key_a;
	handshake->was_given_keys = true;
	handshake->has_keys = !dialects[handshake->dialect].external;
	return MPTCP_REASON_ok;
}
