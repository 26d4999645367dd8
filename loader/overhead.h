/* SPDX-License-Identifier: GPL-2.0-only */
/* How many bytes a tunnel adds to a packet. */
#ifndef OVERHEAD_H
#define OVERHEAD_H

#include <linux/ip.h>
#include <linux/ipv6.h>

#include "../include/gue.h"
#include "config.h"

/* Of outer headers: IPv4 or IPv6, and with GUE those of UDP and GUE. */
static inline uint32_t overhead_of(const struct config_backend *backend)
{
	uint32_t ip =
		address_is_v4(&backend->address) ? sizeof(struct iphdr) : sizeof(struct ipv6hdr);

	switch (backend->forward) {
	case FORWARD_L2:
		break;
	case FORWARD_IPIP:
		return ip;
	case FORWARD_GUE:
		return ip + GUE_ROOM;
	}
	return 0;
}

#endif
