/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The header of Generic UDP Encapsulation (draft-ietf-intarea-gue section 3) as we use it. */
#ifndef MPTCP_LB_GUE_H
#define MPTCP_LB_GUE_H

#include <linux/types.h>
#include <linux/udp.h>
#include <stdint.h>

#define GUE_PORT 6080

/* Version 0, no options, no flags: all but the protocol is 0. */
struct gue {
	uint8_t version_length;
	uint8_t protocol;
	__be16 flags;
};

#define GUE_ROOM (sizeof(struct udphdr) + sizeof(struct gue))

#endif
