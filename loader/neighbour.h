/* SPDX-License-Identifier: GPL-2.0-only */
/* The next hop to a backend, asked of the kernel's routes and neighbours. */
#ifndef NEIGHBOUR_H
#define NEIGHBOUR_H

#include "config.h"

/* ifindex 0: it is not known, and why says so in words for the user. */
struct next_hop {
	uint32_t ifindex;
	uint8_t eth_dst[6];
	uint8_t eth_src[6];
	uint32_t mtu; /* of the route, or of the device if that is smaller or all there is */
	uint32_t device_mtu;
	const char *why;
};

/*
 * Fills hops[index] for every backend that the configuration assigns. Neighbours that
 * the kernel does not know yet are prompted, and waited for up to a second in all.
 */
enum status neighbours_resolve(const struct config *config, struct next_hop *hops);

#endif
