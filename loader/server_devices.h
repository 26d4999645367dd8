/* SPDX-License-Identifier: GPL-2.0-only */
/* The devices that the server side's programs are on. */
#ifndef SERVER_DEVICES_H
#define SERVER_DEVICES_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>

#include "../include/server.h"
#include "words.h"

struct device_list {
	uint32_t ifindex[SERVER_DEVICES_MAX];
	size_t count;
};

/* Takes `dev DEV` and adds it; DEV is Ethernet or an IP tunnel, and not in the list yet. */
enum status words_device(struct words *words, struct device_list *devices);

/* Likewise, where DEV may be the number of a device that is gone. */
enum status words_attached_device(struct words *words, struct device_list *devices);

struct device_name {
	char text[16];
};

/* The number, where the device is gone. */
struct device_name device_name(uint32_t ifindex);

/* The place of a device in state.devices; -1 if it is not there. ifindex 0: a free place. */
int device_slot(const struct server_state *state, uint32_t ifindex);

/*
 * Puts the programs on all the devices: ingress first, since what egress stamps ingress
 * must take off. All or nothing; says why not.
 */
enum status devices_attach(const char *pin_dir, struct server_state *state,
			   const struct device_list *devices);

/* Puts the programs where an attach that was killed did not come to. Says why it can't. */
enum status devices_complete(const char *pin_dir, struct server_state *state);

/* Puts the pinned programs in the place of older ones; *renewed: on how many devices. */
enum status devices_renew(const char *pin_dir, const struct server_state *state, uint32_t *renewed);

/* What a daemon remembers of a device from one look to the next. */
struct device_guard {
	char name[IF_NAMESIZE];
	uint32_t program; /* id of its egress; 0: not looked yet */
	bool gone, lost;  /* and it was said */
	bool again;       /* look again soon */
};

enum device_fate {
	DEVICE_AS_BEFORE,
	DEVICE_GONE,
	DEVICE_BACK,     /* and attached anew */
	DEVICE_MENDED,   /* the programs were gone, and are there again */
	DEVICE_UPGRADED, /* other programs than last time */
	DEVICE_LOST,     /* the programs are gone, and can't be put back */
};

/*
 * Looks at a device and mends it, unless an attach or detach is at work. Each fate is told
 * once; guard->name is the device's.
 */
enum device_fate device_guard(const char *pin_dir, struct server_state *state, int slot,
			      struct device_guard *guard);

/* Takes both programs off, egress first, and the qdisc if it is ours. */
void device_detach(struct server_state *state, int slot);

#endif
