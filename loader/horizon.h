/* SPDX-License-Identifier: GPL-2.0-only */
/* Idle horizons: how long a connection may sleep until its stamp names another backend. */
#ifndef HORIZON_H
#define HORIZON_H

#include "config.h"

#define HORIZON_TEXT_MAX 32

/* Slots from an assigned index down to the next assigned one, cyclic; all, if it is alone. */
uint32_t horizon_gap(const struct config *config, uint32_t index);

/* The gap that each of `backends` would have, were they handed out in bit-reversed order. */
uint32_t horizon_even_gap(uint32_t backends, uint32_t index_bits);

/*
 * The free index that leaves the greatest gap below itself and below the index above it;
 * of equals the first in bit-reversed order. False if all are assigned.
 */
bool horizon_best_free(const struct config *config, uint32_t *index);

/* Rounded down to a whole number of days, hours, minutes or seconds. */
void horizon_print(uint64_t ms, char text[static HORIZON_TEXT_MAX]);

#endif
