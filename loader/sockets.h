/* SPDX-License-Identifier: GPL-2.0-only */
/* The sockets of this network namespace, as sock_diag(7) tells them. */
#ifndef SOCKETS_H
#define SOCKETS_H

#include <stdbool.h>

#include "../include/server.h"

/*
 * Every TCP socket that has a peer, IPv4 and IPv6, requests and TIME_WAIT included; state is
 * one of the kernel's TCP_ESTABLISHED and so on. Returns 0 or -errno.
 */
int sockets_each_connection(void (*each)(const struct connection *connection, int state,
					 void *context),
			    void *context);

/* Ends a TCP socket as if its peer had reset it; without a word where the kernel can't. */
void sockets_abort(const struct connection *connection);

/*
 * Every established TCP socket, and for how long no data went either way: the last thing that
 * the peer surely heard in its window was an answer to that. Returns 0 or -errno.
 */
int sockets_each_idle(void (*each)(const struct connection *connection, uint32_t idle_ms,
				   void *context),
		      void *context);

/*
 * Every listening socket, an MPTCP one twice: as TCP and as MPTCP. One that listens to all of
 * IPv6 and IPv4 is told as both. Returns 0 or -errno.
 */
int sockets_each_listener(void (*each)(const struct address *address, __be16 port, bool is_mptcp,
				       void *context),
			  void *context);

/* What listens there, be it to all addresses. NOBODY as well where the kernel can't tell. */
enum listening { LISTENS_NOBODY, LISTENS_TCP, LISTENS_MPTCP };
enum listening sockets_listening(const struct address *address, __be16 port);

#endif
