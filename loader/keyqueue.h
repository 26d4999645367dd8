/* SPDX-License-Identifier: GPL-2.0-only */
/* The server side's queue of keys, kept full without ever repeating a token. */
#ifndef KEYQUEUE_H
#define KEYQUEUE_H

#include "keysearch.h"
#include "server_maps.h"

struct keyqueue;

/* How a turn of refilling ended. */
enum refill {
	REFILL_IDLE,    /* nothing was missing */
	REFILL_FULL,    /* nothing is missing any more */
	REFILL_SHORT,   /* the turn's time was up */
	REFILL_CROWDED, /* few of the tokens found may be issued: waiting helps, searching does not
			 */
	REFILL_FAILED,  /* and it was said why, unless the turn before failed too */
};

/* maps stay the caller's, and are the claimed ones. What is queued already is checked anew. */
enum status keyqueue_open(struct server_maps *maps, const struct keysearch_goal *goal,
			  struct keyqueue **queue);
void keyqueue_close(struct keyqueue *queue);

/* One turn of refilling, a fraction of a second. */
enum refill keyqueue_refill(struct keyqueue *queue);

/* How many keys a full queue holds. */
uint32_t keyqueue_room(const struct keyqueue *queue);

#endif
