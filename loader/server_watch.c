// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "../include/stamp.h"
#include "address.h"
#include "journal.h"
#include "rtnetlink.h"
#include "server_devices.h"
#include "server_identity.h"
#include "server_watch.h"
#include "stamp_offset.h"
#include "sysctls.h"

#define CLOCK_STEP_MS 1000 /* less is slewed */
#define LOOK_EVERY_S 30    /* should an event be lost */

static const struct {
	const char *name;
	uint32_t wanted;
	const char *cost;
} watched[] = {
	{ SYSCTL_SYNCOOKIES, SYNCOOKIES_ALWAYS,
	  "new connections keep the kernel's keys, and lose their joins" },
	{ SYSCTL_TIMESTAMPS, TIMESTAMPS_NO_OFFSET,
	  "new connections get wrong stamps or none, and break when the ring changes" },
};

#define WATCHED (sizeof(watched) / sizeof(*watched))

/* How far the clock is from where it was when the stamps of this boot began. */
enum clock_level { CLOCK_WELL, CLOCK_NEAR, CLOCK_BEYOND };

struct server_watch {
	struct server_maps *maps;
	struct server_state *state;
	struct mnl_socket *netlink;
	uint32_t sysctls[WATCHED]; /* as last seen */
	int32_t drift_ms;
	enum clock_level clock_level;
	time_t looked; /* 0: it is time to */
	struct device_guard devices[SERVER_DEVICES_MAX];
	struct address missing[MAX_SERVICES];
	size_t missing_count;
};

static time_t now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

/* A detach gives them back. */
static void watch_sysctls(struct server_watch *watch)
{
	if (!watch->state->replacing)
		return;
	for (size_t i = 0; i < WATCHED; i++) {
		uint32_t value;

		if (sysctl_read(watched[i].name, &value) || value == watch->sysctls[i])
			continue;
		watch->sysctls[i] = value;
		if (value == watched[i].wanted)
			note("%s is %u again", watched[i].name, value);
		else
			note("%s is %u and not %u: %s", watched[i].name, value, watched[i].wanted,
			     watched[i].cost);
	}
}

static enum clock_level level_of(const struct server_watch *watch, int32_t drift_ms)
{
	uint32_t allowed = stamp_clock_error_ms(watch->state->index_bits);
	uint32_t drift = abs(drift_ms);

	return drift > allowed ? CLOCK_BEYOND : drift > allowed / 2 ? CLOCK_NEAR : CLOCK_WELL;
}

/* The offset stays: connections hold stamps that were made with it. */
static void watch_clock(struct server_watch *watch)
{
	uint32_t allowed_s = stamp_clock_error_ms(watch->state->index_bits) / 1000;
	int32_t drift_ms = stamp_offset_now() - watch->state->offset;
	enum clock_level level = level_of(watch, drift_ms);
	bool stepped = abs(drift_ms - watch->drift_ms) >= CLOCK_STEP_MS;

	watch->drift_ms = drift_ms;
	if (!stepped && level == watch->clock_level)
		return;
	watch->clock_level = level;
	if (level == CLOCK_BEYOND)
		note("the clock is %d s from where it was when the stamps of this boot began, more "
		     "than the %u s that balancers allow: stamps name other backends; set it "
		     "right, "
		     "or, if it is now, detach and boot anew",
		     drift_ms / 1000, allowed_s);
	else
		note("the clock is %d s from where it was when the stamps of this boot began, of "
		     "%u "
		     "s that balancers allow: stamps go on as they were%s",
		     drift_ms / 1000, allowed_s, level == CLOCK_NEAR ? ", but it is near" : "");
}

static void watch_device(struct server_watch *watch, int slot)
{
	struct device_guard *guard = &watch->devices[slot];

	switch (device_guard(options.pin_dir, watch->state, slot, guard)) {
	case DEVICE_AS_BEFORE:
		break;
	case DEVICE_GONE:
		note("the device '%s' is gone: nothing is stamped there until it is back",
		     guard->name);
		break;
	case DEVICE_BACK:
		note("the device '%s' is back, and the programs are on it again", guard->name);
		break;
	case DEVICE_MENDED:
		note("somebody took the programs off the device '%s': they are on it again",
		     guard->name);
		break;
	case DEVICE_UPGRADED:
		note("the programs on the device '%s' were replaced by others", guard->name);
		break;
	case DEVICE_LOST:
		note("the device '%s' lacks the programs and can't get them: see 'server check'",
		     guard->name);
		break;
	}
}

static bool was_missing(const struct server_watch *watch, const struct address *address)
{
	for (size_t i = 0; i < watch->missing_count; i++)
		if (address_equal(&watch->missing[i], address))
			return true;
	return false;
}

static void forget_missing(struct server_watch *watch, const struct address *address)
{
	for (size_t i = 0; i < watch->missing_count; i++)
		if (address_equal(&watch->missing[i], address)) {
			watch->missing[i] = watch->missing[--watch->missing_count];
			return;
		}
}

/* Not put back: somebody may have wanted it so. */
static void watch_address(struct server_watch *watch, const struct address *address)
{
	struct address_text text = address_print(address);
	bool missed = was_missing(watch, address);
	char device[IF_NAMESIZE];

	if (identity_find_address(address, device)) {
		if (missed)
			note("this host has the address %s again", text.text);
		forget_missing(watch, address);
	} else if (!missed && watch->missing_count < MAX_SERVICES) {
		note("this host has lost the address %s: what is sent there finds nobody, until: "
		     "ip "
		     "addr add %s dev lo",
		     text.text, text.text);
		watch->missing[watch->missing_count++] = *address;
	}
}

static void watch_service(const struct server_service *service, void *watch)
{
	watch_address(watch, &service->address);
}

/* A device is gone, or what mends it was at work elsewhere. */
static bool is_waiting(const struct server_watch *watch)
{
	bool waiting = false;

	for (int slot = 0; slot < SERVER_DEVICES_MAX; slot++)
		waiting |= watch->state->devices[slot] && watch->devices[slot].again;
	return waiting;
}

static void look(struct server_watch *watch)
{
	watch->looked = now_s();
	for (int slot = 0; slot < SERVER_DEVICES_MAX; slot++)
		if (watch->state->devices[slot])
			watch_device(watch, slot);
	server_maps_each_service(watch->maps, watch_service, watch);
}

/* What an event says does not matter: after a lost one there would be no telling anyway. */
static void drain_events(struct server_watch *watch)
{
	_Alignas(struct nlmsghdr) char buffer[8192];
	int fd = mnl_socket_get_fd(watch->netlink);

	while (recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT) >= 0 || errno == ENOBUFS)
		watch->looked = 0;
}

void watch_turn(struct server_watch *watch)
{
	drain_events(watch);
	watch_sysctls(watch);
	watch_clock(watch);
	if (!watch->looked || now_s() - watch->looked >= LOOK_EVERY_S || is_waiting(watch))
		look(watch);
}

static int subscribe(struct mnl_socket *netlink)
{
	static const int groups[] = { RTNLGRP_LINK, RTNLGRP_TC, RTNLGRP_IPV4_IFADDR,
				      RTNLGRP_IPV6_IFADDR };

	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
		if (mnl_socket_setsockopt(netlink, NETLINK_ADD_MEMBERSHIP, (void *)&groups[i],
					  sizeof(groups[i])))
			return -errno;
	return 0;
}

enum status watch_open(struct server_maps *maps, struct server_watch **watch)
{
	struct server_watch *w = calloc(1, sizeof(*w));

	if (!w)
		return fail(FAILED, "there is no memory to watch this host with");
	w->maps = maps;
	w->state = server_maps_state(maps);
	for (size_t i = 0; i < WATCHED; i++)
		w->sysctls[i] = watched[i].wanted;
	w->drift_ms = stamp_offset_now() - w->state->offset;
	w->netlink = rtnetlink_open();
	if (!w->netlink || subscribe(w->netlink)) {
		watch_close(w);
		return fail(FAILED, "can't watch devices and addresses: %s", strerror(errno));
	}
	*watch = w;
	return DONE;
}

void watch_close(struct server_watch *watch)
{
	if (watch->netlink)
		mnl_socket_close(watch->netlink);
	free(watch);
}

int watch_events(const struct server_watch *watch)
{
	return mnl_socket_get_fd(watch->netlink);
}
