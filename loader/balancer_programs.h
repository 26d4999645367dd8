/* SPDX-License-Identifier: GPL-2.0-only */
/* The balancer's programs as this build has them, and putting them in the place of others. */
#ifndef BALANCER_PROGRAMS_H
#define BALANCER_PROGRAMS_H

#include "lb.skel.h"
#include "say.h"

/*
 * This build's object, to be loaded over the maps that are pinned, or pinning its own where
 * there are none; NULL and errno if there can't be one.
 */
struct lb_bpf *balancer_open(void);

/* Pins this build's programs, which takes away pins of the same names; says why not. */
enum status balancer_pin(void);

/*
 * Puts the programs in the place of those that are pinned, on every device of this network
 * namespace too, over the same maps; says what it did, or why not.
 */
enum status balancer_replace(void);

#endif
