// SPDX-License-Identifier: GPL-2.0-only
/* What somebody can do who has seen every byte of a first handshake, and none after it. */
#include "../handshake/bytes.h"
#include "peer.h"

/* The library's own client, told what the wire told. */
static void replay(struct mptcp_handshake *handshake, enum mptcp_dialect dialect,
		   uint64_t client_value, uint64_t server_value)
{
	struct mptcp_end own = { 1u << dialect, .key = client_value, .token = client_value };
	struct mptcp_option option;

	mptcp_handshake_init(handshake, true, &own);
	mptcp_offer(handshake, &option);
	option.segment = MPTCP_SYNACK;
	option.capable.sender = server_value;
	mptcp_judge_answer(handshake, &option, &option);
	/* Keys that were never sent can only be guessed: by what is sent in their place. */
	mptcp_give_keys(handshake, client_value, server_value);
}

/* Where the stream stands is on the wire as well: in each DSS. */
struct connection *attacker_impersonate(struct peer *peer, enum mptcp_dialect dialect,
					uint64_t client_value, uint64_t server_value,
					uint64_t client_sent, uint64_t server_sent)
{
	struct connection *connection = connection_new(peer);

	connection->forges = true;
	replay(&connection->handshake, dialect, client_value, server_value);
	connection_begin(connection);
	connection->sent += client_sent;
	connection->acknowledged = connection->sent;
	connection->expected += server_sent;
	return connection;
}

/* An attacker goes on where an honest client, which has seen a wrong HMAC, gives up. */
void attacker_forge(const struct subflow *subflow, const struct mptcp_option *synack,
		    struct mptcp_option *ack)
{
	const struct mptcp_handshake *handshake = &subflow->connection->handshake;
	uint8_t keys[16], nonces[8], hmac[MPTCP_DIGEST_MAX];

	put_number(keys, handshake->keys[MPTCP_OWN], 8);
	put_number(keys + 8, handshake->keys[MPTCP_PEER], 8);
	put_number(nonces, subflow->join.nonces[MPTCP_OWN], 4);
	put_number(nonces + 4, synack->join.nonce, 4);
	mptcp_hmac(MPTCP_SHA256, keys, nonces, sizeof(nonces), hmac);
	*ack = (struct mptcp_option){ .subtype = MPTCPOPT_MP_JOIN, .segment = MPTCP_ACK };
	memcpy(ack->join.hmac, hmac, MPTCP_HMAC_ACK);
}
