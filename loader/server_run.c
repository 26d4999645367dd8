// SPDX-License-Identifier: GPL-2.0-only
/* `server run`, the daemon of a server: what it looks after, turn by turn. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "config.h"
#include "keyhunt.h"
#include "keyqueue.h"
#include "server_commands.h"
#include "server_connections.h"
#include "sysctls.h"

#define NICENESS 10
#define WAIT_REST_MS 50  /* between turns of as long: half of a CPU for each thread, at most */
#define WAIT_BUSY_MS 100 /* while keys go, or are hard to find */
#define WAIT_IDLE_MS 1000
#define BUSY_FOR_S 10 /* after a key went */
#define CROWDED_SAID_EVERY_S 600
#define PRUNE_EVERY_S 10

static const struct {
	const char *name, *words;
	uint32_t wanted;
	const char *cost;
} watched[] = {
	{ SYSCTL_SYNCOOKIES, "net.ipv4.tcp_syncookies", SYNCOOKIES_ALWAYS,
	  "new connections keep the kernel's keys, and lose their joins" },
	{ SYSCTL_TIMESTAMPS, "net.ipv4.tcp_timestamps", TIMESTAMPS_NO_OFFSET,
	  "new connections get wrong stamps or none, and break when the ring changes" },
};

#define WATCHED (sizeof(watched) / sizeof(*watched))

struct daemon {
	struct server_maps *maps;
	struct server_state *state;
	struct keyqueue *queue;
	uint64_t threads; /* that search keys */
	int signals;
	uint32_t sysctls[WATCHED]; /* as last seen */
	int64_t began_ms;
	bool filled;         /* once */
	time_t crowded_said; /* 0: never */
	time_t key_went;
	time_t pruned;
	bool prune_failed; /* the last time, and it was said */
};

/* For the journal, which adds the time. */
static void __attribute__((format(printf, 1, 2))) note(const char *format, ...)
{
	va_list arguments;

	fputs("server run: ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

static time_t now_s(void)
{
	return now_ms() / 1000;
}

static void watch_sysctls(struct daemon *daemon)
{
	for (size_t i = 0; i < WATCHED; i++) {
		uint32_t value;

		if (sysctl_read(watched[i].name, &value) || value == daemon->sysctls[i])
			continue;
		daemon->sysctls[i] = value;
		if (value == watched[i].wanted)
			note("%s is %u again", watched[i].words, value);
		else
			note("%s is %u and not %u: %s", watched[i].words, value, watched[i].wanted,
			     watched[i].cost);
	}
}

static bool are_short(const struct daemon *daemon)
{
	return server_maps_keys_queued(daemon->maps) <= daemon->state->keys_reserve;
}

static void say_progress(struct daemon *daemon, enum refill refill)
{
	time_t now = now_s();

	if (!daemon->filled && refill != REFILL_SHORT && refill != REFILL_FAILED) {
		note("%u keys queued for index %u, after %.1f s",
		     server_maps_keys_queued(daemon->maps), daemon->state->index,
		     (now_ms() - daemon->began_ms) / 1000.0);
		daemon->filled = true;
	}
	if (refill == REFILL_CROWDED && are_short(daemon) &&
	    (!daemon->crowded_said || now - daemon->crowded_said >= CROWDED_SAID_EVERY_S)) {
		note("the kernel's table of tokens is crowded: keys run short, and connections "
		     "without one lose their joins");
		daemon->crowded_said = now;
	}
}

/* How long to wait for a signal before the next turn. */
static int pace_ms(struct daemon *daemon, enum refill refill)
{
	if (refill == REFILL_SHORT)
		return daemon->filled ? WAIT_REST_MS : 0;
	if (refill == REFILL_FAILED)
		return WAIT_IDLE_MS;
	if (refill != REFILL_IDLE)
		daemon->key_went = now_s();
	return now_s() - daemon->key_went < BUSY_FOR_S ? WAIT_BUSY_MS : WAIT_IDLE_MS;
}

/* An attach or a detach that is at work records connections, and needs them all. */
static void prune_connections(struct daemon *daemon)
{
	time_t now = now_s();
	int error;

	if (daemon->state->recording || now - daemon->pruned < PRUNE_EVERY_S)
		return;
	daemon->pruned = now;
	error = connections_prune(daemon->maps);
	if (error && !daemon->prune_failed)
		connections_unread(error);
	daemon->prune_failed = error;
}

static bool is_detached(const struct daemon *daemon)
{
	return daemon->state->abi != SERVER_ABI || !server_maps_attached(options.pin_dir);
}

/* False on a signal. While nothing happens, the birth of a connection ends the wait. */
static bool wait_for_turn(struct daemon *daemon, int wait_ms)
{
	struct pollfd fds[] = {
		{ .fd = daemon->signals, .events = POLLIN },
		{ .fd = keyqueue_births(daemon->queue), .events = POLLIN },
	};

	poll(fds, wait_ms == WAIT_IDLE_MS ? 2 : 1, wait_ms);
	if (fds[1].revents)
		daemon->key_went = now_s();
	return !fds[0].revents;
}

static enum status serve(struct daemon *daemon)
{
	int wait_ms = 0;

	while (wait_for_turn(daemon, wait_ms)) {
		enum refill refill;

		if (is_detached(daemon)) {
			note("the server side was detached");
			return DONE;
		}
		watch_sysctls(daemon);
		refill = keyqueue_refill(daemon->queue);
		prune_connections(daemon);
		say_progress(daemon, refill);
		wait_ms = pace_ms(daemon, refill);
	}
	return DONE;
}

/* A signal is taken between two turns, so none leaves a key half queued. */
static enum status open_signals(struct daemon *daemon)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	daemon->signals = signalfd(-1, &set, SFD_CLOEXEC);
	if (daemon->signals < 0)
		return fail(FAILED, "signals cannot be waited for: %s", strerror(errno));
	return DONE;
}

static enum status goal_of(const struct config *config, const struct server_state *state,
			   struct keysearch_goal *goal)
{
	if (config->index_bits != state->index_bits)
		return fail(BAD_CONFIG,
			    "the server side was attached with index-bits %u, and the "
			    "configuration says %u",
			    state->index_bits, config->index_bits);
	if (!config->secrets[config->epoch].present)
		return fail(BAD_CONFIG,
			    "there is no secret for epoch %u, under which keys are issued",
			    config->epoch);
	*goal = (struct keysearch_goal){
		.secret = config->secrets[config->epoch].secret,
		.epoch = config->epoch,
		.index_bits = state->index_bits,
		.index = state->index,
		.version = MPTCP_V1, /* the only one that Linux speaks */
	};
	return DONE;
}

static enum status read_goal(const struct server_state *state, struct keysearch_goal *goal)
{
	const char *file = options.config_file ? options.config_file : CONFIG_FILE_DEFAULT;
	struct config *config = config_new();
	enum status status = config_read(file, config);

	if (!status)
		status = goal_of(config, state, goal);
	config_free(config);
	return status;
}

static enum status fill_and_serve(struct daemon *daemon)
{
	struct keysearch_goal goal;
	enum status status;

	if (daemon->state->abi != SERVER_ABI)
		return fail(NOT_LOADED, "the server side is not attached");
	if (!server_maps_claim_queue(daemon->maps))
		return fail(FAILED, "another 'server run' is at work here");
	status = read_goal(daemon->state, &goal);
	if (status)
		return status;
	status = keyqueue_open(daemon->maps, &goal, daemon->threads, &daemon->queue);
	explicit_bzero(&goal, sizeof(goal));
	if (status)
		return status;
	status = serve(daemon);
	keyqueue_close(daemon->queue);
	return status;
}

static enum status parse_words(struct words *words, struct daemon *daemon)
{
	enum status status = DONE;

	if (words_take(words, "threads"))
		status = words_number(words, "threads", 1, KEYHUNT_THREADS_MAX, &daemon->threads);
	return status ? status : words_end(words);
}

enum status server_run(struct words *words)
{
	struct daemon daemon = { .threads = 1, .began_ms = now_ms() };
	enum status status = parse_words(words, &daemon);

	for (size_t i = 0; i < WATCHED; i++)
		daemon.sysctls[i] = watched[i].wanted;
	if (!status)
		status = server_maps_open(options.pin_dir, &daemon.maps);
	if (status)
		return status;
	daemon.state = server_maps_state(daemon.maps);
	nice(NICENESS);
	status = open_signals(&daemon);
	if (!status) {
		status = fill_and_serve(&daemon);
		close(daemon.signals);
	}
	server_maps_close(daemon.maps);
	return status;
}
