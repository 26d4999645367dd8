/* SPDX-License-Identifier: GPL-2.0-only */
/* Where things stand in MPTCP options (RFC 8684 section 3; RFC 6824 where it differs). */
#ifndef HANDSHAKE_OPTIONS_LAYOUT_H
#define HANDSHAKE_OPTIONS_LAYOUT_H

#define OPTION_HEAD 3 /* kind, length, subtype */
#define KEY_BYTES 8   /* a key, or a token of draft-paasch-mptcp-application-authentication */

#define CAPABLE_HEAD 4 /* subtype and version, flags */

#define JOIN_HEAD 4 /* subtype and flags, address ID */
#define JOIN_BACKUP 0x01
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
#define TCPRST_LENGTH 4

#endif
