/* SPDX-License-Identifier: GPL-2.0-only */
/* Stamps of idle connections, refreshed before they grow too old. */
#ifndef SERVER_REFRESH_H
#define SERVER_REFRESH_H

#include "server_maps.h"

struct server_refresh;

/* maps stay the caller's. Says why it can't. */
enum status refresh_open(struct server_maps *maps, struct server_refresh **refresh);
void refresh_close(struct server_refresh *refresh);

/*
 * Each stamped connection that is idle gets a new stamp once in period_ms: a turn looks for those
 * that are due, now and then, and sees to some of them. Returns how many are still to be seen to.
 */
uint32_t refresh_turn(struct server_refresh *refresh, uint64_t period_ms);

#endif
