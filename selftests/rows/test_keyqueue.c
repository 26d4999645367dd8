// SPDX-License-Identifier: GPL-2.0-only
/* Which keys are let into the queue, with a kernel's maps and connections. Needs root. */
#define _GNU_SOURCE
#include <bpf/bpf.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <time.h>

#include "../../loader/mptcp_events.h"
#include "../../loader/mptcp_sockets.h"
#include "../../loader/tokens.h"
#include "keyqueue_fixture.h"

struct options options;

#define PLACES_PART 3               /* of what a full queue holds */
#define HANDSHAKE_NS 10000000000ull /* 10 s: long enough to be no handshake any more */

static bool is_right(const struct server_key *key)
{
	return keyhash_token(key->key, MPTCP_V1) == key->token &&
	       token_epoch(key->token) == goal.epoch &&
	       token_index(token_open(&goal.secret, key->token), goal.index_bits) == goal.index;
}

/* Whether no token comes twice, and no bucket of the kernel's holds more than three. */
static bool fit_the_kernel(const struct server_key *keys, uint32_t count)
{
	struct sysinfo host;
	struct tokens *tokens;
	bool fit = true;

	sysinfo(&host);
	tokens = tokens_new(tokens_kernel_buckets((uint64_t)host.totalram * host.mem_unit));
	for (uint32_t i = 0; i < count; i++) {
		fit &= tokens_allow(tokens, keys[i].token);
		tokens_add(tokens, keys[i].token);
	}
	tokens_free(tokens);
	return fit;
}

static void test_filling(struct server_key *keys)
{
	struct keyqueue *queue = open_queue(true);
	uint32_t room = keyqueue_room(queue), right = 0, count;

	ok(server_maps_keys_queued(maps) == room, "a queue is filled up to its %u keys", room);
	ok(keyqueue_refill(queue) == REFILL_IDLE, "a full queue needs nothing");
	for (int i = 0; i < 10; i++)
		server_maps_pop_key(maps, &keys[i]);
	ok(keyqueue_refill(queue) == REFILL_FULL && server_maps_keys_queued(maps) == room,
	   "ten keys that went are made good");
	count = 10 + pop_all(keys + 10);
	for (uint32_t i = 0; i < count; i++)
		right += is_right(&keys[i]);
	ok(count == room + 10 && right == count, "all keys are of the backend's index");
	ok(fit_the_kernel(keys, count), "no token comes twice and no bucket holds four");
	keyqueue_close(queue);
}

static int open_handed_out(void)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/server/handed_out", pin_dir);
	return bpf_obj_get(path);
}

static void hand_out(uint32_t token, uint64_t age_s)
{
	int map = open_handed_out();
	struct timespec now;
	uint64_t then;

	clock_gettime(CLOCK_MONOTONIC, &now);
	then = (now.tv_sec - age_s) * 1000000000ull + now.tv_nsec;
	if (bpf_map_update_elem(map, &token, &then, BPF_ANY))
		die("the map of what was handed out");
	close(map);
}

static void note_if_equal(uint32_t token, void *context)
{
	uint32_t *wanted = context;

	if (token == *wanted)
		*wanted = 0;
}

static bool is_live(uint32_t token)
{
	return !mptcp_sockets_tokens(note_if_equal, &token) && !token;
}

/* Connects with the one queued key; it is as if the cookie's time were up since long. */
static void make_live(const struct server_key *key)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons(PORT),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int listener = socket(AF_INET, SOCK_STREAM, IPPROTO_MPTCP), one = 1;
	int client = socket(AF_INET, SOCK_STREAM, IPPROTO_MPTCP);

	server_maps_push_key(maps, key);
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(listener, (void *)&address, sizeof(address)) || listen(listener, 1) ||
	    connect(client, (void *)&address, sizeof(address)) || accept(listener, NULL, NULL) < 0)
		die("no MPTCP connection over lo");
	close(listener);
	hand_out(key->token, COOKIE_LIFETIME_S + 10);
}

static uint32_t count_of(const struct server_key *key, const struct server_key *keys,
			 uint32_t count)
{
	uint32_t found = 0;

	for (uint32_t i = 0; i < count; i++)
		found += keys[i].key == key->key;
	return found;
}

/* keys: sixteen good ones that are not queued. What they are made into is queued anew. */
static void test_adoption(const struct server_key *keys, struct server_key *left)
{
	const struct server_key *good = &keys[0], *twice = &keys[1], *mixed = &keys[2],
				*handed_out = &keys[4], *handed_out_once = &keys[5],
				*live = &keys[6];
	struct server_key wrong = { .key = mixed->key, .token = keys[3].token };
	struct server_key foreign = { .key = htobe64(0x0123456789abcdef), .token = 0x55c53f5d };
	uint32_t count;

	make_live(live);
	ok(is_live(live->token), "a connection got the queued key");
	hand_out(handed_out->token, COOKIE_LIFETIME_S - 20);
	hand_out(handed_out_once->token, COOKIE_LIFETIME_S + 20);
	server_maps_push_key(maps, good);
	server_maps_push_key(maps, twice);
	server_maps_push_key(maps, twice);
	server_maps_push_key(maps, &wrong);
	server_maps_push_key(maps, &foreign);
	server_maps_push_key(maps, handed_out);
	server_maps_push_key(maps, handed_out_once);
	server_maps_push_key(maps, live);
	keyqueue_close(open_queue(false));

	count = pop_all(left);
	ok(count_of(good, left, count) == 1, "a key that an earlier run left is kept");
	ok(count_of(twice, left, count) == 1, "a key that is queued twice is kept once");
	ok(!count_of(&wrong, left, count), "a key with another's token is dropped");
	ok(!count_of(&foreign, left, count), "a key of another index is dropped");
	ok(!count_of(handed_out, left, count), "a key handed out 108 s ago is dropped");
	ok(count_of(handed_out_once, left, count) == 1, "a key handed out 148 s ago is kept");
	ok(!count_of(live, left, count), "a key of a living connection is dropped");
}

static void test_count(struct server_key *left)
{
	struct keyqueue *queue;

	server_maps_state(maps)->keys_queued = 5;
	queue = open_queue(true);
	ok(pop_all(left) == keyqueue_room(queue), "a count that a killed run left wrong is mended");
	keyqueue_close(queue);
}

struct births {
	uint32_t count, found;
	uint32_t token; /* that is looked for */
	struct address peer;
};

static void note_birth(uint32_t token, const struct address *peer, void *context)
{
	struct births *births = context;

	births->count++;
	if (token == births->token && peer) {
		births->found++;
		births->peer = *peer;
	}
}

static void test_births(const struct server_key *key)
{
	struct births births = { .token = key->token };
	struct mptcp_birth_walk walk = { note_birth, &births };
	int events = mptcp_events_open();
	struct address loopback;

	address_parse("127.0.0.1", &loopback);
	make_live(key);
	ok(events >= 0 && !mptcp_events_read(events, &walk) && births.found == 1 &&
		   address_equal(&births.peer, &loopback),
	   "the kernel tells of a connection's birth, with its token and its peer");
	ok(births.count == 2, "... and of its other end's, and of nothing else");
	ok(!mptcp_events_read(events, &walk) && births.count == 2, "... once");
	close(events);
}

/* Where no descriptor is to be had, no list of sockets is either. What was said is in `said`. */
static enum refill refill_blindly(struct keyqueue *queue, FILE *said)
{
	struct rlimit limit, none;
	int kept = dup(STDERR_FILENO);
	enum refill refill;

	getrlimit(RLIMIT_NOFILE, &limit);
	none = (struct rlimit){ 0, limit.rlim_max };
	dup2(fileno(said), STDERR_FILENO);
	setrlimit(RLIMIT_NOFILE, &none);
	refill = keyqueue_refill(queue);
	setrlimit(RLIMIT_NOFILE, &limit);
	dup2(kept, STDERR_FILENO);
	close(kept);
	return refill;
}

static uint32_t lines(FILE *file)
{
	uint32_t count = 0;
	int character;

	rewind(file);
	while ((character = getc(file)) != EOF)
		count += character == '\n';
	return count;
}

/* More births than there is room for, so that some are lost. */
static void lose_births(struct keyqueue *queue, const struct server_key *key)
{
	int none = 0;

	setsockopt(keyqueue_births(queue), SOL_SOCKET, SO_RCVBUF, &none, sizeof(none));
	for (int i = 0; i < 8; i++)
		make_live(&key[i]);
}

static void test_loss(const struct server_key *keys)
{
	struct keyqueue *queue = open_queue(true);
	struct server_key key;
	FILE *said = tmpfile();

	while (keyqueue_refill(queue) != REFILL_IDLE)
		;
	server_maps_pop_key(maps, &key);
	ok(refill_blindly(queue, said) == REFILL_FULL, "sockets are not listed without need");
	lose_births(queue, keys);
	ok(refill_blindly(queue, said) == REFILL_FAILED &&
		   refill_blindly(queue, said) == REFILL_FAILED,
	   "when births were lost they are, and where they can't be no key is queued");
	ok(lines(said) == 1, "... which is said once");
	ok(keyqueue_refill(queue) != REFILL_FAILED, "the turn after it goes on");
	fclose(said);
	keyqueue_close(queue);
}

/* Handed out just now, all but the last few of as many as are noted at most. */
static void hand_out_many(uint32_t places_left)
{
	LIBBPF_OPTS(bpf_map_batch_opts, options_batch);
	uint32_t count = SERVER_HANDED_OUT_MAX - places_left;
	uint32_t *tokens = calloc(count, sizeof(*tokens));
	uint64_t *times = calloc(count, sizeof(*times));
	int map = open_handed_out();
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	for (uint32_t i = 0; i < count; i++) {
		tokens[i] = 0xc0000000 | i; /* of another epoch */
		times[i] = now.tv_sec * 1000000000ull - HANDSHAKE_NS;
	}
	if (bpf_map_update_batch(map, tokens, times, &count, &options_batch))
		die("the map of what was handed out");
	close(map);
	free(tokens);
	free(times);
}

static void test_places(struct server_key *left)
{
	struct keyqueue *queue;
	uint32_t places = server_maps_state(maps)->keys_room / PLACES_PART, count;
	enum refill refill;

	pop_all(left);
	hand_out_many(places);
	queue = open_queue(false);
	while ((refill = keyqueue_refill(queue)) == REFILL_SHORT || refill == REFILL_FULL)
		;
	count = pop_all(left);
	ok(refill == REFILL_CROWDED && count <= places && count > places / 2,
	   "of keys that could not be noted as handed out none is queued: %u for %u places", count,
	   places);
	keyqueue_close(queue);
}

int main(void)
{
	struct server_key *keys = calloc(SERVER_KEYS_MAX, sizeof(*keys));
	struct server_key *left = calloc(SERVER_KEYS_MAX, sizeof(*left));

	set_up();
	test_filling(keys);
	test_adoption(keys, left);
	test_count(left);
	test_births(&keys[7]);
	test_loss(&keys[8]);
	test_places(left);
	server_maps_close(maps);
	free(keys);
	free(left);
	return tap_end();
}
