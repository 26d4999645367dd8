/* SPDX-License-Identifier: GPL-2.0-only */
/* The services' living connections, and how they are treated. */
#ifndef SERVER_CONNECTIONS_H
#define SERVER_CONNECTIONS_H

#include "server_maps.h"

/*
 * Notes every connection that lives now and has no entry: handshakes under the first
 * treatment, the others under the second. Says why it can't.
 */
enum status connections_note(struct server_maps *maps, enum treatment handshakes,
			     enum treatment others);

/* TIME_WAIT has nothing left to lose and is not counted. */
struct connections_living {
	uint32_t all;
	uint32_t exempt;  /* noted as plain */
	uint32_t stamped; /* noted as stamped */
};

/* Says why it can't. */
enum status connections_count(struct server_maps *maps, struct connections_living *living);

/*
 * Forgets the noted connections that live no more. Not while connections are recorded.
 * Returns 0 or -errno; connections_unread() says that, and returns FAILED.
 */
int connections_prune(struct server_maps *maps);
enum status connections_unread(int error);

#endif
