// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* NEW_KEY of draft-baerts-tcpm-mptcpext-00, by which two ends see that they have the same key. */
#include <string.h>

#include "bytes.h"
#include "dialects.h"
#include "options_layout.h"

/* The external key has one order, the client's key first; else the sender's comes first. */
void join_keys(const struct mptcp_handshake *handshake, enum mptcp_side sender,
	       uint8_t keys[static 16])
{
	enum mptcp_side first = sender;

	if (dialects[handshake->dialect].external)
		first = handshake->is_client ? MPTCP_OWN : MPTCP_PEER;
	put_number(keys, handshake->keys[first], KEY_BYTES);
	put_number(keys + KEY_BYTES, handshake->keys[other_side(first)], KEY_BYTES);
}

/* HMAC under the tokens, the sender's first; zeros behind them change nothing (RFC 2104). */
uint64_t hmac_of_external_key(const struct mptcp_handshake *handshake, enum mptcp_side sender)
{
	uint8_t tokens[16] = { 0 }, key[16], hmac[MPTCP_DIGEST_MAX];

	put_number(tokens, handshake->tokens[sender], 4);
	put_number(tokens + 4, handshake->tokens[other_side(sender)], 4);
	join_keys(handshake, sender, key);
	mptcp_hmac(dialects[handshake->dialect].algorithm, tokens, key, sizeof(key), hmac);
	wipe(key, sizeof(key));
	return get_number(hmac + MPTCP_DIGEST_MAX - 8, 8);
}

void mptcp_new_key(const struct mptcp_handshake *handshake, struct mptcp_option *new_key)
{
	memset(new_key, 0, sizeof(*new_key));
	new_key->subtype = MPTCPOPT_NEW_KEY;
	new_key->segment = MPTCP_ACK;
	new_key->new_key.hmac = hmac_of_external_key(handshake, MPTCP_OWN);
}

enum mptcp_reason mptcp_judge_new_key(struct mptcp_handshake *handshake,
				      const struct mptcp_option *new_key)
{
	if (!handshake->was_given_keys || !dialects[handshake->dialect].external ||
	    new_key->subtype != MPTCPOPT_NEW_KEY)
		return MPTCP_REASON_out_of_turn;
	if (new_key->new_key.key_id ||
	    new_key->new_key.hmac != hmac_of_external_key(handshake, MPTCP_PEER))
		return MPTCP_REASON_new_key_wrong;
	handshake->has_keys = true;
	return MPTCP_REASON_ok;
}
