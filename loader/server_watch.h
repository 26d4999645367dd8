/* SPDX-License-Identifier: GPL-2.0-only */
/* What changes on a host behind the server side's back: told to the journal, mended if it can be.
 */
#ifndef SERVER_WATCH_H
#define SERVER_WATCH_H

#include "server_maps.h"

struct server_watch;

/* maps stay the caller's. Says why it can't. */
enum status watch_open(struct server_maps *maps, struct server_watch **watch);
void watch_close(struct server_watch *watch);

/* Readable when devices, addresses or programs may have changed. */
int watch_events(const struct server_watch *watch);

/* Looks at all that is watched, as often as the daemon likes. */
void watch_turn(struct server_watch *watch);

#endif
