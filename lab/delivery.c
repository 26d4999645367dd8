// SPDX-License-Identifier: GPL-2.0-only
/* What came by any subflow, put into the one order of its data sequence numbers. */
#include <string.h>

#include "peer.h"

static void deliver(struct connection *connection, uint64_t dsn, const uint8_t *data, size_t length)
{
	uint64_t known = connection->expected - dsn;

	if (known >= length)
		return;
	fifo_put(&connection->in, data + known, length - known);
	connection->expected = dsn + length;
}

static bool hold(struct connection *connection, uint64_t dsn, const uint8_t *data, size_t length)
{
	for (int i = 0; i < HELD_MAX; i++) {
		struct held *held = &connection->held[i];

		if (held->length)
			continue;
		held->dsn = dsn;
		held->length = length;
		memcpy(held->data, data, length);
		return true;
	}
	return false;
}

static void deliver_held(struct connection *connection)
{
	for (int i = 0; i < HELD_MAX; i++) {
		struct held *held = &connection->held[i];

		if (!held->length || (int64_t)(held->dsn - connection->expected) > 0)
			continue;
		deliver(connection, held->dsn, held->data, held->length);
		held->length = 0;
		i = -1; /* what comes next may stand anywhere */
	}
}

/*
 * ssn: of the first byte. False if it is not taken: it is not mapped, or too early with
 * nowhere to hold it; the peer will send it again.
 */
bool connection_take_data(struct subflow *subflow, uint32_t ssn, const uint8_t *data, size_t length)
{
	struct connection *connection = subflow->connection;
	uint32_t into = ssn - subflow->mapping.ssn;
	uint64_t dsn;

	if (connection_is_plain(connection)) {
		fifo_put(&connection->in, data, length);
		return true;
	}
	if (into >= subflow->mapping.length || length > subflow->mapping.length - into)
		return false;
	dsn = subflow->mapping.dsn + into;
	if ((int64_t)(dsn - connection->expected) > 0)
		return hold(connection, dsn, data, length);
	deliver(connection, dsn, data, length);
	deliver_held(connection);
	return true;
}
