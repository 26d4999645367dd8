// SPDX-License-Identifier: GPL-2.0-only
#include <linux/membarrier.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "server_connections.h"
#include "server_switch.h"
#include "sysctls.h"

/* Where the kernel can't be asked, with nohz_full: no program runs for so long. */
#define PROGRAM_RUN_MAX_US 20000

/* A program that runs has read the state at its start: waits until it has ended. */
static void wait_for_programs(void)
{
	if (syscall(__NR_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0))
		usleep(PROGRAM_RUN_MAX_US);
}

static void set(uint32_t *flag, uint32_t value)
{
	__atomic_store_n(flag, value, __ATOMIC_SEQ_CST);
	wait_for_programs();
}

/* Programs cease to judge when the time is long ago, so they must have seen the new one. */
static void judge(struct server_state *state, enum judging judging)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	state->switched_ms = now.tv_sec * 1000ull + now.tv_nsec / 1000000;
	wait_for_programs();
	set(&state->judging, judging);
}

static void set_stamping(struct server_state *state, uint32_t value)
{
	judge(state, JUDGE_HANDSHAKES);
	set(&state->stamping, value);
}

void switch_judge(struct server_state *state)
{
	judge(state, JUDGE_CONNECTIONS);
}

static enum status set_sysctl(const char *name, uint32_t value)
{
	int error = sysctl_write(name, value);

	return error ? fail(FAILED, "can't set the sysctl %s: %s", name, strerror(-error)) : DONE;
}

void switch_prepare(struct server_state *state)
{
	set(&state->recording, 1);
}

/*
 * What a segment or a socket tells of is noted before anything is stamped. A handshake by
 * cookie tells nothing until its third ACK: server_treatment.bpf.h sees to those.
 */
enum status switch_on(struct server_maps *maps)
{
	struct server_state *state = server_maps_state(maps);
	enum status status;

	set(&state->recording, 1);
	status = state->stamping ? connections_note(maps, TREAT_STAMPED, TREAT_STAMPED)
				 : connections_note(maps, TREAT_PLAIN_HANDSHAKE, TREAT_PLAIN);
	if (!status)
		status = set_sysctl(SYSCTL_TIMESTAMPS, TIMESTAMPS_NO_OFFSET);
	if (!status)
		status = set_sysctl(SYSCTL_SYNCOOKIES, SYNCOOKIES_ALWAYS);
	if (status)
		return status;
	set_stamping(state, 1);
	set(&state->recording, 0);
	set(&state->replacing, 1);
	return DONE;
}

enum status switch_off(struct server_maps *maps)
{
	struct server_state *state = server_maps_state(maps);
	enum status status;
	int error;

	set(&state->replacing, 0);
	error = connections_prune(maps);
	if (error)
		return connections_unread(error);
	set(&state->recording, 1);
	status = connections_note(maps, TREAT_STAMPED, TREAT_STAMPED);
	if (!status)
		set_stamping(state, 0);
	set(&state->recording, 0);
	return status;
}
