/* SPDX-License-Identifier: GPL-2.0-only */
/* The balancer loaded in a network namespace of its own, for tests that run its program. */
#ifndef SELFTESTS_FIXTURE_H
#define SELFTESTS_FIXTURE_H

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../loader/address.h"
#include "../loader/tables.h"

/* Where the fixture's maps are pinned; removed again by the test. */
static char fixture_pins[64];

static inline void fixture_unpin(void)
{
	char command[sizeof(fixture_pins) + 16];

	snprintf(command, sizeof(command), "rm -rf %s", fixture_pins);
	if (system(command))
		printf("# can't remove %s\n", fixture_pins);
}

static inline void fixture_die(const char *what)
{
	printf("Bail out! %s: %s\n", what, strerror(errno));
	exit(1);
}

/*
 * Packets of test runs come in by lo, so what is routed by lo, 10.9.0.0/16, goes out by
 * XDP_TX, and so does fd00:9::/32; 10.8.0.0/16 lies behind another device, whose address is
 * 02:00:00:00:00:cc.
 */
static inline void fixture_network(const char *name)
{
	if (unshare(CLONE_NEWNET))
		fixture_die("this needs root");
	if (system("ip link set lo up && ip route add 10.9.0.0/16 dev lo && "
		   "ip -6 route add fd00:9::/32 dev lo && "
		   "ip link add out type veth peer name far && "
		   "ip link set out address 02:00:00:00:00:cc && "
		   "ip link set out up && ip link set far up && ip route add 10.8.0.0/16 dev out"))
		fixture_die("can't make the network");
	snprintf(fixture_pins, sizeof(fixture_pins), "/sys/fs/bpf/mptcp-lb-%s-%d", name, getpid());
	options.pin_dir = fixture_pins;
	atexit(fixture_unpin);
}

/* A map or program of the balancer's, by the name that it is pinned under. */
static inline int fixture_open_pin(const char *name)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", fixture_pins, name);
	fd = bpf_obj_get(path);
	if (fd < 0)
		fixture_die(path);
	return fd;
}

/*
 * Another object's map of devices becomes the balancer's. The kernel adds a flag to device
 * maps, so libbpf 1.1 takes the pinned one for another's and would not reuse it by name.
 */
static inline void fixture_share_devices(struct bpf_map *devices)
{
	if (bpf_map__set_pin_path(devices, NULL) ||
	    bpf_map__reuse_fd(devices, fixture_open_pin("devices")))
		fixture_die("can't share the map of devices");
}

static inline void fixture_lladdr(uint32_t index, uint8_t lladdr[static 6])
{
	memcpy(lladdr, (uint8_t[]){ 2, 0, 0, 1, index >> 8, index }, 6);
}

/* address is a format of one number, the index. */
static inline void fixture_backend(struct config *config, uint32_t index, bool behind_out,
				   enum backend_state state)
{
	struct config_backend *backend = &config->backends[index];
	char text[INET6_ADDRSTRLEN];

	snprintf(text, sizeof(text), "10.%d.%u.%u", behind_out ? 8 : 9, index >> 8, index & 0xff);
	backend->assigned = address_parse(text, &backend->address);
	backend->state = state;
	backend->lladdr_given = true;
	fixture_lladdr(index, backend->lladdr);
}

/* The secret 00..0f of selftests/vectors.txt. */
static inline void fixture_secret(struct config *config, uint32_t epoch)
{
	config->epoch = epoch;
	config->secrets[epoch] = (struct config_secret){
		.present = true,
		.secret = { 0x0706050403020100, 0x0f0e0d0c0b0a0908 },
		.file = "-",
	};
}

static inline void fixture_freeze_clock(struct tables *tables, uint32_t wall_ms)
{
	tables_state(tables)->clock.due_jiffies = CLOCK_FROZEN;
	tables_state(tables)->clock.wall_ms = wall_ms;
}

#endif
