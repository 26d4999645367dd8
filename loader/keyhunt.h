/* SPDX-License-Identifier: GPL-2.0-only */
/* Several key searches for one goal at once, each in a thread of its own. */
#ifndef KEYHUNT_H
#define KEYHUNT_H

#include "keysearch.h"

#define KEYHUNT_THREADS_MAX 256

struct keyhunt;

/* NULL if there is no memory or no randomness. threads: 1 to KEYHUNT_THREADS_MAX. */
struct keyhunt *keyhunt_open(const struct keysearch_goal *goal, uint32_t threads);
void keyhunt_close(struct keyhunt *hunt);

/*
 * Searches until `step` returns false. It is called for each key found, and with NULL a few
 * milliseconds after the last call of that thread; by one thread at a time. Returns 0, or
 * -errno if a thread can't be started.
 */
int keyhunt_run(struct keyhunt *hunt, bool (*step)(const struct server_key *key, void *context),
		void *context);

#endif
