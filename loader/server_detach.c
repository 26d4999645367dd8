// SPDX-License-Identifier: GPL-2.0-only
/* server detach: no new stamps, and the programs stay until the last stamped connection closed. */
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "server_commands.h"
#include "server_connections.h"
#include "server_devices.h"
#include "server_maps.h"
#include "server_programs.h"
#include "server_switch.h"
#include "sysctls.h"

#define POLL_US 250000

/* A handshake in flight ends within this time, or its client is far away indeed. */
#define HANDSHAKE_S 3

/* An operator's change stands. */
static bool is_ours(const char *name, uint32_t ours, uint32_t before)
{
	uint32_t now;

	return !sysctl_read(name, &now) && now == ours && before != ours;
}

/*
 * Again and again comes to the same. Cookies of handshakes in flight were made without the
 * offset that tcp_timestamps may bring back.
 */
static void restore_sysctls(const struct server_state *state)
{
	if (is_ours(SYSCTL_SYNCOOKIES, SYNCOOKIES_ALWAYS, state->syncookies_before))
		sysctl_write(SYSCTL_SYNCOOKIES, state->syncookies_before);
	if (!is_ours(SYSCTL_TIMESTAMPS, TIMESTAMPS_NO_OFFSET, state->timestamps_before))
		return;
	sleep(HANDSHAKE_S);
	sysctl_write(SYSCTL_TIMESTAMPS, state->timestamps_before);
}

/* What says that there is something to restore goes last: killed, it can be done again. */
void server_remove(struct server_state *state)
{
	state->replacing = 0;
	state->stamping = 0;
	if (state->abi)
		restore_sysctls(state);
	for (int slot = 0; slot < SERVER_DEVICES_MAX; slot++)
		if (state->devices[slot])
			device_detach(state, slot);
	state->abi = 0;
	programs_unpin(options.pin_dir);
}

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ull + now.tv_nsec / 1000000;
}

/* Clients may hold a stamped SYN/ACK of which no socket tells: a cookie's. */
static void wait_for_handshakes(const struct server_state *state)
{
	while (now_ms() - state->switched_ms < HANDSHAKE_S * 1000)
		usleep(POLL_US);
}

static enum status wait_for_stamped(struct server_maps *maps)
{
	struct connections_living living;
	bool said = false;

	for (;;) {
		enum status status = connections_count(maps, &living);

		if (status || !living.stamped)
			return status;
		if (!said)
			fprintf(stderr,
				"mptcp-lb: waiting for %u stamped connections to close; new ones "
				"are plain, and 'server detach' may be interrupted and repeated\n",
				living.stamped);
		said = true;
		usleep(POLL_US);
	}
}

static enum status drain(struct server_maps *maps)
{
	struct server_state *state = server_maps_state(maps);
	enum status status = DONE;

	if (state->stamping)
		status = switch_off(maps);
	if (status)
		return status;
	wait_for_handshakes(state);
	return wait_for_stamped(maps);
}

static bool has_other_devices(const struct server_state *state, const struct device_list *devices)
{
	size_t attached = 0;

	for (int slot = 0; slot < SERVER_DEVICES_MAX; slot++)
		attached += state->devices[slot] != 0;
	return attached > devices->count;
}

static enum status require_attached(const struct server_state *state,
				    const struct device_list *devices)
{
	for (size_t i = 0; i < devices->count; i++)
		if (device_slot(state, devices->ifindex[i]) < 0)
			return fail(FAILED, "the server side is not on the device '%s'",
				    device_name(devices->ifindex[i]).text);
	return DONE;
}

/* Nothing tells which of them run through these devices. A device that is gone has none. */
static enum status refuse_stamped(struct server_maps *maps, const struct device_list *devices)
{
	bool stamping = server_maps_state(maps)->stamping, live = false;
	struct connections_living living;
	uint32_t stamped;
	enum status status;

	for (size_t i = 0; i < devices->count; i++)
		live |= programs_on(SERVER_EGRESS, devices->ifindex[i]);
	if (!live)
		return DONE;
	status = connections_count(maps, &living);
	if (status)
		return status;
	stamped = stamping ? living.all - living.exempt : living.stamped;
	if (stamped)
		return fail(FAILED,
			    "%u stamped connections live, and those through '%s' would break: "
			    "detach all devices at once, or say force",
			    stamped, device_name(devices->ifindex[0]).text);
	return DONE;
}

static enum status detach_some(struct server_maps *maps, const struct device_list *devices,
			       bool force)
{
	struct server_state *state = server_maps_state(maps);
	enum status status = force ? DONE : refuse_stamped(maps, devices);

	for (size_t i = 0; !status && i < devices->count; i++)
		device_detach(state, device_slot(state, devices->ifindex[i]));
	return status;
}

static enum status detach(struct server_maps *maps, const struct device_list *devices, bool force)
{
	struct server_state *state = server_maps_state(maps);
	enum status status = require_attached(state, devices);

	if (status)
		return status;
	if (has_other_devices(state, devices))
		return detach_some(maps, devices, force);
	if (!force)
		status = drain(maps);
	if (!status)
		server_remove(state);
	return status;
}

static enum status parse_request(struct words *words, struct device_list *devices, bool *force)
{
	enum status status;

	do {
		status = words_attached_device(words, devices);
		*force = !status && words_take(words, "force");
	} while (!status && !*force && words->count);
	return status ? status : words_end(words);
}

enum status server_detach(struct words *words)
{
	struct device_list devices = {};
	bool force;
	enum status status = parse_request(words, &devices, &force);
	struct server_maps *maps;
	int lock;

	if (!status)
		status = server_maps_lock(options.pin_dir, &lock);
	if (status)
		return status;
	status = server_maps_open(options.pin_dir, &maps);
	if (!status) {
		status = detach(maps, &devices, force);
		server_maps_close(maps);
	}
	close(lock);
	return status;
}
