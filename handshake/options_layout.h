/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Where things stand in MPTCP options (RFC 8684 section 3; RFC 6824 where it differs). */
#ifndef HANDSHAKE_OPTIONS_LAYOUT_H
#define HANDSHAKE_OPTIONS_LAYOUT_H

#include "../include/mptcp_options.h"

#define OPTION_HEAD 3 /* kind, length, subtype */
#define KEY_BYTES 8   /* a key, or a token of 64 bits */

#define CAPABLE_HEAD 4 /* subtype and version, flags */

/* What stands behind the head of MP_CAPABLE; data length and checksum may follow in an ACK. */
struct capable_layout {
	uint8_t values; /* keys or tokens: the sender's, then the receiver's */
	uint8_t value_bytes;
	uint8_t selection; /* bytes of key sources: 0 or 1 */
};

static inline struct capable_layout capable_layout(uint8_t version, uint8_t flags,
						   enum mptcp_segment segment)
{
	bool selects = version && flags & MPTCP_KEY_SELECTION;
	bool narrow = version && (flags & MPTCP_ALGORITHMS_V1) == MPTCP_EXTERNAL_KEY;
	struct capable_layout layout = { 1, narrow ? 4 : KEY_BYTES, selects };

	if (segment == MPTCP_ACK)
		layout.values = 2;
	else if (segment == MPTCP_SYN && version && !selects)
		layout.values = 0;
	return layout;
}

static inline size_t capable_length(const struct capable_layout *layout)
{
	return CAPABLE_HEAD + (size_t)layout->values * layout->value_bytes + layout->selection;
}

#define JOIN_HEAD 4 /* subtype and flags, address ID */
#define JOIN_BACKUP 0x01
#define KEY_ID \
	0x02 /* in MP_JOIN and ADD_ADDR; in NEW_KEY and MP_FASTCLOSE it is the lowest bit \
	      */
#define KEY_ID_LOWEST 0x01
#define JOIN_SYN 12
#define JOIN_SYN_WIDE 16 /* with a token of 64 bits */
#define JOIN_SYNACK 16
#define JOIN_ACK 24

#define DSS_HEAD 4
#define DSS_ACK 0x01
#define DSS_ACK_WIDE 0x02
#define DSS_DSN 0x04
#define DSS_DSN_WIDE 0x08
#define DSS_FIN 0x10

#define ADD_ADDR_HEAD 4
#define ADD_ADDR_ECHO 0x01
#define ADD_ADDR_IPV4 8 /* the shortest of each family */
#define ADD_ADDR_IPV6 20

#define PRIO_BACKUP 0x01
#define PRIO_OF_ADDRESS 4 /* length in version 0 with an address ID */

#define FAIL_LENGTH 12 /* one reserved byte, then 64 bits */
#define FASTCLOSE_LENGTH 12
#define NEW_KEY_LENGTH 12
#define TCPRST_LENGTH 4

#endif
