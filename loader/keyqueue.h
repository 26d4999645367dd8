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

/*
 * maps stay the caller's, and are the claimed ones. What is queued already is checked anew.
 * threads: 1 to KEYHUNT_THREADS_MAX.
 */
enum status keyqueue_open(struct server_maps *maps, const struct keysearch_goal *goal,
			  uint32_t threads, struct keyqueue **queue);
void keyqueue_close(struct keyqueue *queue);

/* One turn of refilling, 50 ms of search at most, and of learning which tokens are in use. */
enum refill keyqueue_refill(struct keyqueue *queue);

/* A descriptor that becomes readable when a connection was born, until the next turn. */
int keyqueue_births(const struct keyqueue *queue);

/* How many keys a full queue holds. */
uint32_t keyqueue_room(const struct keyqueue *queue);

#endif
