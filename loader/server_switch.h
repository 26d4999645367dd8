/* SPDX-License-Identifier: GPL-2.0-only */
/* Stamping switched on and off under living connections. */
#ifndef SERVER_SWITCH_H
#define SERVER_SWITCH_H

#include "server_maps.h"

/* From now on a segment notes its connection. To be called before any program is on a device. */
void switch_prepare(struct server_state *state);

/* Before programs go on a device again: connections may have been born there without them. */
void switch_judge(struct server_state *state);

/*
 * Connections that are born from now on are stamped and get keys; those that live stay as
 * they are. Sets the sysctls. Says why it can't, and then nothing is stamped.
 */
enum status switch_on(struct server_maps *maps);

/* The other way round: connections that live stay as they are, new ones are plain. */
enum status switch_off(struct server_maps *maps);

#endif
