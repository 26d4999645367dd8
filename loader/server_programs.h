/* SPDX-License-Identifier: GPL-2.0-only */
/* The server side's two tc programs: loaded, pinned, and put on devices. */
#ifndef SERVER_PROGRAMS_H
#define SERVER_PROGRAMS_H

#include <stdbool.h>
#include <stdint.h>

#include "say.h"

/* In the order in which a device gets them; it loses them in the opposite one. */
enum server_program { SERVER_INGRESS, SERVER_EGRESS };

/* Loads both programs and pins them, and their maps, in DIR/server/; all or nothing. */
enum status programs_load(const char *pin_dir);

/* Loads this build's programs over the maps that are there, and pins them in the others' place. */
enum status programs_renew(const char *pin_dir);

/* Removes the pins and the directory; what is still on a device lives on. */
void programs_unpin(const char *pin_dir);

/*
 * These return 0 or -errno: -EEXIST where a device has such a program already. ethernet:
 * whether its frames begin with an Ethernet header; else they begin with that of IP.
 */
int programs_attach(const char *pin_dir, enum server_program program, uint32_t ifindex,
		    bool ethernet);
int programs_replace(const char *pin_dir, enum server_program program, uint32_t ifindex,
		     bool ethernet);
int programs_detach(enum server_program program, uint32_t ifindex);

/* The id of a device's program; 0 if it has none. */
uint32_t programs_on(enum server_program program, uint32_t ifindex);

/* Whether what a device has is another program than the pinned one. */
bool programs_are_old(const char *pin_dir, enum server_program program, uint32_t ifindex,
		      bool ethernet);

/* The qdisc that holds tc programs. */
int clsact_create(uint32_t ifindex, bool *was_there);

/* Unless somebody else's filters are in it by now. */
void clsact_destroy(uint32_t ifindex);

#endif
