// SPDX-License-Identifier: GPL-2.0-only
/* The stream onto its subflows, and its end: DATA_FIN first, then each subflow's FIN. */
#include "peer.h"

#define FIN_RESEND_MS 300

static struct mptcp_option map(const struct subflow *subflow, uint16_t length)
{
	const struct connection *connection = subflow->connection;
	struct mptcp_option option = connection_ack(connection);

	/* The first data may overtake the third segment, and then stands in for it. */
	if (!subflow->joins && subflow->has_third && !subflow->confirmed && !subflow->sent &&
	    connection->handshake.dialect != MPTCP_DIALECT_V0) {
		mptcp_ack_with_data(&connection->handshake, length, 0, &option);
		return option;
	}
	option.dss.dsn_bytes = 8;
	option.dss.dsn = connection->sent;
	option.dss.ssn = subflow->next - subflow->initial;
	option.dss.length = length;
	return option;
}

/* Each in turn, unless one is preferred. */
static struct subflow *next_subflow(struct connection *connection)
{
	for (int i = 1; i <= connection->subflow_count; i++) {
		int turn = (connection->turn + i) % connection->subflow_count;

		if ((connection->preferred >= 0 && turn != connection->preferred) ||
		    !subflow_may_send(connection->subflows[turn]))
			continue;
		connection->turn = turn;
		return connection->subflows[turn];
	}
	return NULL;
}

static void send_data(struct connection *connection)
{
	struct subflow *subflow;

	while (fifo_length(&connection->out) && (subflow = next_subflow(connection))) {
		size_t length = fifo_length(&connection->out);
		struct mptcp_option option;

		if (length > SEGMENT_MSS)
			length = SEGMENT_MSS;
		option = map(subflow, (uint16_t)length);
		subflow_send(subflow, TCP_ACK, connection_is_plain(connection) ? NULL : &option,
			     fifo_bytes(&connection->out), length);
		connection->sent += length;
		fifo_drop(&connection->out, length);
	}
}

/* The end of data takes a data sequence number, and is repeated until it is acknowledged. */
static void send_data_fin(struct connection *connection)
{
	struct mptcp_option option = connection_ack(connection);
	struct subflow *subflow = connection_any_subflow(connection);

	if (!connection->fin_sent)
		connection->fin_dsn = connection->sent++;
	connection->fin_sent = true;
	connection->fin_resend_at = now_ms() + FIN_RESEND_MS;
	option.dss.fin = true;
	option.dss.dsn_bytes = 8;
	option.dss.dsn = connection->fin_dsn;
	option.dss.length = 1;
	if (subflow)
		subflow_send(subflow, TCP_ACK, &option, NULL, 0);
}

static void send_fins(struct connection *connection)
{
	for (int i = 0; i < connection->subflow_count; i++) {
		struct subflow *subflow = connection->subflows[i];
		struct mptcp_option option = connection_ack(connection);

		if (subflow->state != ESTABLISHED || subflow->fin_sent)
			continue;
		subflow->fin_sent = true;
		subflow_send(subflow, TCP_FIN | TCP_ACK,
			     connection_is_plain(connection) ? NULL : &option, NULL, 0);
	}
}

static void push_end(struct connection *connection)
{
	if (connection_is_plain(connection))
		send_fins(connection);
	else if (!connection->fin_sent)
		send_data_fin(connection);
	else if (connection->acknowledged == connection->sent)
		send_fins(connection);
	else if (now_ms() >= connection->fin_resend_at)
		send_data_fin(connection);
}

void connection_push(struct connection *connection)
{
	send_data(connection);
	if (connection->closing && !fifo_length(&connection->out))
		push_end(connection);
	if (connection->new_key_resend_at && !connection->handshake.has_keys &&
	    now_ms() >= connection->new_key_resend_at)
		connection_send_new_key(connection);
	for (int i = 0; i < connection->subflow_count; i++)
		subflow_tick(connection->subflows[i]);
}
