/* SPDX-License-Identifier: GPL-2.0-only */
/* The server side's maps as server_maps.c and server_entries.c hold them; for these two alone. */
#ifndef SERVER_MAPS_LAYOUT_H
#define SERVER_MAPS_LAYOUT_H

#include "server_maps.h"

enum map { STATE, SERVICES, CONNECTIONS, KEYS, HANDED_OUT, NETWORKS, COUNTERS_MAP, LINES, MAPS };

struct server_maps {
	int fd[MAPS];
	int claim; /* directory whose lock is the claim on the queue */
	struct server_state *state;
};

#endif
