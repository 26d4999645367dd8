/* SPDX-License-Identifier: GPL-2.0-only */
/* The births of this network namespace's MPTCP connections, as the kernel tells of them. */
#ifndef MPTCP_EVENTS_H
#define MPTCP_EVENTS_H

#include "../include/types.h"

/* Called for each birth; token: host order; peer: its address, or NULL if that is not known. */
struct mptcp_birth_walk {
	void (*each)(uint32_t token, const struct address *peer, void *context);
	void *context;
};

/* Returns a descriptor to poll and to close, or -errno: -ENOENT where the kernel has no MPTCP. */
int mptcp_events_open(void);

/*
 * Reads what has been told since the last time, without waiting. Returns 0; -ENOBUFS if some
 * births were not told, for want of room; or another -errno.
 */
int mptcp_events_read(int events, const struct mptcp_birth_walk *walk);

#endif
