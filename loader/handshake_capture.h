/* SPDX-License-Identifier: GPL-2.0-only */
/* What passes through a device between a service and one client, seen on the service's side. */
#ifndef HANDSHAKE_CAPTURE_H
#define HANDSHAKE_CAPTURE_H

#include <stdbool.h>
#include <stdint.h>

#include "../include/server.h"

/* Of one SYN/ACK. */
struct captured_key {
	__be16 client_port;
	uint32_t token; /* host order; of the key that the client got */
};

/* A stamped TSval names the index; a TSecr whose stamp was taken off is one that TCP sent. */
struct capture_tally {
	struct captured_key *keys; /* of different ports */
	uint32_t room, count;
	uint32_t sent, sent_right;         /* segments with a TSval */
	uint32_t received, received_right; /* segments with a TSecr */
};

struct capture {
	int sent;     /* after egress: as the client gets it */
	int received; /* after ingress: as the server's TCP gets it */
	struct address service, client;
	__be16 port;
};

/* Set service, client and port before. False: no memory, or none of the privilege. */
bool capture_open(struct capture *capture, uint32_t ifindex);
void capture_close(struct capture *capture);

/* Takes in what was captured so far. */
void capture_read(struct capture *capture, const struct server_state *state,
		  struct capture_tally *tally);

#endif
