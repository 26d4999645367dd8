/* SPDX-License-Identifier: GPL-2.0-only */
/* A line on stderr that says how far a search is, for who waits at a terminal. */
#ifndef PROGRESS_H
#define PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
	uint64_t total;
	int64_t began_ms, said_ms;
	bool wanted;  /* stderr is a terminal */
	bool mixed;   /* and so is stdout, where what is found goes */
	bool visible; /* the line stands there now */
};

struct progress progress_begin(uint64_t total);

/* Says it a few times a second, when it is due. */
void progress_say(struct progress *progress, uint64_t done);

/* To be called before a line goes to stdout, and at the end. */
void progress_make_way(struct progress *progress);
void progress_end(struct progress *progress);

#endif
