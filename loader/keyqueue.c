// SPDX-License-Identifier: GPL-2.0-only
/* Fills the queue of keys by the rules of the kernel's token table. */
#include <errno.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/sysinfo.h>
#include <time.h>
#include <unistd.h>

#include "keyhunt.h"
#include "keyqueue.h"
#include "mptcp_events.h"
#include "mptcp_sockets.h"
#include "tokens.h"

#define ROOM_MAX 65536
#define KEYS_PER_BUCKET 2 /* of the three places: one is for connections */
#define RESERVE_PART 4    /* of the queue */
#define HISTORY (2 * ROOM_MAX)
#define QUEUED_ERROR 64 /* by so many the count of queued keys may be off: pops go on meanwhile */
#define TURN_MS 50
#define SURVEY_MS 30000        /* how long what is in use no more may count as in use */
#define SURVEY_CROWDED_MS 2000 /* the same when that keeps keys out */
#define HANDSHAKE_S 4 /* so long a key handed out is expected to take a place in its bucket */

/* A turn is crowded when so many tokens, and four for each that was good, were refused. */
#define CROWDED_REFUSALS 32

struct turn {
	int64_t end_ms;
	uint32_t missing, gained, refused;
	enum refill ended;
};

struct keyqueue {
	struct server_maps *maps;
	struct keysearch_goal goal;
	struct keyhunt *hunt;
	int births;            /* of connections: a descriptor */
	struct tokens *in_use; /* live, queued, or handed out lately */
	int64_t surveyed_ms;
	/* Each key that is queued needs a place in the map of what was handed out, some day. */
	uint32_t places; /* left there at the last survey, less the keys queued then */
	uint32_t pushed_then;
	bool in_doubt; /* in_use may lack a token, so nothing is queued before a survey */
	bool crowded;  /* the last turn was */
	bool failed;   /* the last turn, and it was said */
	bool reserves; /* for good */
	uint32_t room;
	uint32_t run; /* marks the keys that we queued */
	struct turn turn;
	/* First in, first out: the keys still queued are the last ones pushed. */
	uint32_t pushed;
	uint32_t history[HISTORY];
};

_Static_assert(ROOM_MAX + QUEUED_ERROR <= SERVER_KEYS_MAX, "a full queue fits into the map");
_Static_assert(!(HISTORY & (HISTORY - 1)), "history[] is indexed by a counter that wraps");

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

static uint32_t min(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static enum status fail_once(struct keyqueue *queue, const char *what, int error)
{
	bool said = queue->failed;

	queue->failed = true;
	return said ? FAILED : fail(FAILED, "%s: %s", what, strerror(-error));
}

struct survey {
	struct tokens *in_use;
	uint32_t handed_out;
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
	struct survey *survey = context;

	survey->handed_out++;
	if (age_s < HANDSHAKE_S)
		note_token(token, context);
	else if (!tokens_bar(survey->in_use, token))
		survey->out_of_memory = true;
}

/*
 * Learns anew which tokens are in use; births only ever add to them, since a connection that
 * was closed may hold its token for a minute. The order matters: a key may move from the
 * queue to the clients, and from there to a connection, while we look.
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
	queue->places = SERVER_HANDED_OUT_MAX - QUEUED_ERROR;
	queue->places -= min(queue->places, survey.handed_out + queued);
	queue->pushed_then = queue->pushed;
	queue->in_doubt = false;
	return DONE;
}

static void note_birth(uint32_t token, const struct address *peer, void *context)
{
	struct keyqueue *queue = context;

	if (!tokens_add(queue->in_use, token))
		queue->in_doubt = true;
	if (peer)
		server_maps_note_client(queue->maps, peer);
}

static bool survey_is_due(const struct keyqueue *queue)
{
	int64_t age_ms = now_ms() - queue->surveyed_ms;

	return queue->in_doubt || age_ms >= SURVEY_MS ||
	       (queue->crowded && age_ms >= SURVEY_CROWDED_MS);
}

/* Whatever keeps births from us, a survey finds them. */
static enum status learn_tokens(struct keyqueue *queue)
{
	struct mptcp_birth_walk walk = { note_birth, queue };

	if (mptcp_events_read(queue->births, &walk))
		queue->in_doubt = true;
	return survey_is_due(queue) ? survey_tokens(queue) : DONE;
}

/* Noted before it is pushed: from then on a client may hold it. */
static enum status push_key(struct keyqueue *queue, const struct server_key *key)
{
	struct server_key ours = { .key = key->key, .token = key->token, .run = queue->run };
	int error;

	if (!tokens_add(queue->in_use, key->token))
		return fail_once(queue, "a token can't be noted", -ENOMEM);
	error = server_maps_push_key(queue->maps, &ours);
	OPENSSL_cleanse(&ours, sizeof(ours));
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
 * What an earlier run left in the queue goes from its head to its tail, one by one, so that
 * clients find keys all the while. Were we killed here, one key would be lost, and none be
 * used twice.
 */
static enum status adopt_keys(struct keyqueue *queue)
{
	enum status status = survey_tokens(queue);
	uint32_t adopted = 0;
	bool round = false;
	struct server_key key;

	while (!status && !round && !server_maps_pop_key(queue->maps, &key)) {
		round = key.run == queue->run;
		if (!round && (adopted >= queue->room || !is_of_goal(&queue->goal, &key) ||
			       !tokens_allow(queue->in_use, key.token)))
			continue;
		status = push_key(queue, &key);
		adopted += !round;
	}
	OPENSSL_cleanse(&key, sizeof(key));
	/* The count may be off, if a run was killed between it and the queue. */
	server_maps_set_keys_queued(queue->maps, adopted);
	/* Keys were handed out meanwhile. */
	queue->in_doubt = true;
	return status;
}

static uint32_t room_for_keys(size_t buckets)
{
	return min(KEYS_PER_BUCKET * buckets, ROOM_MAX);
}

static size_t kernel_buckets(void)
{
	struct sysinfo host;

	sysinfo(&host);
	return tokens_kernel_buckets((uint64_t)host.totalram * host.mem_unit);
}

static enum status open_parts(struct keyqueue *queue, uint32_t threads)
{
	size_t buckets = kernel_buckets();

	queue->births = mptcp_events_open();
	if (queue->births < 0)
		return fail(FAILED, "the kernel does not tell of MPTCP connections: %s",
			    strerror(-queue->births));
	queue->room = room_for_keys(buckets);
	server_maps_state(queue->maps)->keys_room = queue->room;
	queue->hunt = keyhunt_open(&queue->goal, threads);
	queue->in_use = tokens_new(buckets);
	if (!queue->hunt || !queue->in_use ||
	    getrandom(&queue->run, sizeof(queue->run), 0) != sizeof(queue->run))
		return fail(FAILED, "there is no memory or no randomness to search keys with");
	return adopt_keys(queue);
}

enum status keyqueue_open(struct server_maps *maps, const struct keysearch_goal *goal,
			  uint32_t threads, struct keyqueue **queue)
{
	struct keyqueue *q = calloc(1, sizeof(*q));
	enum status status;

	if (!q)
		return fail(FAILED, "there is no memory for a queue of keys");
	q->maps = maps;
	q->goal = *goal;
	status = open_parts(q, threads);
	if (status)
		keyqueue_close(q);
	else
		*queue = q;
	return status;
}

void keyqueue_close(struct keyqueue *queue)
{
	keyhunt_close(queue->hunt);
	tokens_free(queue->in_use);
	if (queue->births >= 0)
		close(queue->births);
	OPENSSL_cleanse(queue, sizeof(*queue));
	free(queue);
}

/* Sets how the turn ended, once it has. */
static bool goes_on(struct turn *turn)
{
	if (turn->gained >= turn->missing)
		turn->ended = REFILL_FULL;
	else if (turn->refused >= CROWDED_REFUSALS + 4 * turn->gained)
		turn->ended = REFILL_CROWDED;
	else if (now_ms() >= turn->end_ms)
		turn->ended = REFILL_SHORT;
	else
		return true;
	return false;
}

static bool take_key(const struct server_key *key, void *context)
{
	struct keyqueue *queue = context;
	struct turn *turn = &queue->turn;

	if (key && !tokens_allow(queue->in_use, key->token)) {
		turn->refused++;
	} else if (key) {
		turn->ended = REFILL_FAILED;
		if (push_key(queue, key))
			return false;
		turn->gained++;
	}
	return goes_on(turn);
}

static enum refill search_keys(struct keyqueue *queue, uint32_t missing)
{
	uint32_t places = queue->places - min(queue->places, queue->pushed - queue->pushed_then);
	int error;

	if (!places)
		return REFILL_CROWDED;
	missing = min(missing, places);
	queue->turn = (struct turn){ .end_ms = now_ms() + TURN_MS, .missing = missing };
	error = keyhunt_run(queue->hunt, take_key, queue);
	if (error) {
		fail_once(queue, "a thread to search keys with can't be started", error);
		return REFILL_FAILED;
	}
	return queue->turn.ended;
}

/* Once the queue is as full as it gets, its last keys are shared out. */
static void set_reserve(struct keyqueue *queue)
{
	if (!queue->reserves)
		server_maps_state(queue->maps)->keys_reserve =
			server_maps_keys_queued(queue->maps) / RESERVE_PART;
	queue->reserves = true;
}

enum refill keyqueue_refill(struct keyqueue *queue)
{
	uint32_t queued = server_maps_keys_queued(queue->maps);
	enum refill refill = REFILL_IDLE;

	if (learn_tokens(queue))
		return REFILL_FAILED;
	if (queued < queue->room)
		refill = search_keys(queue, queue->room - queued);
	if (refill == REFILL_FAILED)
		return refill;
	queue->failed = false;
	queue->crowded = refill == REFILL_CROWDED;
	if (refill != REFILL_SHORT)
		set_reserve(queue);
	return refill;
}

int keyqueue_births(const struct keyqueue *queue)
{
	return queue->births;
}

uint32_t keyqueue_room(const struct keyqueue *queue)
{
	return queue->room;
}
