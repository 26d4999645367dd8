// SPDX-License-Identifier: GPL-2.0-only
/* A connection and its subflows: what their options say of the whole. */
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>

#include "peer.h"

#define NEW_KEY_RESEND_MS 300

/*
 * Of SYNs, as in RFC 1122. Linux under SYN cookies remembers one nonce of a join: a second SYN
 * would make it forget the one that our third segment signs.
 */
#define RESEND_FIRST_MS 3000

struct connection *connection_new(struct peer *peer)
{
	struct connection *connection = calloc(1, sizeof(*connection));

	if (!connection)
		abort();
	connection->peer = peer;
	connection->id = peer->next_id++;
	connection->preferred = -1;
	connection->next = peer->connections;
	peer->connections = connection;
	return connection;
}

void connection_free(struct connection *connection)
{
	struct connection **at = &connection->peer->connections;

	while (*at != connection)
		at = &(*at)->next;
	*at = connection->next;
	for (int i = 0; i < connection->subflow_count; i++)
		free(connection->subflows[i]);
	SSL_free(connection->tls);
	mptcp_handshake_wipe(&connection->handshake);
	fifo_free(&connection->out);
	fifo_free(&connection->in);
	fifo_free(&connection->plaintext);
	free(connection);
}

/* NULL if there are enough of them. */
struct subflow *connection_add_subflow(struct connection *connection, const struct flow *flow,
				       bool joins)
{
	struct subflow *subflow;

	if (connection->subflow_count == SUBFLOWS_MAX)
		return NULL;
	subflow = calloc(1, sizeof(*subflow));
	if (!subflow)
		abort();
	connection->subflows[connection->subflow_count++] = subflow;
	subflow->connection = connection;
	subflow->flow = *flow;
	subflow->joins = joins;
	subflow->resend_after = RESEND_FIRST_MS;
	draw_random(&subflow->initial, sizeof(subflow->initial));
	draw_random(&subflow->join.nonces[MPTCP_OWN], sizeof(subflow->join.nonces[MPTCP_OWN]));
	subflow->join.address_ids[MPTCP_OWN] = (uint8_t)(connection->subflow_count - 1);
	subflow->next = subflow->initial;
	return subflow;
}

bool connection_is_plain(const struct connection *connection)
{
	return connection->handshake.dialect == MPTCP_DIALECT_TCP;
}

/* The handshake is done; data may flow. */
void connection_begin(struct connection *connection)
{
	if (!connection_is_plain(connection)) {
		connection->sent = mptcp_initial_dsn(&connection->handshake, MPTCP_OWN) + 1;
		connection->expected = mptcp_initial_dsn(&connection->handshake, MPTCP_PEER) + 1;
	}
	connection->acknowledged = connection->sent;
	channel_open(connection);
}

struct mptcp_option connection_ack(const struct connection *connection)
{
	struct mptcp_option option = { .subtype = MPTCPOPT_DSS, .segment = MPTCP_ACK };

	option.dss.ack_bytes = 8;
	option.dss.ack = connection->expected;
	return option;
}

/* The 64-bit number next to `near` of which the low 32 bits are these. */
static uint64_t widen(uint64_t number, uint8_t bytes, uint64_t near)
{
	return bytes == 8 ? number : near + (uint64_t)(int64_t)(int32_t)(number - near);
}

struct subflow *connection_any_subflow(const struct connection *connection)
{
	for (int i = 0; i < connection->subflow_count; i++)
		if (connection->subflows[i]->state == ESTABLISHED)
			return connection->subflows[i];
	return NULL;
}

static void take_data_fin(struct connection *connection, uint64_t dsn)
{
	struct subflow *subflow;

	if (dsn == connection->expected && !connection->peer_fin) {
		connection->expected++;
		connection->peer_fin = true;
	}
	subflow = connection_any_subflow(connection);
	if (subflow)
		subflow_acknowledge(subflow);
}

static void take_mapping(struct subflow *subflow, const struct mptcp_dss *dss)
{
	struct connection *connection = subflow->connection;
	uint64_t dsn = widen(dss->dsn, dss->dsn_bytes, connection->expected);
	uint32_t length = dss->length - dss->fin;

	if (length)
		subflow->mapping = (struct mapping){ dsn, dss->ssn, length };
	/* With data before it, it is taken when it is repeated alone. */
	if (dss->fin)
		take_data_fin(connection, dsn + length);
}

/* Again and again until the other's has come; dialect E alone. */
void connection_send_new_key(struct connection *connection)
{
	struct subflow *subflow = connection_any_subflow(connection);
	struct mptcp_option option;

	if (connection->handshake.dialect != MPTCP_DIALECT_EXTERNAL || !subflow)
		return;
	mptcp_new_key(&connection->handshake, &option);
	subflow_send(subflow, TCP_ACK, &option, NULL, 0);
	connection->new_key_sent_at = now_ms();
	connection->new_key_resend_at = connection->new_key_sent_at + NEW_KEY_RESEND_MS;
}

/* An answer to what may be an answer is sent only after a while, lest they never end. */
static void take_new_key(struct connection *connection, const struct mptcp_option *new_key)
{
	if (!mptcp_judge_new_key(&connection->handshake, new_key) &&
	    now_ms() - connection->new_key_sent_at >= NEW_KEY_RESEND_MS / 2)
		connection_send_new_key(connection);
}

void connection_take_options(struct subflow *subflow, const struct segment *segment)
{
	const struct mptcp_option *capable = segment_option(segment, MPTCPOPT_MP_CAPABLE);
	const struct mptcp_option *dss = segment_option(segment, MPTCPOPT_DSS);
	const struct mptcp_option *new_key = segment_option(segment, MPTCPOPT_NEW_KEY);
	struct connection *connection = subflow->connection;
	uint64_t ack;

	if (connection_is_plain(connection))
		return;
	if (capable && capable->capable.has_data_length)
		subflow->mapping =
			(struct mapping){ mptcp_initial_dsn(&connection->handshake, MPTCP_PEER) + 1,
					  1, capable->capable.data_length };
	if (new_key)
		take_new_key(connection, new_key);
	if (!dss)
		return;
	ack = widen(dss->dss.ack, dss->dss.ack_bytes, connection->acknowledged);
	if (dss->dss.ack_bytes &&
	    ack - connection->acknowledged <= connection->sent - connection->acknowledged)
		connection->acknowledged = ack;
	if (dss->dss.dsn_bytes)
		take_mapping(subflow, &dss->dss);
}

void connection_close(struct connection *connection)
{
	connection->closing = true;
}

bool connection_is_over(const struct connection *connection)
{
	for (int i = 0; i < connection->subflow_count; i++)
		if (connection->subflows[i]->state != CLOSED)
			return false;
	return true;
}
