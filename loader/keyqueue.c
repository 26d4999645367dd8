// SPDX-License-Identifier: GPL-2.0-only
/* Fills the queue of keys by the rules of the kernel's token table. */
#include <errno.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <time.h>

#include "keyqueue.h"
#include "mptcp_sockets.h"
#include "tokens.h"

#define ROOM_MAX 16384
#define HISTORY (2 * ROOM_MAX)
#define QUEUED_ERROR 64 /* by so many the count of queued keys may be off: pops go on meanwhile */
#define TRIES_AT_ONCE 16384
#define TURN_MS 50
#define SURVEY_MS 5000 /* how old our knowledge of the tokens in use may grow */

/* A turn is crowded when so many tokens, and four for each that was good, were refused. */
#define CROWDED_REFUSALS 32

struct keyqueue {
	struct server_maps *maps;
	struct keysearch_goal goal;
	struct keysearch *search;
	struct tokens *in_use; /* live, queued, or handed out lately */
	int64_t surveyed_ms;
	uint32_t room;
	bool failed; /* the last turn, and it was said */
	/* First in, first out: the keys still queued are the last ones pushed. */
	uint32_t pushed;
	uint32_t history[HISTORY];
};

_Static_assert(ROOM_MAX <= SERVER_KEYS_MAX, "a full queue fits into the map");
_Static_assert(!(HISTORY & (HISTORY - 1)), "history[] is indexed by a counter that wraps");

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

static enum status fail_once(struct keyqueue *queue, const char *what, int error)
{
	bool said = queue->failed;

	queue->failed = true;
	return said ? FAILED : fail(FAILED, "%s: %s", what, strerror(-error));
}

struct survey {
	struct tokens *in_use;
	bool out_of_memory;
};

static void note_token(uint32_t token, void *context)
{
	struct survey *survey = context;

	if (!tokens_add(survey->in_use, token))
		survey->out_of_memory = true;
}

static void note_handed_out(uint32_t token, uint32_t age_s, void *context)
{
	(void)age_s;
	note_token(token, context);
}

/*
 * Learns anew which tokens are in use. The order matters: a key may move from the queue to
 * the clients, and from there to a connection, while we look.
 */
static enum status survey_tokens(struct keyqueue *queue)
{
	struct survey survey = { .in_use = queue->in_use };
	uint32_t queued = server_maps_keys_queued(queue->maps);
	int64_t now = now_ms();
	int error;

	tokens_forget_all(queue->in_use);
	for (uint32_t i = 1; i <= queued + QUEUED_ERROR && i <= HISTORY; i++)
		note_token(queue->history[(queue->pushed - i) % HISTORY], &survey);
	server_maps_each_handed_out(queue->maps, note_handed_out, &survey);
	error = mptcp_sockets_tokens(note_token, &survey);
	if (error)
		return fail_once(queue, "the kernel does not list MPTCP sockets", error);
	if (survey.out_of_memory)
		return fail_once(queue, "the tokens in use can't be noted", -ENOMEM);
	queue->surveyed_ms = now;
	return DONE;
}

/* Noted before it is pushed: from then on a client may hold it. */
static enum status push_key(struct keyqueue *queue, const struct server_key *key)
{
	int error;

	if (!tokens_add(queue->in_use, key->token))
		return fail_once(queue, "a token can't be noted", -ENOMEM);
	error = server_maps_push_key(queue->maps, key);
	if (error)
		return fail_once(queue, "a key cannot be queued", error);
	queue->history[queue->pushed++ % HISTORY] = key->token;
	return DONE;
}

/* Whether a key that somebody queued is one that we would queue. */
static bool is_of_goal(const struct keysearch_goal *goal, const struct server_key *key)
{
	uint32_t token = key->token;

	return key->key && token && token == keyhash_token(key->key, goal->version) &&
	       token_epoch(token) == goal->epoch &&
	       token_index(token_open(&goal->secret, token), goal->index_bits) == goal->index;
}

/*
 * What an earlier run left in the queue. It is taken out before the survey: were we killed
 * here, these keys would be lost, and none of them be used twice.
 */
static enum status adopt_keys(struct keyqueue *queue)
{
	struct server_key *keys = calloc(SERVER_KEYS_MAX, sizeof(*keys));
	uint32_t count = 0, adopted = 0;
	enum status status;

	if (!keys)
		return fail(FAILED, "there is no memory for the keys in the queue");
	while (count < SERVER_KEYS_MAX && !server_maps_pop_key(queue->maps, &keys[count]))
		count++;
	/* The queue is empty; the count of it may not be, if a run was killed between the two. */
	__atomic_store_n(&server_maps_state(queue->maps)->keys_queued, 0, __ATOMIC_RELAXED);
	status = survey_tokens(queue);
	for (uint32_t i = 0; !status && i < count && adopted < queue->room; i++) {
		if (!is_of_goal(&queue->goal, &keys[i]) ||
		    !tokens_allow(queue->in_use, keys[i].token))
			continue;
		status = push_key(queue, &keys[i]);
		adopted++;
	}
	OPENSSL_cleanse(keys, SERVER_KEYS_MAX * sizeof(*keys));
	free(keys);
	return status;
}

/* Half as many keys as buckets: three of each are for connections. */
static uint32_t room_for_keys(size_t buckets)
{
	return buckets / 2 < ROOM_MAX ? buckets / 2 : ROOM_MAX;
}

static size_t kernel_buckets(void)
{
	struct sysinfo host;

	sysinfo(&host);
	return tokens_kernel_buckets((uint64_t)host.totalram * host.mem_unit);
}

enum status keyqueue_open(struct server_maps *maps, const struct keysearch_goal *goal,
			  struct keyqueue **queue)
{
	struct keyqueue *q = calloc(1, sizeof(*q));
	size_t buckets = kernel_buckets();
	enum status status;

	if (!q)
		return fail(FAILED, "there is no memory for a queue of keys");
	q->maps = maps;
	q->goal = *goal;
	q->room = room_for_keys(buckets);
	q->search = keysearch_open(goal);
	q->in_use = tokens_new(buckets);
	if (q->search && q->in_use)
		status = adopt_keys(q);
	else
		status = fail(FAILED, "there is no memory or no randomness to search keys with");
	if (status)
		keyqueue_close(q);
	else
		*queue = q;
	return status;
}

void keyqueue_close(struct keyqueue *queue)
{
	keysearch_close(queue->search);
	tokens_free(queue->in_use);
	OPENSSL_cleanse(queue, sizeof(*queue));
	free(queue);
}

static enum refill search_keys(struct keyqueue *queue, uint32_t missing)
{
	int64_t end_ms = now_ms() + TURN_MS;
	uint32_t refused = 0, gained = 0;
	struct server_key key;

	while (gained < missing) {
		if (now_ms() >= end_ms)
			return REFILL_SHORT;
		if (refused >= CROWDED_REFUSALS + 4 * gained)
			return REFILL_CROWDED;
		if (!keysearch_next(queue->search, TRIES_AT_ONCE, &key))
			continue;
		if (!tokens_allow(queue->in_use, key.token)) {
			refused++;
			continue;
		}
		if (push_key(queue, &key))
			return REFILL_FAILED;
		gained++;
	}
	return REFILL_FULL;
}

enum refill keyqueue_refill(struct keyqueue *queue)
{
	uint32_t queued = server_maps_keys_queued(queue->maps);
	enum refill refill;

	if (queued >= queue->room)
		return REFILL_IDLE;
	if (now_ms() - queue->surveyed_ms >= SURVEY_MS && survey_tokens(queue))
		return REFILL_FAILED;
	refill = search_keys(queue, queue->room - queued);
	if (refill != REFILL_FAILED)
		queue->failed = false;
	return refill;
}

uint32_t keyqueue_room(const struct keyqueue *queue)
{
	return queue->room;
}
