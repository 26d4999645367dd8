/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Numbers of the wire that the kernel's uapi headers do not have, by the kernel's names. */
#ifndef MPTCP_LB_WIRE_H
#define MPTCP_LB_WIRE_H

/* IP (RFC 791, RFC 8200). Both masks are of IPv4's fragmentation word. */
#define IPV4_HEADER_MIN 20
#define IPV4_FRAGMENT_MASK 0x3fff /* MF, or an offset */
#define IPV4_OFFSET_MASK 0x1fff

/* IPv6 extension headers that balancer and servers look behind. */
#define EXTENSION_HEADERS_MAX 4
#define EXTENSION_LENGTH_MAX 7 /* in units of 8 bytes, the first not counted: 64 bytes */

/* TCP flags: byte 13 of the header (RFC 9293 section 3.1). */
#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_ACK 0x10
#define TCP_FLAGS_OFFSET 13
#define TCP_CHECK_OFFSET 16

#define TCP_HEADER_MIN 20
#define TCP_OPTIONS_MAX 40

/* TCP options: kind, and length of the whole option where it is fixed. */
#define TCPOPT_EOL 0
#define TCPOPT_NOP 1
#define TCPOPT_MSS 2
#define TCPOLEN_MSS 4
#define TCPOPT_WINDOW 3
#define TCPOPT_SACK_PERM 4
#define TCPOPT_TIMESTAMP 8
#define TCPOLEN_TIMESTAMP 10
#define TSVAL_OFFSET 2 /* in the timestamps option */
#define TSECR_OFFSET 6
#define TCPOPT_MPTCP 30

/* NOP NOP TS 10: how the options of Linux and Apple begin, but for SYNs. */
#define LINUX_TIMESTAMP_FIRST 0x0101080a

/* MPTCP subtypes: high nibble of the option's third byte (RFC 8684 section 3). */
#define MPTCPOPT_MP_CAPABLE 0
#define MPTCPOPT_MP_JOIN 1

/* Lengths of MPTCP options (RFC 8684 sections 3.1 and 3.2). */
#define TCPOLEN_MPTCP_MPC_SYNACK 12
#define TCPOLEN_MPTCP_MPJ_SYN 12
#define TCPOLEN_MPTCP_MPJ_SYNACK 16
#define TCPOLEN_MPTCP_MPJ_ACK 24

/*
 * The same with a token of 64 bits (draft-paasch-mptcp-application-authentication-00), of which
 * the first 32 are as in token.h.
 */
#define TCPOLEN_MPTCP_MPJ_SYN_64 16

#define MPTCP_KEY_OFFSET 4   /* in an MP_CAPABLE SYN/ACK */
#define MPTCP_TOKEN_OFFSET 4 /* in an MP_JOIN SYN */

/* ICMP and ICMPv6 types (RFC 792, RFC 4443); linux/icmp.h needs libc. */
#define ICMP_ECHOREPLY 0
#define ICMP_DEST_UNREACH 3
#define ICMP_ECHO 8
#define ICMP_TIME_EXCEEDED 11
#define ICMP_PARAMETERPROB 12
#define ICMP_FRAG_NEEDED 4 /* code of ICMP_DEST_UNREACH */
#define ICMPV6_DEST_UNREACH 1
#define ICMPV6_PKT_TOOBIG 2
#define ICMPV6_PARAMPROB 4
#define ICMPV6_ECHO_REQUEST 128
#define ICMPV6_ECHO_REPLY 129

#endif
