/* SPDX-License-Identifier: GPL-2.0-only */
/* The client of a scratch namespace, and the orders that it takes. */
#ifndef SCRATCH_CLIENT_H
#define SCRATCH_CLIENT_H

#include <linux/types.h>
#include <stdint.h>

#include "../include/types.h"

#define SCRATCH_DEVICE "scratch" /* the veth's end in the client's namespace */
#define SCRATCH_CONNECTIONS_MAX 256

enum scratch_verb { SCRATCH_UP, SCRATCH_CONNECT, SCRATCH_DISCONNECT };

/* Each is answered by a uint32_t. Up: whether it is. Connect: how many came about. */
struct scratch_order {
	enum scratch_verb verb;
	uint32_t count; /* at most SCRATCH_CONNECTIONS_MAX */
	struct address client, service;
	__be16 port;
};

/* Moves this process into a new namespace, says 1 there, and obeys until there are no more. */
void scratch_client(int orders);

#endif
