/* SPDX-License-Identifier: GPL-2.0-only */
/* A queue of keys over a kernel's maps, in a network namespace whose lo has the server side. */
#ifndef KEYQUEUE_FIXTURE_H
#define KEYQUEUE_FIXTURE_H

#include <arpa/inet.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../loader/address.h"
#include "../loader/keyqueue.h"
#include "../loader/server_programs.h"
#include "../loader/sysctls.h"
#include "tap.h"

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

#define PORT 8000
#define CROWD_PORT 8001 /* where many connect */
#define LOOPBACK 1      /* the ifindex of lo in any namespace */

static const struct keysearch_goal goal = {
	.secret = { 0x0706050403020100, 0x0f0e0d0c0b0a0908 },
	.epoch = 1,
	.index_bits = 4, /* few: keys for them are quickly found */
	.index = 7,
	.version = MPTCP_V1,
};

static char pin_dir[64];
static struct server_maps *maps;
static uint32_t reserve; /* as the last queue that was filled set it */

static void die(const char *what)
{
	printf("Bail out! %s\n", what);
	exit(1);
}

static void tear_down(void)
{
	programs_unpin(pin_dir);
	rmdir(pin_dir);
}

static void set_up_network(void)
{
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int any = socket(AF_INET, SOCK_DGRAM, 0);

	if (ioctl(any, SIOCSIFFLAGS, &request))
		die("lo does not come up");
	close(any);
	if (sysctl_write(SYSCTL_SYNCOOKIES, SYNCOOKIES_ALWAYS) ||
	    sysctl_write(SYSCTL_TIMESTAMPS, TIMESTAMPS_NO_OFFSET))
		die("the sysctls cannot be set");
}

static void set_up(void)
{
	struct address address;
	char path[128];
	bool was_there;

	snprintf(pin_dir, sizeof(pin_dir), "/sys/fs/bpf/mptcp-lb-keyqueue-%d", getpid());
	snprintf(path, sizeof(path), "%s/server", pin_dir);
	if (unshare(CLONE_NEWNET) || mkdir(pin_dir, 0700) || mkdir(path, 0700))
		die("no network namespace or no directory for pins");
	atexit(tear_down);
	set_up_network();
	if (programs_load(pin_dir) || server_maps_open_new(pin_dir, &maps))
		die("the server side does not load");
	server_maps_state(maps)->abi = SERVER_ABI;
	server_maps_state(maps)->replacing = 1;
	address_parse("127.0.0.1", &address);
	if (server_maps_add_service(maps, &address, htons(PORT)) ||
	    server_maps_add_service(maps, &address, htons(CROWD_PORT)) ||
	    clsact_create(LOOPBACK, &was_there) ||
	    programs_attach(pin_dir, SERVER_EGRESS, LOOPBACK, true))
		die("the server side does not attach");
}

/* Opens a queue and fills it or not, without a reserve; the caller closes it. */
static inline struct keyqueue *open_queue(bool fill)
{
	struct keyqueue *queue;

	if (keyqueue_open(maps, &goal, 1, &queue))
		die("no queue of keys");
	while (fill && keyqueue_refill(queue) == REFILL_SHORT)
		;
	reserve = server_maps_state(maps)->keys_reserve;
	server_maps_state(maps)->keys_reserve = 0;
	return queue;
}

static inline uint32_t pop_all(struct server_key *keys)
{
	uint32_t count = 0;

	while (count < SERVER_KEYS_MAX && !server_maps_pop_key(maps, &keys[count]))
		count++;
	return count;
}

#endif
