/* SPDX-License-Identifier: GPL-2.0-only */
/* libxdp's dispatcher, which calls one XDP program after the other on one device. */
#ifndef DISPATCHER_H
#define DISPATCHER_H

#include <stdbool.h>
#include <stdint.h>

/* The program's name in the kernel, cut to what fits there. */
#define DISPATCHER_NAME "xdp_dispatcher"
#define DISPATCHER_PROGRAMS_MAX 10

/*
 * Has libxdp attach one of the balancer's programs. Returns 0 or -errno; after 0 it is
 * behind the dispatcher, or alone if libxdp found that there can't be a dispatcher.
 */
int dispatcher_attach(uint32_t ifindex, bool generic, const char *program);

/* Has libxdp take away the program of that id; generic as it is. Returns 0 or -errno. */
int dispatcher_detach(uint32_t ifindex, bool generic, uint32_t program);

/* The ids of the programs behind the dispatcher of a device; returns how many. */
int dispatcher_programs(uint32_t ifindex, uint32_t programs[static DISPATCHER_PROGRAMS_MAX]);

#endif
