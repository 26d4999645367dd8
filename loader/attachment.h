/* SPDX-License-Identifier: GPL-2.0-only */
/* Which devices of this network namespace the balancer's programs are attached to. */
#ifndef ATTACHMENT_H
#define ATTACHMENT_H

#include <stddef.h>
#include <stdint.h>

#include "say.h"

/*
 * The XDP program of a device. Ours is any that goes by the maps pinned in the directory
 * that -p names, whoever attached it, and whether it is the device's own or is called by
 * libxdp's dispatcher.
 */
struct attachment {
	bool generic;    /* else native */
	uint32_t ours;   /* id of the balancer's, 0 if it is not there */
	bool dispatcher; /* the device's own is libxdp's dispatcher */
	bool frags;      /* ours is lb_frags */
};

/* False: there is no XDP program on the device. */
bool attachment_query(uint32_t ifindex, struct attachment *attachment);

/* "native" or "generic" */
const char *attachment_mode(const struct attachment *attachment);

/*
 * Puts a pinned program on a device, in the place of that of id `old`, which is 0 if there
 * must be none. Returns 0 or -errno.
 */
int attachment_put(uint32_t ifindex, bool generic, const char *program, uint32_t old);

/* How many devices ours is attached to; their names go into text, with commas between. */
int attachment_list(char *text, size_t size);

#endif
