// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>

#include "server_connections.h"
#include "sockets.h"

enum status connections_unread(int error)
{
	return fail(FAILED, "can't list the host's TCP sockets: %s",
		    error == -EPERM ? "this needs root" : strerror(-error));
}

struct note_walk {
	struct server_maps *maps;
	enum treatment handshakes, others;
	int error;
};

static void note(const struct connection *connection, int state, void *context)
{
	struct note_walk *walk = context;
	int error;

	if (!server_maps_is_service(walk->maps, &connection->local, connection->local_port))
		return;
	error = server_maps_add_connection(walk->maps, connection,
					   state == TCP_SYN_RECV ? walk->handshakes : walk->others);
	if (error && error != -EEXIST)
		walk->error = error;
}

/* Twice: a dump passes over a socket when one before it in its hash bucket goes meanwhile. */
enum status connections_note(struct server_maps *maps, enum treatment handshakes,
			     enum treatment others)
{
	struct note_walk walk = { maps, handshakes, others, 0 };
	int error = 0;

	for (int pass = 0; !error && pass < 2; pass++)
		error = sockets_each_connection(note, &walk);
	if (error)
		return connections_unread(error);
	if (walk.error == -E2BIG)
		return fail(FAILED,
			    "the services have more than %d living connections: too many to note",
			    SERVER_CONNECTIONS_MAX);
	if (walk.error)
		return fail(FAILED, "can't note a connection: %s", strerror(-walk.error));
	return DONE;
}

struct count_walk {
	struct server_maps *maps;
	struct connections_living *living;
};

static void count(const struct connection *connection, int state, void *context)
{
	const struct count_walk *walk = context;
	enum treatment treatment;

	if (state == TCP_TIME_WAIT ||
	    !server_maps_is_service(walk->maps, &connection->local, connection->local_port))
		return;
	walk->living->all++;
	treatment = server_maps_treatment(walk->maps, connection);
	if (treatment == TREAT_STAMPED)
		walk->living->stamped++;
	else if (treatment)
		walk->living->exempt++;
}

enum status connections_count(struct server_maps *maps, struct connections_living *living)
{
	struct count_walk walk = { maps, living };
	int error;

	memset(living, 0, sizeof(*living));
	error = sockets_each_connection(count, &walk);
	return error ? connections_unread(error) : DONE;
}

/* The connections that are noted, sorted, and which of them a dump of the sockets has. */
struct noted {
	struct connection connection;
	bool lives;
};

struct prune_walk {
	struct noted *noted;
	size_t count, room;
};

/* What finds no memory stays noted, which does no harm. */
static void collect(const struct connection *connection, enum treatment treatment, void *context)
{
	struct prune_walk *walk = context;
	size_t room = walk->room ? 2 * walk->room : 1024;
	struct noted *more;

	(void)treatment;
	if (walk->count == walk->room) {
		more = realloc(walk->noted, room * sizeof(*more));
		if (!more)
			return;
		walk->noted = more;
		walk->room = room;
	}
	walk->noted[walk->count++] = (struct noted){ .connection = *connection };
}

static int by_connection(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct connection));
}

static void mark_living(const struct connection *connection, int state, void *context)
{
	struct prune_walk *walk = context;
	struct noted *noted =
		bsearch(connection, walk->noted, walk->count, sizeof(*walk->noted), by_connection);

	(void)state;
	if (noted)
		noted->lives = true;
}

/* The list comes first: what is not in the later dump has closed, or never was a socket. */
int connections_prune(struct server_maps *maps)
{
	struct prune_walk walk = {};
	int error = 0;

	server_maps_each_connection(maps, collect, &walk);
	qsort(walk.noted, walk.count, sizeof(*walk.noted), by_connection);
	for (int pass = 0; !error && walk.count && pass < 2; pass++)
		error = sockets_each_connection(mark_living, &walk);
	for (size_t i = 0; !error && i < walk.count; i++)
		if (!walk.noted[i].lives)
			server_maps_delete_connection(maps, &walk.noted[i].connection);
	if (!error)
		server_maps_look_for_connections(maps);
	free(walk.noted);
	return error;
}
