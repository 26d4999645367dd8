// SPDX-License-Identifier: GPL-2.0-only
/*
 * The client: it obeys orders, one a line, and answers each with a line of JSON.
 *
 *	open ADDRESS SERVICE PORT	a connection from that address
 *	join N ADDRESS			another subflow of connection N
 *	send N SUBFLOW BYTES		on that subflow; the echo comes on any
 *	close N
 *	impersonate DIALECT CLIENT SERVER SENT RECEIVED
 *					the client of a connection that was overheard: the keys
 *					or tokens of its handshake, bytes of data since then
 *	attack N ADDRESS SERVICE PORT BYTES
 *					joins it and sends bytes that are not the client's
 */
#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "peer.h"

#define PATIENCE_MS 20000
#define TURN_MS 5
#define LISTEN_MS 1000
#define LINE_MAX_LENGTH 256
#define FIRST_PORT 20000

static uint16_t next_port;

static void answer_failure(const char *why)
{
	printf("{\"error\": \"%s\"}\n", why);
}

static bool wait_for(struct peer *peer, bool (*is_so)(struct connection *),
		     struct connection *connection)
{
	uint64_t end = now_ms() + PATIENCE_MS;

	while (!is_so(connection) && now_ms() < end)
		peer_turn(peer, TURN_MS);
	return is_so(connection);
}

static struct connection *find(struct peer *peer, int id)
{
	for (struct connection *c = peer->connections; c; c = c->next)
		if (c->id == id)
			return c;
	return NULL;
}

/* Keys that were given may still wait for NEW_KEY: dialect E. */
static bool is_greeted(struct connection *connection)
{
	const struct mptcp_handshake *handshake = &connection->handshake;

	if (connection->subflows[0]->state == CLOSED)
		return true;
	if (!channel_is_ready(connection) || (handshake->was_given_keys && !handshake->has_keys))
		return false;
	return fifo_has(&connection->plaintext, '\n');
}

static void answer_open(struct connection *connection)
{
	const struct mptcp_handshake *handshake = &connection->handshake;
	int length = (int)fifo_length(&connection->plaintext) - 1;

	printf("{\"connection\": %d, \"dialect\": %d, \"token\": \"%0*llx\", \"keys\": %s, "
	       "\"server\": \"%.*s\", \"port\": %d}\n",
	       connection->id, handshake->dialect, 2 * mptcp_token_bytes(handshake->dialect),
	       (unsigned long long)handshake->tokens[MPTCP_PEER],
	       handshake->has_keys ? "true" : "false", length,
	       (const char *)fifo_bytes(&connection->plaintext),
	       connection->subflows[0]->flow.here_port);
	fifo_drop(&connection->plaintext, fifo_length(&connection->plaintext));
}

static bool parse_address(const char *text, uint32_t *address)
{
	struct in_addr parsed;

	if (inet_pton(AF_INET, text, &parsed) != 1)
		return false;
	*address = ntohl(parsed.s_addr);
	return true;
}

static void order_open(struct peer *peer, const char *words)
{
	char from[32], to[32];
	struct flow flow = { .here_port = next_port++ };
	struct connection *connection;

	if (sscanf(words, "%31s %31s %hu", from, to, &flow.there_port) != 3 ||
	    !parse_address(from, &flow.here) || !parse_address(to, &flow.there)) {
		answer_failure("open needs two addresses and a port");
		return;
	}
	connection = peer_connect(peer, &flow);
	if (!wait_for(peer, is_greeted, connection) || connection->subflows[0]->state == CLOSED)
		answer_failure("the server does not greet");
	else
		answer_open(connection);
}

static bool is_joined(struct connection *connection)
{
	const struct subflow *last = connection->subflows[connection->subflow_count - 1];

	return last->state == CLOSED || (last->state == ESTABLISHED && last->confirmed);
}

static void answer_join(const struct subflow *subflow)
{
	bool joined = subflow->state == ESTABLISHED;

	printf("{\"joined\": %s, \"refused\": \"%s\", \"port\": %d}\n", joined ? "true" : "false",
	       joined            ? ""
	       : subflow->reason ? mptcp_reason_words(subflow->reason)
				 : "by the peer",
	       subflow->flow.here_port);
}

/* NULL if an answer was given: then there is no such subflow. */
static struct subflow *join(struct peer *peer, struct connection *connection,
			    const struct flow *flow)
{
	struct subflow *subflow = connection_add_subflow(connection, flow, true);
	struct mptcp_option syn;

	if (!subflow) {
		answer_failure("there are too many subflows");
		return NULL;
	}
	subflow->reason = mptcp_join_offer(&connection->handshake, &subflow->join, &syn);
	if (subflow->reason)
		subflow->state = CLOSED;
	else
		subflow_connect(subflow, &syn);
	if (wait_for(peer, is_joined, connection))
		return subflow;
	answer_failure("no answer to the join");
	return NULL;
}

static void order_join(struct peer *peer, const char *words)
{
	struct connection *connection;
	struct subflow *subflow;
	struct flow flow;
	char from[32];
	int id;

	if (sscanf(words, "%d %31s", &id, from) != 2 || !(connection = find(peer, id))) {
		answer_failure("join needs a connection and an address");
		return;
	}
	flow = connection->subflows[0]->flow;
	flow.here_port = next_port++;
	if (!parse_address(from, &flow.here)) {
		answer_failure("join needs an IPv4 address");
		return;
	}
	subflow = join(peer, connection, &flow);
	if (subflow)
		answer_join(subflow);
}

static size_t awaited;

static bool is_echoed(struct connection *connection)
{
	return fifo_length(&connection->plaintext) >= awaited || connection_is_over(connection);
}

static void answer_send(struct connection *connection, const uint8_t *sent)
{
	bool equal = fifo_length(&connection->plaintext) == awaited &&
		     !memcmp(fifo_bytes(&connection->plaintext), sent, awaited);

	printf("{\"equal\": %s, \"subflows\": [", equal ? "true" : "false");
	for (int i = 0; i < connection->subflow_count; i++)
		printf("%s{\"sent\": %llu, \"received\": %llu}", i ? ", " : "",
		       (unsigned long long)connection->subflows[i]->sent,
		       (unsigned long long)connection->subflows[i]->received);
	puts("]}");
	fifo_drop(&connection->plaintext, fifo_length(&connection->plaintext));
}

static void order_send(struct peer *peer, const char *words)
{
	struct connection *connection;
	int id, subflow;
	uint8_t *bytes;

	if (sscanf(words, "%d %d %zu", &id, &subflow, &awaited) != 3 ||
	    !(connection = find(peer, id)) || subflow >= connection->subflow_count) {
		answer_failure("send needs a connection, one of its subflows, and a size");
		return;
	}
	bytes = malloc(awaited);
	if (!bytes)
		abort();
	for (size_t at = 0; at < awaited; at += 128) /* getrandom() gives 256 at once */
		draw_random(bytes + at, awaited - at < 128 ? awaited - at : 128);
	connection->preferred = subflow;
	channel_write(connection, bytes, awaited);
	if (wait_for(peer, is_echoed, connection))
		answer_send(connection, bytes);
	else
		answer_failure("not all came back");
	free(bytes);
}

static bool is_over(struct connection *connection)
{
	return connection_is_over(connection);
}

static void order_close(struct peer *peer, const char *words)
{
	struct connection *connection = find(peer, atoi(words));

	if (!connection) {
		answer_failure("no such connection");
		return;
	}
	connection->preferred = -1;
	connection_close(connection);
	if (wait_for(peer, is_over, connection))
		puts("{\"closed\": true}");
	else
		answer_failure("the connection does not end");
	connection_free(connection);
}

static void order_impersonate(struct peer *peer, const char *words)
{
	unsigned long long client_value, server_value, sent, received;
	struct connection *connection;
	unsigned int dialect;

	if (sscanf(words, "%u %llx %llx %llu %llu", &dialect, &client_value, &server_value, &sent,
		   &received) != 5 ||
	    dialect >= MPTCP_DIALECTS) {
		answer_failure("impersonate needs a dialect, two values, and two sizes");
		return;
	}
	connection =
		attacker_impersonate(peer, dialect, client_value, server_value, sent, received);
	printf("{\"connection\": %d}\n", connection->id);
}

static bool is_taken(struct connection *connection)
{
	return connection_is_over(connection) ||
	       (!fifo_length(&connection->out) && connection->acknowledged == connection->sent);
}

/* The server may send by any subflow. */
static void listen_for_a_while(struct peer *peer, const struct subflow *subflow)
{
	uint64_t end = now_ms() + LISTEN_MS;

	while (!subflow->received && subflow->state == ESTABLISHED && now_ms() < end)
		peer_turn(peer, TURN_MS);
}

/* The server acknowledges data only when it has put it into the stream. */
static void attack(struct peer *peer, struct connection *connection, const struct flow *flow,
		   size_t size)
{
	uint64_t before = connection->acknowledged;
	const struct subflow *subflow = join(peer, connection, flow);

	if (!subflow)
		return;
	for (size_t i = 0; i < size; i++)
		fifo_put(&connection->out, "!", 1);
	wait_for(peer, is_taken, connection);
	listen_for_a_while(peer, subflow);
	printf("{\"joined\": %s, \"taken\": %llu, \"heard\": %llu}\n",
	       subflow->state == ESTABLISHED ? "true" : "false",
	       (unsigned long long)(connection->acknowledged - before),
	       (unsigned long long)subflow->received);
}

static void order_attack(struct peer *peer, const char *words)
{
	struct flow flow = { .here_port = next_port++ };
	struct connection *connection;
	char from[32], to[32];
	size_t size;
	int id;

	if (sscanf(words, "%d %31s %31s %hu %zu", &id, from, to, &flow.there_port, &size) != 5 ||
	    !(connection = find(peer, id)) || !parse_address(from, &flow.here) ||
	    !parse_address(to, &flow.there))
		answer_failure("attack needs a connection, two addresses, a port and a size");
	else
		attack(peer, connection, &flow, size);
}

static const struct {
	const char *word;
	void (*obey)(struct peer *peer, const char *words);
} orders[] = {
	{ "open ", order_open },
	{ "join ", order_join },
	{ "send ", order_send },
	{ "close ", order_close },
	{ "impersonate ", order_impersonate },
	{ "attack ", order_attack },
};

static void obey(struct peer *peer, const char *line)
{
	for (size_t i = 0; i < sizeof(orders) / sizeof(*orders); i++)
		if (!strncmp(line, orders[i].word, strlen(orders[i].word))) {
			orders[i].obey(peer, line + strlen(orders[i].word));
			return;
		}
	answer_failure("there is no such order");
}

/* Connections go on while there is no order. */
static bool next_line(struct peer *peer, char *line)
{
	struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };

	while (!poll(&input, 1, 0))
		peer_turn(peer, TURN_MS);
	return fgets(line, LINE_MAX_LENGTH, stdin);
}

int client_run(struct peer *peer)
{
	char line[LINE_MAX_LENGTH];

	setvbuf(stdin, NULL, _IONBF, 0); /* so that poll() sees what there is */
	draw_random(&next_port, sizeof(next_port));
	next_port = (uint16_t)(FIRST_PORT + next_port % FIRST_PORT);
	while (next_line(peer, line)) {
		obey(peer, line);
		fflush(stdout);
	}
	return 0;
}
