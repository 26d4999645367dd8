// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Joins, and addresses announced for them. Whoever sends an HMAC puts its own key and nonce
 * first, so that hmacA and hmacB of RFC 8684 are one function.
 */
#include <string.h>

#include "bytes.h"
#include "dialects.h"
#include "options_layout.h"

static void sign(const struct mptcp_handshake *handshake, enum mptcp_side sender,
		 const uint8_t *message, size_t length, uint8_t hmac[static MPTCP_DIGEST_MAX])
{
	uint8_t keys[2 * KEY_BYTES];

	join_keys(handshake, sender, keys);
	mptcp_hmac(dialects[handshake->dialect].algorithm, keys, message, length, hmac);
	wipe(keys, sizeof(keys));
}

static void sign_join(const struct mptcp_handshake *handshake, const struct mptcp_join *join,
		      enum mptcp_side sender, uint8_t hmac[static MPTCP_DIGEST_MAX])
{
	uint8_t nonces[8];

	put_number(nonces, join->nonces[sender], 4);
	put_number(nonces + 4, join->nonces[other_side(sender)], 4);
	sign(handshake, sender, nonces, sizeof(nonces), hmac);
}

/* Takes as long for the last byte as for the first. */
static bool is_equal(const uint8_t *a, const uint8_t *b, size_t length)
{
	uint8_t difference = 0;

	while (length--)
		difference |= *a++ ^ *b++;
	return !difference;
}

static enum mptcp_reason may_join(const struct mptcp_handshake *handshake)
{
	if (handshake->progress == MPTCP_DONE && handshake->dialect == MPTCP_DIALECT_TCP)
		return MPTCP_REASON_not_multipath;
	return handshake->has_keys ? MPTCP_REASON_ok : MPTCP_REASON_keys_missing;
}

static void make_join(enum mptcp_segment segment, const struct mptcp_join *join,
		      struct mptcp_option *option)
{
	memset(option, 0, sizeof(*option));
	option->subtype = MPTCPOPT_MP_JOIN;
	option->segment = segment;
	if (segment == MPTCP_ACK)
		return;
	option->join.backup = join->backups[MPTCP_OWN];
	option->join.address_id = join->address_ids[MPTCP_OWN];
	option->join.nonce = join->nonces[MPTCP_OWN];
}

static bool is_join(const struct mptcp_option *option, enum mptcp_segment segment)
{
	return option->subtype == MPTCPOPT_MP_JOIN && option->segment == segment;
}

static void take_join(struct mptcp_join *join, const struct mptcp_join_option *option)
{
	join->nonces[MPTCP_PEER] = option->nonce;
	join->address_ids[MPTCP_PEER] = option->address_id;
	join->backups[MPTCP_PEER] = option->backup;
}

enum mptcp_reason mptcp_join_offer(const struct mptcp_handshake *handshake,
				   const struct mptcp_join *join, struct mptcp_option *syn)
{
	enum mptcp_reason reason = may_join(handshake);

	if (reason != MPTCP_REASON_ok)
		return reason;
	make_join(MPTCP_SYN, join, syn);
	syn->join.token_bytes = dialects[handshake->dialect].token_bytes;
	syn->join.token = handshake->tokens[MPTCP_PEER];
	return MPTCP_REASON_ok;
}

/* An unknown token is answered before missing keys: silence is for our own connections. */
enum mptcp_reason mptcp_join_answer(const struct mptcp_handshake *handshake,
				    struct mptcp_join *join, const struct mptcp_option *syn,
				    struct mptcp_option *synack)
{
	uint8_t hmac[MPTCP_DIGEST_MAX];
	enum mptcp_reason reason;

	if (!is_join(syn, MPTCP_SYN))
		return MPTCP_REASON_out_of_turn;
	if (syn->join.token_bytes != dialects[handshake->dialect].token_bytes ||
	    syn->join.token != handshake->tokens[MPTCP_OWN])
		return MPTCP_REASON_token_unknown;
	reason = may_join(handshake);
	if (reason != MPTCP_REASON_ok)
		return reason;
	if (syn->join.key_id)
		return MPTCP_REASON_key_id_unknown;
	take_join(join, &syn->join);
	sign_join(handshake, join, MPTCP_OWN, hmac);
	make_join(MPTCP_SYNACK, join, synack);
	memcpy(synack->join.hmac, hmac, MPTCP_HMAC_SYNACK);
	return MPTCP_REASON_ok;
}

enum mptcp_reason mptcp_join_confirm(const struct mptcp_handshake *handshake,
				     struct mptcp_join *join, const struct mptcp_option *synack,
				     struct mptcp_option *ack)
{
	uint8_t hmac[MPTCP_DIGEST_MAX];

	if (!is_join(synack, MPTCP_SYNACK))
		return MPTCP_REASON_out_of_turn;
	take_join(join, &synack->join);
	sign_join(handshake, join, MPTCP_PEER, hmac);
	if (!is_equal(hmac, synack->join.hmac, MPTCP_HMAC_SYNACK))
		return MPTCP_REASON_hmac_wrong;
	sign_join(handshake, join, MPTCP_OWN, hmac);
	make_join(MPTCP_ACK, join, ack);
	memcpy(ack->join.hmac, hmac, MPTCP_HMAC_ACK);
	return MPTCP_REASON_ok;
}

enum mptcp_reason mptcp_join_finish(const struct mptcp_handshake *handshake,
				    const struct mptcp_join *join, const struct mptcp_option *ack)
{
	uint8_t hmac[MPTCP_DIGEST_MAX];

	if (!is_join(ack, MPTCP_ACK))
		return MPTCP_REASON_out_of_turn;
	sign_join(handshake, join, MPTCP_PEER, hmac);
	return is_equal(hmac, ack->join.hmac, MPTCP_HMAC_ACK) ? MPTCP_REASON_ok
							      : MPTCP_REASON_hmac_wrong;
}

/* Of the address's HMAC the least significant bytes are sent; a missing port is 0. */
static void sign_address(const struct mptcp_handshake *handshake, enum mptcp_side sender,
			 const struct mptcp_add_addr *add, uint8_t last[static MPTCP_HMAC_ADDRESS])
{
	uint8_t message[1 + 16 + 2], hmac[MPTCP_DIGEST_MAX];
	size_t length = 1 + add->address_bytes + 2;

	message[0] = add->address_id;
	memcpy(message + 1, add->address, add->address_bytes);
	put_number(message + length - 2, add->has_port ? add->port : 0, 2);
	sign(handshake, sender, message, length, hmac);
	memcpy(last, hmac + MPTCP_DIGEST_MAX - MPTCP_HMAC_ADDRESS, MPTCP_HMAC_ADDRESS);
}

void mptcp_add_addr_sign(const struct mptcp_handshake *handshake, struct mptcp_add_addr *add)
{
	add->has_hmac = !add->echo && handshake->dialect != MPTCP_DIALECT_V0;
	if (add->has_hmac)
		sign_address(handshake, MPTCP_OWN, add, add->hmac);
}

enum mptcp_reason mptcp_add_addr_check(const struct mptcp_handshake *handshake,
				       const struct mptcp_add_addr *add)
{
	uint8_t hmac[MPTCP_HMAC_ADDRESS];

	if (add->echo || handshake->dialect == MPTCP_DIALECT_V0)
		return MPTCP_REASON_ok;
	if (!handshake->has_keys)
		return MPTCP_REASON_address_too_early;
	if (!add->has_hmac)
		return MPTCP_REASON_address_unsigned;
	sign_address(handshake, MPTCP_PEER, add, hmac);
	return is_equal(hmac, add->hmac, sizeof(hmac)) ? MPTCP_REASON_ok
						       : MPTCP_REASON_address_hmac_wrong;
}
