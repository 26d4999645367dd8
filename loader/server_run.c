// SPDX-License-Identifier: GPL-2.0-only
/* `server run`, the daemon of a server: what it looks after, turn by turn. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "journal.h"
#include "keyhunt.h"
#include "keyqueue.h"
#include "server_commands.h"
#include "server_connections.h"
#include "server_goal.h"
#include "server_refresh.h"
#include "server_watch.h"

#define NICENESS 10
#define WAIT_REST_MS 50  /* between turns of as long: half of a CPU for each thread, at most */
#define WAIT_BUSY_MS 100 /* while keys go, or are hard to find */
#define WAIT_IDLE_MS 1000
#define BUSY_FOR_S 10 /* after a key went */
#define CROWDED_SAID_EVERY_S 600
#define PRUNE_EVERY_S 10

struct daemon {
	struct server_maps *maps;
	struct server_state *state;
	struct keyqueue *queue;
	struct server_watch *watch;
	struct server_refresh *refresh;
	struct keysearch_goal goal;
	struct goal_files files;
	uint64_t threads; /* that search keys */
	int signals;
	int64_t began_ms;
	bool filled;         /* once */
	time_t crowded_said; /* 0: never */
	time_t key_went;
	time_t pruned;
	bool prune_failed; /* the last time, and it was said */
};

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

/* Twice within the time that a stamp lasts, should one segment be lost. */
static void refresh_stamps(struct daemon *daemon)
{
	if (daemon->state->stamping)
		refresh_turn(daemon->refresh, daemon->files.horizon_ms / 2);
}

static bool is_detached(const struct daemon *daemon)
{
	return daemon->state->abi != SERVER_ABI || !server_maps_attached(options.pin_dir);
}

/* Keys of what the configuration said before are dropped from the queue; in use they stay. */
static enum status begin_anew(struct daemon *daemon, const struct keysearch_goal *goal)
{
	uint32_t before = daemon->goal.epoch;
	enum status status;

	keyqueue_close(daemon->queue);
	daemon->queue = NULL;
	status = keyqueue_open(daemon->maps, goal, daemon->threads, &daemon->queue);
	if (status)
		return status;
	daemon->goal = *goal;
	daemon->began_ms = now_ms();
	daemon->filled = false;
	if (goal->epoch != before)
		note("keys are issued under epoch %u from now on, and no more under epoch %u",
		     goal->epoch, before);
	else
		note("keys are issued under a new secret of epoch %u from now on", goal->epoch);
	return DONE;
}

static enum status reread(struct daemon *daemon)
{
	struct keysearch_goal goal;
	enum status status = DONE;

	if (goal_read(daemon->state, &goal, &daemon->files))
		note("keys are issued as before, since the configuration can't be followed");
	else if (!goal_equal(&goal, &daemon->goal))
		status = begin_anew(daemon, &goal);
	explicit_bzero(&goal, sizeof(goal));
	return status;
}

/* What a signal asks for; *ends if it asks for the end. */
static enum status obey(struct daemon *daemon, bool *ends)
{
	struct signalfd_siginfo signal;

	if (read(daemon->signals, &signal, sizeof(signal)) != sizeof(signal))
		return DONE;
	*ends = signal.ssi_signo != SIGHUP;
	return *ends ? DONE : reread(daemon);
}

/*
 * Until a signal comes, something changes on the host, or it is time. While nothing happens,
 * the birth of a connection ends the wait.
 */
static enum status wait_for_turn(struct daemon *daemon, int wait_ms, bool *ends)
{
	struct pollfd fds[] = {
		{ .fd = daemon->signals, .events = POLLIN },
		{ .fd = watch_events(daemon->watch), .events = POLLIN },
		{ .fd = keyqueue_births(daemon->queue), .events = POLLIN },
	};

	poll(fds, wait_ms == WAIT_IDLE_MS ? 3 : 2, wait_ms);
	if (fds[2].revents)
		daemon->key_went = now_s();
	if (fds[0].revents)
		return obey(daemon, ends);
	return goal_files_changed(&daemon->files) ? reread(daemon) : DONE;
}

static enum status serve(struct daemon *daemon)
{
	enum status status;
	bool ends = false;
	int wait_ms = 0;

	while (!(status = wait_for_turn(daemon, wait_ms, &ends)) && !ends) {
		enum refill refill;

		if (is_detached(daemon)) {
			note("the server side was detached");
			return DONE;
		}
		watch_turn(daemon->watch);
		refill = keyqueue_refill(daemon->queue);
		prune_connections(daemon);
		refresh_stamps(daemon);
		say_progress(daemon, refill);
		wait_ms = pace_ms(daemon, refill);
	}
	return status;
}

/* A signal is taken between two turns, so none leaves a key half queued. */
static enum status open_signals(struct daemon *daemon)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	daemon->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (daemon->signals < 0)
		return fail(FAILED, "signals cannot be waited for: %s", strerror(errno));
	return DONE;
}

static enum status fill_and_serve(struct daemon *daemon)
{
	enum status status = goal_read(daemon->state, &daemon->goal, &daemon->files);

	if (status)
		return status;
	status = keyqueue_open(daemon->maps, &daemon->goal, daemon->threads, &daemon->queue);
	if (!status)
		status = serve(daemon);
	if (daemon->queue)
		keyqueue_close(daemon->queue);
	return status;
}

static enum status claim_and_watch(struct daemon *daemon)
{
	enum status status;

	if (daemon->state->abi != SERVER_ABI)
		return fail(NOT_LOADED, "the server side is not attached");
	if (!server_maps_claim_queue(daemon->maps))
		return fail(FAILED, "another 'server run' is at work here");
	status = watch_open(daemon->maps, &daemon->watch);
	if (status)
		return status;
	status = refresh_open(daemon->maps, &daemon->refresh);
	if (!status) {
		status = fill_and_serve(daemon);
		refresh_close(daemon->refresh);
	}
	watch_close(daemon->watch);
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

	if (!status)
		status = server_maps_open(options.pin_dir, &daemon.maps);
	if (status)
		return status;
	daemon.state = server_maps_state(daemon.maps);
	nice(NICENESS);
	status = open_signals(&daemon);
	if (!status) {
		status = claim_and_watch(&daemon);
		close(daemon.signals);
	}
	explicit_bzero(&daemon.goal, sizeof(daemon.goal));
	server_maps_close(daemon.maps);
	return status;
}
