/* SPDX-License-Identifier: GPL-2.0-only */
/* A client in a network namespace of its own, and a veth between it and this one. */
#ifndef SCRATCH_H
#define SCRATCH_H

#include <libmnl/libmnl.h>
#include <sys/types.h>

#include "../include/types.h"
#include "say.h"

/*
 * The namespace lives as long as the client's process, and that no longer than this one,
 * whatever ends it. The veth goes with the namespace, and with the veth whatever is on it:
 * programs, addresses, routes.
 */
struct scratch {
	uint32_t ifindex; /* of the veth's end on this side */
	pid_t client;
	int orders; /* to the client's process */
	struct mnl_socket *netlink;
	struct address v4, v6; /* the client's; all zero: not chosen yet */
};

/* Says why it can't. */
enum status scratch_open(struct scratch *scratch);
void scratch_close(struct scratch *scratch);

/*
 * Chooses the client's address, of one of the ranges for tests of network devices
 * (198.18.0.0/15 of RFC 2544, 2001:2::/48 of RFC 5180) and not in use here, and leads what the
 * service sends there into the veth. Says why it can't.
 */
enum status scratch_lead(struct scratch *scratch, const struct address *service,
			 const struct address **client);

/* The client opens MPTCP connections, at once, and keeps them; returns how many came about. */
uint32_t scratch_connect(struct scratch *scratch, const struct address *client,
			 const struct address *service, __be16 port, uint32_t count);

/* It ends them, politely with who hears it within a second. */
void scratch_disconnect(struct scratch *scratch);

#endif
