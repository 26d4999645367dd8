// SPDX-License-Identifier: GPL-2.0-only
/* The server's application: it greets with its name, sends back what it gets, and tells of it. */
#include <stdio.h>

#include "peer.h"

/* One line of JSON for each event. */
void server_tell(const struct connection *connection, const char *event)
{
	const struct mptcp_handshake *handshake = &connection->handshake;

	printf("{\"event\": \"%s\", \"connection\": %d, \"dialect\": %d, \"token\": \"%0*llx\", "
	       "\"subflows\": [",
	       event, connection->id, handshake->dialect, 2 * mptcp_token_bytes(handshake->dialect),
	       (unsigned long long)handshake->tokens[MPTCP_OWN]);
	for (int i = 0; i < connection->subflow_count; i++) {
		const struct subflow *subflow = connection->subflows[i];

		printf("%s{\"port\": %d, \"joins\": %s, \"sent\": %llu, \"received\": %llu, "
		       "\"refused\": \"%s\"}",
		       i ? ", " : "", subflow->flow.there_port, subflow->joins ? "true" : "false",
		       (unsigned long long)subflow->sent, (unsigned long long)subflow->received,
		       subflow->reason ? mptcp_reason_words(subflow->reason) : "");
	}
	puts("]}");
	fflush(stdout);
}

static bool peer_is_done(const struct connection *connection)
{
	return connection->peer_fin || (connection->handshake.dialect == MPTCP_DIALECT_TCP &&
					connection->subflows[0]->fin_received);
}

void server_turn(struct connection *connection)
{
	const char *name = connection->peer->settings.name;

	if (channel_is_ready(connection) && !connection->greeted) {
		connection->greeted = true;
		channel_write(connection, (const uint8_t *)name, strlen(name));
		channel_write(connection, (const uint8_t *)"\n", 1);
		server_tell(connection, "opened");
	}
	if (connection->greeted && fifo_length(&connection->plaintext)) {
		channel_write(connection, fifo_bytes(&connection->plaintext),
			      fifo_length(&connection->plaintext));
		fifo_drop(&connection->plaintext, fifo_length(&connection->plaintext));
	}
	if (peer_is_done(connection))
		connection_close(connection);
}
