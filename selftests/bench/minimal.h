/* SPDX-License-Identifier: GPL-2.0-only */
/* What the minimal balancers and the benchmark that checks them agree on. */
#ifndef MINIMAL_H
#define MINIMAL_H

#include <linux/types.h>
#include <stdint.h>

#include "../../include/flowhash.h"

struct minimal_service {
	__be32 address;
	__be16 port;
	uint16_t protocol;
};

struct minimal_flow {
	__be32 source, destination;
	__be32 ports;
};

static inline __attribute__((always_inline)) uint32_t minimal_slot(const struct minimal_flow *flow)
{
	uint32_t h = (flow->source ^ 0xdeadbef7) * 0x85ebca6b;

	h = (h ^ h >> 15 ^ flow->destination) * 0xc2b2ae35;
	h = (h ^ h >> 13 ^ flow->ports) * 0x85ebca6b;
	return (h ^ h >> 16) % RING_SLOTS;
}

#endif
