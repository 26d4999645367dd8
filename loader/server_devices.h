/* SPDX-License-Identifier: GPL-2.0-only */
/* The devices that the server side's programs are on. */
#ifndef SERVER_DEVICES_H
#define SERVER_DEVICES_H

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
enum status devices_complete(const char *pin_dir, const struct server_state *state);

/* Takes both programs off, egress first, and the qdisc if it is ours. */
void device_detach(struct server_state *state, int slot);

#endif
