// SPDX-License-Identifier: GPL-2.0-only
/* What comes of keys: connections that do not collide, and shares of a reserve. Needs root. */
#define _GNU_SOURCE
#include <poll.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>

#include "../../loader/tokens.h"
#include "keyqueue_fixture.h"

struct options options;

#define COLLISIONS 2   /* that random keys are to have */
#define CROWD_MAX 8192 /* connections; far more than it takes */
#define BUCKETS_EACH 16

/* So few tokens that random ones collide among some 1,000. */
static const struct keysearch_goal crowded_goal = {
	.secret = { 0x0706050403020100, 0x0f0e0d0c0b0a0908 },
	.epoch = 1,
	.index_bits = 12,
	.index = 7,
	.version = MPTCP_V1,
};

static int connect_from(const char *source)
{
	struct sockaddr_in from = { .sin_family = AF_INET }, to = {
		.sin_family = AF_INET,
		.sin_port = htons(CROWD_PORT),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int client = socket(AF_INET, SOCK_STREAM, IPPROTO_MPTCP);

	inet_pton(AF_INET, source, &from.sin_addr);
	if (bind(client, (void *)&from, sizeof(from)) || connect(client, (void *)&to, sizeof(to)))
		die("no MPTCP connection over lo");
	return client;
}

static int listen_for_many(void)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons(CROWD_PORT),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, IPPROTO_MPTCP), one = 1;

	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(listener, (void *)&address, sizeof(address)) || listen(listener, 4096))
		die("nobody listens");
	return listener;
}

/* A handshake over lo is over when connect() returns, but for a softirq that was put off. */
#define PATIENCE_MS 500

static bool is_accepted(int listener, int *server)
{
	struct pollfd wait = { .fd = listener, .events = POLLIN };

	poll(&wait, 1, PATIENCE_MS);
	*server = accept(listener, NULL, NULL);
	return *server >= 0;
}

/* How many of so many connections, all live at once, the server never comes to know. */
static uint32_t hung_of(uint32_t count)
{
	static int ends[2 * CROWD_MAX];
	int listener = listen_for_many();
	uint32_t hung = 0;

	for (uint32_t i = 0; i < count; i++) {
		ends[2 * i] = connect_from("127.0.0.1");
		hung += !is_accepted(listener, &ends[2 * i + 1]);
	}
	/* Who was late, and made another seem so. */
	for (int late; is_accepted(listener, &late); hung--)
		close(late);
	for (uint32_t i = 0; i < 2 * count; i++)
		if (ends[i] >= 0)
			close(ends[i]);
	close(listener);
	return hung;
}

/* Queues keys as they are found, until so many as are wanted have a token for the second time. */
static uint32_t queue_colliding(void)
{
	struct keysearch *search = keysearch_open(&crowded_goal);
	struct tokens *seen = tokens_new(65536);
	uint32_t count = 0, collisions = 0;
	struct server_key key;

	while (collisions < COLLISIONS && count < CROWD_MAX) {
		while (!keysearch_next(search, 1 << 20, &key))
			;
		collisions += !tokens_allow(seen, key.token);
		tokens_bar(seen, key.token);
		server_maps_push_key(maps, &key);
		count++;
	}
	tokens_free(seen);
	keysearch_close(search);
	return count;
}

/*
 * The clients are here, too, and their tokens, of which the queue learns too late, fill buckets.
 * In a table of 16 buckets for each connection, that costs one of them in some hundred runs.
 */
static bool is_small_table(uint32_t count)
{
	struct sysinfo host;

	sysinfo(&host);
	return tokens_kernel_buckets((uint64_t)host.totalram * host.mem_unit) <
	       BUCKETS_EACH * count;
}

/* What one is allowed to have open is too little for a crowd. */
static void test_collisions(void)
{
	struct rlimit limit = { 3 * CROWD_MAX, 3 * CROWD_MAX };
	struct keyqueue *queue;
	uint32_t count, hung;

	setrlimit(RLIMIT_NOFILE, &limit);
	count = queue_colliding();
	hung = hung_of(count);
	/* The kernel has one table for all network namespaces: others may add to it. */
	ok(hung >= COLLISIONS, "of %u connections with keys at random, %u hang", count, hung);
	if (keyqueue_open(maps, &crowded_goal, 1, &queue))
		die("no queue of keys");
	while (server_maps_keys_queued(maps) < count)
		keyqueue_refill(queue);
	hung = hung_of(count);
	ok(!hung || is_small_table(count),
	   "of as many with keys by the queue, while those end, %u hang%s", hung,
	   is_small_table(count) ? " # SKIP this host's table of tokens is small" : "");
	keyqueue_close(queue);
}

/* What the counters say of so many connections from a source. */
static struct outcome {
	uint64_t replaced, reserved, share_used;
} outcome_of(const char *source, uint32_t count)
{
	uint64_t before[SERVER_COUNTER_COUNT], after[SERVER_COUNTER_COUNT];
	int listener = listen_for_many(), server;

	server_maps_counters(maps, before);
	for (uint32_t i = 0; i < count; i++) {
		int client = connect_from(source);

		if (!is_accepted(listener, &server))
			die("a connection hangs");
		close(client);
		close(server);
	}
	server_maps_counters(maps, after);
	close(listener);
	return (struct outcome){
		.replaced = after[SERVER_key_replaced] - before[SERVER_key_replaced],
		.reserved = after[SERVER_reserved] - before[SERVER_reserved],
		.share_used = after[SERVER_share_used] - before[SERVER_share_used],
	};
}

static void test_reserve(void)
{
	struct keyqueue *queue = open_queue(true);
	struct outcome outcome;

	ok(reserve == keyqueue_room(queue) / 4, "a quarter of a full queue is reserved");
	outcome = outcome_of("127.1.1.1", 3);
	ok(outcome.replaced == 3, "while there are more, whoever comes gets keys");
	server_maps_state(maps)->keys_reserve = SERVER_KEYS_MAX;
	outcome = outcome_of("127.1.2.1", 3);
	ok(outcome.reserved == 3, "the reserve is not for networks that nobody connected from");
	keyqueue_refill(queue);
	outcome = outcome_of("127.1.2.99", 1);
	ok(outcome.replaced == 1, "... but for their neighbours, once they did");
	outcome = outcome_of("127.1.2.99", 2 * SHARE_KEYS);
	ok(outcome.replaced + outcome.share_used == 2 * SHARE_KEYS &&
		   outcome.replaced >= SHARE_KEYS - 1 && outcome.share_used,
	   "a network gets its share of the reserve and no more");
	outcome = outcome_of("127.1.1.1", 1);
	ok(outcome.replaced == 1, "... and leaves another network's alone");
	server_maps_state(maps)->keys_reserve = 0;
	keyqueue_close(queue);
}

static void test_networks(void)
{
	static const char *const rows[][2] = {
		{ "192.0.2.77", "192.0.2.0" },
		{ "2001:db8:1:2345::9", "2001:db8:1:2300::" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct address address, network;

		address_parse(rows[i][0], &address);
		address_parse(rows[i][1], &network);
		server_network(&address);
		ok(address_equal(&address, &network), "%s is of the network %s", rows[i][0],
		   rows[i][1]);
	}
}

int main(void)
{
	set_up();
	test_collisions();
	test_reserve();
	test_networks();
	server_maps_close(maps);
	return tap_end();
}
