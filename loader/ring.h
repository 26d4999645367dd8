/* SPDX-License-Identifier: GPL-2.0-only */
/* A service's ring, from its configuration. */
#ifndef RING_H
#define RING_H

#include "config.h"

/*
 * Fills all of ring. The result depends on index-bits, ring-seed, the indices that are
 * assigned, and the members' indices, weights and states; docs/ring.md is the specification.
 */
void ring_build(const struct config *config, const struct config_service *service,
		struct ring *ring);

#endif
