// SPDX-License-Identifier: GPL-2.0-only
/* Threads that search keys and hand in what they find, one at a time. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "keyhunt.h"

#define TRIES_AT_ONCE 65536 /* a few milliseconds */

struct hunter {
	struct keyhunt *hunt;
	struct keysearch *search;
	pthread_t thread;
};

struct keyhunt {
	pthread_mutex_t lock; /* for a step */
	bool (*step)(const struct server_key *key, void *context);
	void *context;
	atomic_bool stop;
	uint32_t count;
	struct hunter hunters[];
};

struct keyhunt *keyhunt_open(const struct keysearch_goal *goal, uint32_t threads)
{
	struct keyhunt *hunt = calloc(1, sizeof(*hunt) + threads * sizeof(*hunt->hunters));

	if (!hunt)
		return NULL;
	pthread_mutex_init(&hunt->lock, NULL);
	for (; hunt->count < threads; hunt->count++) {
		struct hunter *hunter = &hunt->hunters[hunt->count];

		hunter->hunt = hunt;
		hunter->search = keysearch_open(goal);
		if (!hunter->search) {
			keyhunt_close(hunt);
			return NULL;
		}
	}
	return hunt;
}

void keyhunt_close(struct keyhunt *hunt)
{
	if (!hunt)
		return;
	while (hunt->count > 0)
		keysearch_close(hunt->hunters[--hunt->count].search);
	pthread_mutex_destroy(&hunt->lock);
	free(hunt);
}

static void step(struct keyhunt *hunt, const struct server_key *key)
{
	pthread_mutex_lock(&hunt->lock);
	if (!hunt->stop && !hunt->step(key, hunt->context))
		hunt->stop = true;
	pthread_mutex_unlock(&hunt->lock);
}

static void *search_keys(void *argument)
{
	struct hunter *hunter = argument;
	struct server_key key;

	while (!hunter->hunt->stop) {
		bool found = keysearch_next(hunter->search, TRIES_AT_ONCE, &key);

		step(hunter->hunt, found ? &key : NULL);
	}
	return NULL;
}

/* The first hunter is the caller's own thread. */
int keyhunt_run(struct keyhunt *hunt, bool (*step)(const struct server_key *key, void *context),
		void *context)
{
	uint32_t started = 1;
	int error = 0;

	hunt->step = step;
	hunt->context = context;
	hunt->stop = false;
	while (!error && started < hunt->count) {
		struct hunter *hunter = &hunt->hunters[started];

		error = pthread_create(&hunter->thread, NULL, search_keys, hunter);
		started += !error;
	}
	if (error)
		hunt->stop = true;
	search_keys(&hunt->hunters[0]);
	while (started > 1)
		pthread_join(hunt->hunters[--started].thread, NULL);
	return -error;
}
