// SPDX-License-Identifier: GPL-2.0-only
/* The balancer's decision and every byte it forwards, by BPF_PROG_TEST_RUN. Needs root. */
#define _GNU_SOURCE
#include <linux/bpf.h>
#include <time.h>

#include "../../include/reason.h"
#include "../../loader/cmd.h"
#include "fixture.h"
#include "packet.h"
#include "poison.skel.h"
#include "tap.h"

struct options options;

#define WALL_MS 0xc4653601u /* frozen; not a multiple of anything */
#define SLOT_MS (1u << 24)  /* at index bits 8 */
#define STAMP(index, age_ms) (WALL_MS - (age_ms) + (index)*SLOT_MS)

/* Golden tokens under the secret 00..0f; see selftests/vectors.txt for the first. */
#define TOKEN_OF_7 0x7dbb86edu
#define TOKEN_OF_9 0x69e35250u
#define TOKEN_OF_20 0x66b1b906u
#define TOKEN_OF_40 0x737f4f58u
#define TOKEN_OF_30 0x5002ea63u
#define TOKEN_OF_99 0x48494cd6u
#define TOKEN_OF_7_EPOCH_2 0x9e5d3f45u

/*
 * Backend 1 has the whole ring. 7 and 9 have none of it, so that only a token or a
 * stamp leads there; 9 is behind another device. 20 drains, 30 is down, 99 is nobody,
 * 200 is a backend of another service.
 */
enum { ON_RING = 1, ON_LINK = 7, REDIRECTED = 9, DRAINING = 20, IS_DOWN = 30, ELSEWHERE = 200 };

/* Behind tunnels. */
enum { IPIP_V4 = 40, GUE_V4 = 41, IPIP_V6 = 42, GUE_V6 = 43 };
#define NO_BACKEND (-1)

#define TUNNEL_SOURCE "100.64.7.9"
#define TUNNEL_SOURCE_V6 "2001:db8:64::9"
#define ADDRESS_OF_42 "fd00:9::42"
#define ADDRESS_OF_43 "fd00:9::43"

enum { PORT_STAMPS_OFF = 8001, PORT_EMPTY = 8002, PORT_RING_JOINS = 8003, PORT_OTHER = 8004 };

struct row {
	const char *sentence;
	struct segment in;
	enum reason reason;
	int backend;
	size_t truncate; /* frame bytes to keep; 0: all */
	bool drop;
	bool answer; /* an echo reply comes out */
};

#define SYN .flags = TCP_SYN
#define ACK .flags = TCP_ACK
#define BY(why, index) .reason = REASON_##why, .backend = index
#define STAMPED_FOR(index) ACK, OPTIONS(NOP, NOP, TIMESTAMP(5, STAMP(index, 1)))
#define DROPPED(why) .reason = REASON_##why, .backend = NO_BACKEND, .drop = true
#define TO_THE_HOST(why) .reason = REASON_##why, .backend = NO_BACKEND

static const uint8_t mac_of_7[] = { 2, 0, 0, 1, 0, ON_LINK };
static const uint8_t mac_broadcast[] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

/* Each is run over IPv4 and again over IPv6. */
static const struct row rows[] = {
	{ "a SYN without options goes by the ring", { SYN }, BY(ring_new, ON_RING) },
	{ "an MP_CAPABLE SYN goes by the ring",
	  { SYN, OPTIONS(MSS, SACK_PERMITTED, TIMESTAMP(5, 0), NOP, WINDOW_SCALE, MP_CAPABLE_SYN) },
	  BY(ring_new, ON_RING) },
	{ "a join goes by its token",
	  { SYN, OPTIONS(MSS, SACK_PERMITTED, TIMESTAMP(5, 0), NOP, WINDOW_SCALE,
			 MP_JOIN_SYN(TOKEN_OF_7)) },
	  BY(token, ON_LINK) },
	{ "a join whose backend is behind another device is redirected",
	  { SYN, OPTIONS(MP_JOIN_SYN(TOKEN_OF_9)) },
	  BY(token, REDIRECTED) },
	{ "a join of a draining backend still goes there",
	  { SYN, OPTIONS(MP_JOIN_SYN(TOKEN_OF_20)) },
	  BY(token, DRAINING) },
	{ "a join of a backend that is down goes by the ring",
	  { SYN, OPTIONS(MP_JOIN_SYN(TOKEN_OF_30)) },
	  BY(ring_token_unroutable, ON_RING) },
	{ "a join of an index that nobody has goes by the ring",
	  { SYN, OPTIONS(MP_JOIN_SYN(TOKEN_OF_99)) },
	  BY(ring_token_unroutable, ON_RING) },
	{ "a join of an epoch without a secret goes by the ring",
	  { SYN, OPTIONS(MP_JOIN_SYN(TOKEN_OF_7_EPOCH_2)) },
	  BY(ring_token_unroutable, ON_RING) },
	{ "a join to a service with `joins ring` goes by the ring",
	  { SYN, .dport = PORT_RING_JOINS, OPTIONS(MP_JOIN_SYN(TOKEN_OF_7)) },
	  BY(ring_join, ON_RING) },
	{ "MP_JOIN behind 28 NOPs still finds the token",
	  { SYN, OPTIONS(NOP28, MP_JOIN_SYN(TOKEN_OF_7)) },
	  BY(token, ON_LINK) },
	{ "MP_JOIN that ends at the packet's last byte finds the token",
	  { SYN, OPTIONS(NOP4, MP_JOIN_SYN(TOKEN_OF_7)) },
	  BY(token, ON_LINK) },
	{ "MP_JOIN before the timestamps finds the token",
	  { SYN, OPTIONS(MP_JOIN_SYN(TOKEN_OF_7), NOP, NOP, TIMESTAMP(5, 0)) },
	  BY(token, ON_LINK) },
	{ "MP_JOIN behind the timestamps finds the token",
	  { SYN, OPTIONS(NOP, NOP, TIMESTAMP(5, 0), MP_JOIN_SYN(TOKEN_OF_7)) },
	  BY(token, ON_LINK) },
	{ "MP_JOIN behind the end of the options is not there",
	  { SYN, OPTIONS(EOL, NOP, NOP, NOP, MP_JOIN_SYN(TOKEN_OF_7)) },
	  BY(ring_new, ON_RING) },
	{ "an option of length 0 makes the options malformed",
	  { SYN, OPTIONS(TCPOPT_MSS, 0, NOP, NOP, MP_JOIN_SYN(TOKEN_OF_7)) },
	  BY(ring_malformed_options, ON_RING) },
	{ "an option of length 1 makes the options malformed",
	  { SYN, OPTIONS(TCPOPT_MSS, 1, NOP, NOP, MP_JOIN_SYN(TOKEN_OF_7)) },
	  BY(ring_malformed_options, ON_RING) },
	{ "an option that overruns the header makes the options malformed",
	  { SYN, OPTIONS(MP_JOIN_SYN(TOKEN_OF_7), TCPOPT_SACK_PERM, 5, NOP, NOP) },
	  BY(ring_malformed_options, ON_RING) },
	{ "an option whose length byte is missing makes the options malformed",
	  { SYN, OPTIONS(NOP, NOP, NOP, TCPOPT_MSS) },
	  BY(ring_malformed_options, ON_RING) },
	{ "MP_JOIN of 8 bytes is no join",
	  { SYN, OPTIONS(TCPOPT_MPTCP, 8, 0x10, 1, BYTES4(TOKEN_OF_7)) },
	  BY(ring_new, ON_RING) },
	{ "MP_JOIN beside MP_CAPABLE is no join, as in the kernel",
	  { SYN, OPTIONS(MP_CAPABLE_SYN, MP_JOIN_SYN(TOKEN_OF_7)) },
	  BY(ring_new, ON_RING) },
	{ "the last of two MP_JOINs counts, as in the kernel",
	  { SYN, OPTIONS(MP_JOIN_SYN(TOKEN_OF_9), MP_JOIN_SYN(TOKEN_OF_7)) },
	  BY(token, ON_LINK) },
	{ "a segment goes by its stamp",
	  { ACK, .payload = 100, OPTIONS(NOP, NOP, TIMESTAMP(5, STAMP(7, 1000))) },
	  BY(stamp, ON_LINK) },
	{ "a segment whose stamp leads to another device is redirected",
	  { ACK, .payload = 100, OPTIONS(NOP, NOP, TIMESTAMP(5, STAMP(9, 0))) },
	  BY(stamp, REDIRECTED) },
	{ "a RST with a stamp goes where the connection is",
	  { .flags = TCP_ACK | TCP_RST, OPTIONS(NOP, NOP, TIMESTAMP(5, STAMP(7, 9))) },
	  BY(stamp, ON_LINK) },
	{ "a stamp of a draining backend still counts",
	  { ACK, OPTIONS(NOP, NOP, TIMESTAMP(5, STAMP(20, 0))) },
	  BY(stamp, DRAINING) },
	{ "a stamp of a backend that is down goes by the ring",
	  { ACK, OPTIONS(NOP, NOP, TIMESTAMP(5, STAMP(30, 0))) },
	  BY(ring_stamp_unroutable, ON_RING) },
	{ "a stamp of a backend of another service goes by the ring",
	  { ACK, OPTIONS(NOP, NOP, TIMESTAMP(5, STAMP(200, 0))) },
	  BY(ring_stamp_unroutable, ON_RING) },
	{ "the oldest stamp that the gap below index 7 allows still leads to 7",
	  { ACK, OPTIONS(NOP, NOP, TIMESTAMP(5, STAMP(7, 6 * SLOT_MS - SLOT_MS / 16 - 1))) },
	  BY(stamp, ON_LINK) },
	{ "a stamp one millisecond older is taken for the next assigned index below",
	  { ACK, OPTIONS(NOP, NOP, TIMESTAMP(5, STAMP(7, 6 * SLOT_MS - SLOT_MS / 16))) },
	  BY(stamp, ON_RING) },
	{ "a stamp from S/16 in the future still leads to 7",
	  { ACK, OPTIONS(NOP, NOP, TIMESTAMP(5, STAMP(7, -(SLOT_MS / 16)))) },
	  BY(stamp, ON_LINK) },
	{ "a stamp one millisecond further ahead is taken for the next assigned index above",
	  { ACK, OPTIONS(NOP, NOP, TIMESTAMP(5, STAMP(7, -(SLOT_MS / 16) - 1))) },
	  BY(stamp, REDIRECTED) },
	{ "the timestamps are found behind 28 NOPs",
	  { ACK, OPTIONS(NOP28, TIMESTAMP(5, STAMP(7, 1))) },
	  BY(stamp, ON_LINK) },
	{ "the timestamps are found in the last ten bytes of the options",
	  { ACK, OPTIONS(NOP28, NOP, NOP, TIMESTAMP(5, STAMP(7, 1))) },
	  BY(stamp, ON_LINK) },
	{ "the timestamps are found at an odd offset",
	  { ACK, OPTIONS(NOP, TIMESTAMP(5, STAMP(7, 1)), NOP) },
	  BY(stamp, ON_LINK) },
	{ "timestamps that echo 0 are no stamp",
	  { ACK, OPTIONS(NOP, NOP, TIMESTAMP(5, 0)) },
	  BY(ring_no_stamp, ON_RING) },
	{ "timestamps of length 9 are no stamp",
	  { ACK, OPTIONS(TCPOPT_TIMESTAMP, 9, BYTES4(5), 1, 2, 3, NOP, NOP, NOP) },
	  BY(ring_no_stamp, ON_RING) },
	{ "a segment without options goes by the ring", { ACK }, BY(ring_no_stamp, ON_RING) },
	{ "a segment with malformed options goes by the ring",
	  { ACK, OPTIONS(NOP, 77, 0, NOP) },
	  BY(ring_malformed_options, ON_RING) },
	{ "a bare RST goes by the ring", { .flags = TCP_RST }, BY(ring_no_stamp, ON_RING) },
	{ "a segment of a service with `stamps off` goes by the ring",
	  { ACK, .dport = PORT_STAMPS_OFF, OPTIONS(NOP, NOP, TIMESTAMP(5, STAMP(7, 1))) },
	  BY(ring_no_stamp, ON_RING) },
	{ "a service without a backend that is up drops",
	  { SYN, .dport = PORT_EMPTY },
	  DROPPED(no_backend) },
	{ "the other service's stamp leads to its backend",
	  { ACK, .dport = PORT_OTHER, OPTIONS(NOP, NOP, TIMESTAMP(5, STAMP(200, 1))) },
	  BY(stamp, ELSEWHERE) },
	{ "a VLAN tag stays", { STAMPED_FOR(ON_LINK), .vlans = 1 }, BY(stamp, ON_LINK) },
	{ "two VLAN tags stay",
	  { SYN, .vlans = 2, OPTIONS(MP_JOIN_SYN(TOKEN_OF_7)) },
	  BY(token, ON_LINK) },
	{ "a VLAN tag goes before IPIP over IPv4",
	  { STAMPED_FOR(IPIP_V4), .vlans = 1 },
	  BY(stamp, IPIP_V4) },
	{ "two VLAN tags go before GUE over IPv6",
	  { STAMPED_FOR(GUE_V6), .vlans = 2 },
	  BY(stamp, GUE_V6) },
	{ "three VLAN tags are the host's", { SYN, .vlans = 3 }, TO_THE_HOST(not_ip) },
	{ "IPIP over IPv4", { STAMPED_FOR(IPIP_V4) }, BY(stamp, IPIP_V4) },
	{ "IPIP over IPv6", { STAMPED_FOR(IPIP_V6) }, BY(stamp, IPIP_V6) },
	{ "GUE over IPv4", { STAMPED_FOR(GUE_V4) }, BY(stamp, GUE_V4) },
	{ "GUE over IPv6", { STAMPED_FOR(GUE_V6) }, BY(stamp, GUE_V6) },
	{ "DSCP, ECN and DF are repeated by IPIP over IPv4",
	  { STAMPED_FOR(IPIP_V4), .tos = 0xbb, .fragment = 0x4000 },
	  BY(stamp, IPIP_V4) },
	{ "DSCP and ECN are repeated by IPIP over IPv6",
	  { STAMPED_FOR(IPIP_V6), .tos = 0xbb, .fragment = 0x4000 },
	  BY(stamp, IPIP_V6) },
	{ "the checksum of GUE over IPv6 covers an odd payload",
	  { STAMPED_FOR(GUE_V6), .payload = 333, .tos = 0x29 },
	  BY(stamp, GUE_V6) },
	{ "padding stays outside of what GUE over IPv6 sums and counts",
	  { STAMPED_FOR(GUE_V6), .padding = 7 },
	  BY(stamp, GUE_V6) },
	{ "a join into a tunnel", { SYN, OPTIONS(MP_JOIN_SYN(TOKEN_OF_40)) }, BY(token, IPIP_V4) },
	{ "padding behind the IP packet is no part of it",
	  { SYN, .padding = 6 },
	  BY(ring_new, ON_RING) },
	{ "options that the IP length does not cover are the host's to judge",
	  { STAMPED_FOR(ON_LINK), .missing = 1 },
	  TO_THE_HOST(malformed) },
	{ "a TCP header that the IP length does not cover is the host's to judge",
	  { SYN, .missing = 5 },
	  TO_THE_HOST(malformed) },
	{ "a frame that another balancer sent on already is the host's",
	  { STAMPED_FOR(ON_LINK), .link = mac_of_7 },
	  TO_THE_HOST(not_ours) },
	{ "a frame to everybody is the host's",
	  { STAMPED_FOR(ON_LINK), .link = mac_broadcast },
	  TO_THE_HOST(not_ours) },
	{ "a packet that says that it is longer than its frame is not wrapped",
	  { STAMPED_FOR(GUE_V4), .payload = 40 },
	  TO_THE_HOST(malformed),
	  .truncate = ETH_HLEN + 40 + 12 },
	{ "another port is the host's", { SYN, .dport = 22 }, TO_THE_HOST(not_service) },
	{ "IPv6 to what maps the address of an IPv4 service is the host's",
	  { SYN, .v6 = true, .destination = "::ffff:" SERVICE_V4 },
	  TO_THE_HOST(not_service) },
	{ "port 0 of a service address is the host's",
	  { SYN, .to_port_0 = true },
	  TO_THE_HOST(not_service) },
	{ "UDP to a service is the host's", { .protocol = IPPROTO_UDP }, TO_THE_HOST(not_tcp) },
	{ "a frame that ends in the IP header is the host's",
	  { SYN },
	  TO_THE_HOST(malformed),
	  .truncate = ETH_HLEN + 19 },
	{ "a frame that ends in the TCP header is the host's",
	  { SYN },
	  TO_THE_HOST(malformed),
	  .truncate = ETH_HLEN + 20 + 19 },
};

/* What servers sent, and routers on the way to the client quote in ICMP errors. */
#define ROUTER_V4 .source = "198.51.100.254"
#define ROUTER_V6 .source = "2001:db8:c::fe"
static const struct segment answer_v4 = { .source = SERVICE_V4,
					  .destination = CLIENT_V4,
					  .sport = SERVICE_PORT,
					  .dport = CLIENT_PORT,
					  .flags = TCP_ACK,
					  .payload = 1000,
					  OPTIONS(NOP, NOP, TIMESTAMP(STAMP(7, 40), 5)) };
static const struct segment gue_answer_v4 = { .source = SERVICE_V4,
					      .destination = CLIENT_V4,
					      .sport = SERVICE_PORT,
					      .dport = CLIENT_PORT,
					      .flags = TCP_ACK,
					      .payload = 1000,
					      OPTIONS(NOP, NOP, TIMESTAMP(STAMP(GUE_V6, 40), 5)) };
static const struct segment syn_ack_v4 = { .source = SERVICE_V4,
					   .destination = CLIENT_V4,
					   .sport = SERVICE_PORT,
					   .dport = CLIENT_PORT,
					   .flags = TCP_SYN | TCP_ACK,
					   OPTIONS(MSS, SACK_PERMITTED, TIMESTAMP(STAMP(7, 40), 5),
						   NOP, WINDOW_SCALE) };
static const struct segment foreign_v4 = { .source = SERVICE_V4,
					   .destination = CLIENT_V4,
					   .sport = 22,
					   .dport = CLIENT_PORT,
					   .flags = TCP_ACK,
					   OPTIONS(NOP, NOP, TIMESTAMP(STAMP(7, 40), 5)) };
static const struct segment request_v4 = { .flags = TCP_ACK,
					   OPTIONS(NOP, NOP, TIMESTAMP(STAMP(7, 40), 5)) };

static const struct segment answer_v6 = { .source = SERVICE_V6,
					  .destination = CLIENT_V6,
					  .sport = SERVICE_PORT,
					  .dport = CLIENT_PORT,
					  .flags = TCP_ACK,
					  .payload = 1000,
					  OPTIONS(NOP, NOP, TIMESTAMP(STAMP(7, 40), 5)) };
static const struct segment gue_answer_v6 = { .source = SERVICE_V6,
					      .destination = CLIENT_V6,
					      .sport = SERVICE_PORT,
					      .dport = CLIENT_PORT,
					      .flags = TCP_ACK,
					      .payload = 1000,
					      OPTIONS(NOP, NOP, TIMESTAMP(STAMP(GUE_V6, 40), 5)) };
static const struct segment syn_ack_v6 = { .source = SERVICE_V6,
					   .destination = CLIENT_V6,
					   .sport = SERVICE_PORT,
					   .dport = CLIENT_PORT,
					   .flags = TCP_SYN | TCP_ACK,
					   OPTIONS(MSS, SACK_PERMITTED, TIMESTAMP(STAMP(7, 40), 5),
						   NOP, WINDOW_SCALE) };
static const struct segment foreign_v6 = { .source = SERVICE_V6,
					   .destination = CLIENT_V6,
					   .sport = 22,
					   .dport = CLIENT_PORT,
					   .flags = TCP_ACK,
					   OPTIONS(NOP, NOP, TIMESTAMP(STAMP(7, 40), 5)) };
static const struct segment request_v6 = { .flags = TCP_ACK,
					   OPTIONS(NOP, NOP, TIMESTAMP(STAMP(7, 40), 5)) };

static const struct row v4_rows[] = {
	{ "an ICMP error goes by the stamp of the whole segment that it quotes",
	  { .protocol = IPPROTO_ICMP,
	    .icmp_type = 3,
	    ROUTER_V4,
	    .quote = &answer_v4,
	    .quoted = 60 },
	  BY(icmp_stamp, ON_LINK) },
	{ "an ICMP error goes by the stamp of a TCP header",
	  { .protocol = IPPROTO_ICMP,
	    .icmp_type = 3,
	    ROUTER_V4,
	    .quote = &answer_v4,
	    .quoted = 32 },
	  BY(icmp_stamp, ON_LINK) },
	{ "an ICMP error goes by the stamp in a quoted SYN/ACK",
	  { .protocol = IPPROTO_ICMP,
	    .icmp_type = 3,
	    ROUTER_V4,
	    .quote = &syn_ack_v4,
	    .quoted = 40 },
	  BY(icmp_stamp, ON_LINK) },
	{ "an ICMP error whose quote ends in the timestamp goes by the ring",
	  { .protocol = IPPROTO_ICMP,
	    .icmp_type = 3,
	    ROUTER_V4,
	    .quote = &answer_v4,
	    .quoted = 27 },
	  BY(icmp_ring, ON_RING) },
	{ "an ICMP error that quotes 8 bytes of TCP goes by the ring",
	  { .protocol = IPPROTO_ICMP, .icmp_type = 3, ROUTER_V4, .quote = &answer_v4, .quoted = 8 },
	  BY(icmp_ring, ON_RING) },
	{ "an ICMP error that quotes 3 bytes of TCP is the host's",
	  { .protocol = IPPROTO_ICMP, .icmp_type = 3, ROUTER_V4, .quote = &answer_v4, .quoted = 3 },
	  TO_THE_HOST(not_tcp) },
	{ "an ICMP error about another port is the host's",
	  { .protocol = IPPROTO_ICMP,
	    .icmp_type = 3,
	    ROUTER_V4,
	    .quote = &foreign_v4,
	    .quoted = 32 },
	  TO_THE_HOST(not_service) },
	{ "an ICMP error to another address is the host's, whatever it quotes",
	  { .protocol = IPPROTO_ICMP,
	    .icmp_type = 3,
	    ROUTER_V4,
	    .destination = "192.0.2.2",
	    .quote = &answer_v4,
	    .quoted = 32 },
	  TO_THE_HOST(not_tcp) },
	{ "an ICMP error of a TCP packet to a service, not from it, is the host's",
	  { .protocol = IPPROTO_ICMP,
	    .icmp_type = 3,
	    ROUTER_V4,
	    .quote = &request_v4,
	    .quoted = 32 },
	  TO_THE_HOST(not_tcp) },
	{ "an ICMP error goes through GUE over IPv6",
	  { .protocol = IPPROTO_ICMP,
	    .icmp_type = 3,
	    ROUTER_V4,
	    .quote = &gue_answer_v4,
	    .quoted = 32 },
	  BY(icmp_stamp, GUE_V6) },
	{ "echo to a service address is answered",
	  { .protocol = IPPROTO_ICMP, .icmp_type = 8 },
	  .reason = REASON_icmp_echo,
	  .backend = NO_BACKEND,
	  .answer = true },
	{ "echo to another address is the host's",
	  { .protocol = IPPROTO_ICMP, .icmp_type = 8, .destination = "192.0.2.2" },
	  TO_THE_HOST(not_tcp) },
	{ "echo of which IP claims seven bytes is the host's",
	  { .protocol = IPPROTO_ICMP, .icmp_type = 8, .missing = 9 },
	  TO_THE_HOST(malformed) },
	{ "echo that says that it is longer than its frame is the host's",
	  { .protocol = IPPROTO_ICMP, .icmp_type = 8 },
	  TO_THE_HOST(malformed),
	  .truncate = ETH_HLEN + 20 + 12 },
	{ "an ICMP error goes by the ring if IP claims less than its quoted timestamp",
	  { .protocol = IPPROTO_ICMP,
	    .icmp_type = 3,
	    ROUTER_V4,
	    .quote = &answer_v4,
	    .quoted = 32,
	    .missing = 5 },
	  BY(icmp_ring, ON_RING) },
	{ "an ICMP error of whose quote IP claims no ports is the host's",
	  { .protocol = IPPROTO_ICMP,
	    .icmp_type = 3,
	    ROUTER_V4,
	    .quote = &answer_v4,
	    .quoted = 32,
	    .missing = 29 },
	  TO_THE_HOST(not_tcp) },
	{ "IPv4 options are stepped over",
	  { SYN, .ipv4_options = 40, OPTIONS(MP_JOIN_SYN(TOKEN_OF_7)) },
	  BY(token, ON_LINK) },
	{ "IPv4 options go through GUE over IPv6",
	  { STAMPED_FOR(GUE_V6), .ipv4_options = 8, .payload = 11 },
	  BY(stamp, GUE_V6) },
	{ "another address is the host's",
	  { SYN, .destination = "192.0.2.2" },
	  TO_THE_HOST(not_service) },
	{ "a first fragment goes like a whole packet",
	  { SYN, .fragment = 0x2000, OPTIONS(MP_JOIN_SYN(TOKEN_OF_7)) },
	  BY(token, ON_LINK) },
	{ "a later fragment of TCP to a service address is dropped",
	  { SYN, .fragment = 3 },
	  DROPPED(fragment) },
	{ "a later fragment of TCP to another address is the host's",
	  { SYN, .fragment = 3, .destination = "192.0.2.2" },
	  TO_THE_HOST(not_service) },
	{ "a later fragment of UDP to a service address is the host's",
	  { .fragment = 3, .protocol = IPPROTO_UDP },
	  TO_THE_HOST(not_tcp) },
};

static const struct row v6_rows[] = {
	{ "an ICMP error goes by the stamp of the whole segment that it quotes",
	  { .protocol = IPPROTO_ICMPV6,
	    .icmp_type = 2,
	    ROUTER_V6,
	    .quote = &answer_v6,
	    .quoted = 60 },
	  BY(icmp_stamp, ON_LINK) },
	{ "an ICMP error goes by the stamp of a TCP header",
	  { .protocol = IPPROTO_ICMPV6,
	    .icmp_type = 2,
	    ROUTER_V6,
	    .quote = &answer_v6,
	    .quoted = 32 },
	  BY(icmp_stamp, ON_LINK) },
	{ "an ICMP error goes by the stamp in a quoted SYN/ACK",
	  { .protocol = IPPROTO_ICMPV6,
	    .icmp_type = 2,
	    ROUTER_V6,
	    .quote = &syn_ack_v6,
	    .quoted = 40 },
	  BY(icmp_stamp, ON_LINK) },
	{ "an ICMP error whose quote ends in the timestamp goes by the ring",
	  { .protocol = IPPROTO_ICMPV6,
	    .icmp_type = 2,
	    ROUTER_V6,
	    .quote = &answer_v6,
	    .quoted = 27 },
	  BY(icmp_ring, ON_RING) },
	{ "an ICMP error that quotes 8 bytes of TCP goes by the ring",
	  { .protocol = IPPROTO_ICMPV6,
	    .icmp_type = 2,
	    ROUTER_V6,
	    .quote = &answer_v6,
	    .quoted = 8 },
	  BY(icmp_ring, ON_RING) },
	{ "an ICMP error that quotes 3 bytes of TCP is the host's",
	  { .protocol = IPPROTO_ICMPV6,
	    .icmp_type = 2,
	    ROUTER_V6,
	    .quote = &answer_v6,
	    .quoted = 3 },
	  TO_THE_HOST(not_tcp) },
	{ "an ICMP error about another port is the host's",
	  { .protocol = IPPROTO_ICMPV6,
	    .icmp_type = 2,
	    ROUTER_V6,
	    .quote = &foreign_v6,
	    .quoted = 32 },
	  TO_THE_HOST(not_service) },
	{ "an ICMP error to another address is the host's, whatever it quotes",
	  { .protocol = IPPROTO_ICMPV6,
	    .icmp_type = 2,
	    ROUTER_V6,
	    .destination = "2001:db8:1::2",
	    .quote = &answer_v6,
	    .quoted = 32 },
	  TO_THE_HOST(not_tcp) },
	{ "an ICMP error of a TCP packet to a service, not from it, is the host's",
	  { .protocol = IPPROTO_ICMPV6,
	    .icmp_type = 2,
	    ROUTER_V6,
	    .quote = &request_v6,
	    .quoted = 32 },
	  TO_THE_HOST(not_tcp) },
	{ "an ICMP error goes through GUE over IPv6",
	  { .protocol = IPPROTO_ICMPV6,
	    .icmp_type = 2,
	    ROUTER_V6,
	    .quote = &gue_answer_v6,
	    .quoted = 32 },
	  BY(icmp_stamp, GUE_V6) },
	{ "echo to a service address is answered",
	  { .protocol = IPPROTO_ICMPV6, .icmp_type = 128 },
	  .reason = REASON_icmp_echo,
	  .backend = NO_BACKEND,
	  .answer = true },
	{ "echo to another address is the host's",
	  { .protocol = IPPROTO_ICMPV6, .icmp_type = 128, .destination = "2001:db8:1::2" },
	  TO_THE_HOST(not_tcp) },
	{ "echo of which IP claims seven bytes is the host's",
	  { .protocol = IPPROTO_ICMPV6, .icmp_type = 128, .missing = 9 },
	  TO_THE_HOST(malformed) },
	{ "echo that says that it is longer than its frame is the host's",
	  { .protocol = IPPROTO_ICMPV6, .icmp_type = 128 },
	  TO_THE_HOST(malformed),
	  .truncate = ETH_HLEN + 20 + 12 },
	{ "an ICMP error goes by the ring if IP claims less than its quoted timestamp",
	  { .protocol = IPPROTO_ICMPV6,
	    .icmp_type = 2,
	    ROUTER_V6,
	    .quote = &answer_v6,
	    .quoted = 32,
	    .missing = 5 },
	  BY(icmp_ring, ON_RING) },
	{ "an ICMP error of whose quote IP claims no ports is the host's",
	  { .protocol = IPPROTO_ICMPV6,
	    .icmp_type = 2,
	    ROUTER_V6,
	    .quote = &answer_v6,
	    .quoted = 32,
	    .missing = 29 },
	  TO_THE_HOST(not_tcp) },
	{ "another address is the host's",
	  { SYN, .destination = "2001:db8:1::2" },
	  TO_THE_HOST(not_service) },
	{ "one extension header is stepped over",
	  { SYN, .extensions = 1, OPTIONS(MP_JOIN_SYN(TOKEN_OF_7)) },
	  BY(token, ON_LINK) },
	{ "four extension headers of 64 bytes are stepped over",
	  { STAMPED_FOR(ON_LINK), .extensions = 4, .extension_units = 7 },
	  BY(stamp, ON_LINK) },
	{ "extension headers go through IPIP over IPv6",
	  { STAMPED_FOR(IPIP_V6), .extensions = 2 },
	  BY(stamp, IPIP_V6) },
	{ "a fifth extension header, to a service address, is dropped",
	  { SYN, .extensions = 5 },
	  DROPPED(too_many_extensions) },
	{ "an extension header of 72 bytes, to a service address, is dropped",
	  { SYN, .extensions = 1, .extension_units = 8 },
	  DROPPED(too_many_extensions) },
	{ "a fifth extension header to another address is the host's",
	  { SYN, .extensions = 5, .destination = "2001:db8:1::2" },
	  TO_THE_HOST(not_service) },
	{ "a frame that ends in an extension header is the host's",
	  { SYN, .extensions = 1 },
	  TO_THE_HOST(malformed),
	  .truncate = ETH_HLEN + 20 + 1 },
	{ "UDP behind an extension header is the host's",
	  { .extensions = 1, .protocol = IPPROTO_UDP },
	  TO_THE_HOST(not_tcp) },
	{ "a first fragment goes like a whole packet",
	  { SYN, .fragment_header = true, .fragment = 1, OPTIONS(MP_JOIN_SYN(TOKEN_OF_7)) },
	  BY(token, ON_LINK) },
	{ "a later fragment of TCP to a service address is dropped",
	  { SYN, .fragment_header = true, .fragment = 0x0018 },
	  DROPPED(fragment) },
	{ "a later fragment behind an extension header is dropped",
	  { SYN, .extensions = 1, .fragment_header = true, .fragment = 0x0019 },
	  DROPPED(fragment) },
	{ "a later fragment of TCP to another address is the host's",
	  { SYN, .fragment_header = true, .fragment = 0x0018, .destination = "2001:db8:1::2" },
	  TO_THE_HOST(not_service) },
	{ "a later fragment of UDP to a service address is the host's",
	  { .fragment_header = true, .fragment = 0x0018, .protocol = IPPROTO_UDP },
	  TO_THE_HOST(not_tcp) },
};

/* The fixture: a namespace with two ways out, and a configuration. */

static struct tables *tables;
static int program, poisoned; /* the balancer, and the same with dirty headroom */

static struct config_service *add_service(struct config *config, bool v6, uint16_t port)
{
	struct config_service *service = &config->services[config->service_count++];

	address_parse(v6 ? SERVICE_V6 : SERVICE_V4, &service->address);
	service->port = port;
	service->stamps = true;
	service->weight[ON_RING] = 101;
	service->weight[ON_LINK] = 1;
	service->weight[REDIRECTED] = 1;
	service->weight[DRAINING] = 101;
	service->weight[IS_DOWN] = 101;
	for (int index = IPIP_V4; index <= GUE_V6; index++)
		service->weight[index] = 1;
	return service;
}

static void add_services(struct config *config, bool v6)
{
	struct config_service *service;

	add_service(config, v6, SERVICE_PORT);
	add_service(config, v6, PORT_STAMPS_OFF)->stamps = false;
	add_service(config, v6, PORT_RING_JOINS)->joins = JOINS_RING;
	service = add_service(config, v6, PORT_EMPTY);
	memset(service->weight, 0, sizeof(service->weight));
	service->weight[DRAINING] = 101;
	service = add_service(config, v6, PORT_OTHER);
	memset(service->weight, 0, sizeof(service->weight));
	service->weight[ELSEWHERE] = 101;
}

static void add_tunnels(struct config *config)
{
	struct config_backend *backends = config->backends;

	prefix_parse(TUNNEL_SOURCE, &config->tunnel_source);
	prefix_parse(TUNNEL_SOURCE_V6, &config->tunnel_source_v6);
	for (int index = IPIP_V4; index <= GUE_V6; index++) {
		fixture_backend(config, index, false, BACKEND_UP);
		backends[index].forward =
			index == GUE_V4 || index == GUE_V6 ? FORWARD_GUE : FORWARD_IPIP;
	}
	address_parse(ADDRESS_OF_42, &backends[IPIP_V6].address);
	address_parse(ADDRESS_OF_43, &backends[GUE_V6].address);
}

static struct config *make_config(void)
{
	struct config *config = config_new();

	fixture_secret(config, 1);
	fixture_backend(config, ON_RING, false, BACKEND_UP);
	fixture_backend(config, ON_LINK, false, BACKEND_UP);
	fixture_backend(config, REDIRECTED, true, BACKEND_UP);
	fixture_backend(config, DRAINING, false, BACKEND_DRAIN);
	fixture_backend(config, IS_DOWN, false, BACKEND_DOWN);
	fixture_backend(config, ELSEWHERE, false, BACKEND_UP);
	add_tunnels(config);
	add_services(config, false);
	add_services(config, true);
	return config;
}

static int load_poisoned(void)
{
	LIBBPF_OPTS(bpf_object_open_opts, open_options, .pin_root_path = fixture_pins);
	struct poison_bpf *skeleton = poison_bpf__open_opts(&open_options);

	if (!skeleton)
		fixture_die("can't open the program that poisons");
	fixture_share_devices(skeleton->maps.devices);
	if (poison_bpf__load(skeleton))
		fixture_die("can't load the program that poisons");
	return bpf_program__fd(skeleton->progs.lb_poisoned);
}

static void set_up(void)
{
	struct config *config = make_config();

	fixture_network("rows");
	if (cmd_load(&(struct words){}) || tables_open(fixture_pins, &tables))
		fixture_die("can't load");
	if (tables_publish(tables, config))
		fixture_die("can't publish");
	fixture_freeze_clock(tables, WALL_MS);
	program = fixture_open_pin("lb");
	poisoned = load_poisoned();
	config_free(config);
}

static void tear_down(void)
{
	tables_close(tables);
	cmd_unload(&(struct words){});
}

/* Written anew after docs, as every peer would have to: the balancer's spreading of flows. */
static uint32_t flow_of(const struct segment *s)
{
	uint32_t words[4];
	uint64_t mix;

	/* Of an ICMP error too: it stands for what the client would send. */
	if (s->v6)
		inet_pton(AF_INET6, CLIENT_V6, words);
	else
		memcpy(words, (uint32_t[]){ 0, 0, 0, inet_addr(CLIENT_V4) }, sizeof(words));
	mix = words[3] ^ words[1] ^ (htons(CLIENT_PORT) << 16 | htons(SERVICE_PORT));
	return mix * 0x9e3779b97f4a7c15 >> 32;
}

static size_t expect_tunnel(const struct row *row, const struct segment *segment, uint8_t *frame,
			    size_t length)
{
	static const struct outer outers[] = {
		[IPIP_V4] = { false, TUNNEL_SOURCE, "10.9.0.40" },
		[GUE_V4] = { true, TUNNEL_SOURCE, "10.9.0.41" },
		[IPIP_V6] = { false, TUNNEL_SOURCE_V6, ADDRESS_OF_42 },
		[GUE_V6] = { true, TUNNEL_SOURCE_V6, ADDRESS_OF_43 },
	};
	struct outer outer = outers[row->backend];

	outer.flow = flow_of(segment);
	return packet_wrap(frame, length, segment, &outer);
}

/* The type of an echo reply is 0, and its message is sixteen bytes. */
static void set_echo_reply_v4(uint8_t *frame)
{
	uint8_t *icmp = frame + ETH_HLEN + sizeof(struct iphdr);
	uint16_t sum;

	memset(icmp, 0, 4);
	sum = packet_checksum(icmp, 16, 0);
	memcpy(icmp + 2, &sum, sizeof(sum));
}

#define ANSWER_TTL 64 /* as a host's own, however far the request came */

static void set_hops_v4(uint8_t *frame)
{
	struct iphdr *ip = (struct iphdr *)(frame + ETH_HLEN);

	ip->ttl = ANSWER_TTL;
	ip->check = 0;
	ip->check = packet_checksum(ip, sizeof(*ip), 0);
}

static uint32_t expect_answer(const struct segment *segment, uint8_t *frame)
{
	struct segment answer = *segment;
	struct ethhdr *eth = (struct ethhdr *)frame;

	answer.source = segment->v6 ? SERVICE_V6 : SERVICE_V4;
	answer.destination = segment->v6 ? CLIENT_V6 : CLIENT_V4;
	answer.icmp_type = ICMPV6_ECHO_REPLY; /* any but 0, which would be TCP */
	packet_build(frame, &answer);
	if (segment->v6) {
		((struct ipv6hdr *)(frame + ETH_HLEN))->hop_limit = ANSWER_TTL;
	} else {
		set_echo_reply_v4(frame);
		set_hops_v4(frame);
	}
	memcpy(eth->h_dest, mac_router, ETH_ALEN);
	memcpy(eth->h_source, mac_balancer, ETH_ALEN);
	return XDP_TX;
}

/* What the row says must come out of the frame that went in. */
static uint32_t expect(const struct row *row, const struct segment *segment, uint8_t *frame,
		       size_t *length)
{
	static const uint8_t mac_lo[6], mac_out[6] = { 2, 0, 0, 0, 0, 0xcc };
	struct ethhdr *eth = (struct ethhdr *)frame;

	if (row->answer)
		return expect_answer(segment, frame);
	if (row->backend == NO_BACKEND)
		return row->drop ? XDP_DROP : XDP_PASS;
	if (row->backend >= IPIP_V4 && row->backend <= GUE_V6)
		*length = expect_tunnel(row, segment, frame, *length);
	fixture_lladdr(row->backend, eth->h_dest);
	memcpy(eth->h_source, row->backend == REDIRECTED ? mac_out : mac_lo, ETH_ALEN);
	return row->backend == REDIRECTED ? XDP_REDIRECT : XDP_TX;
}

static bool check_frame(const uint8_t *want, size_t want_length, const uint8_t *got,
			size_t got_length)
{
	if (want_length == got_length && !memcmp(want, got, want_length))
		return true;
	for (size_t i = 0; i < want_length && i < got_length; i++)
		if (want[i] != got[i])
			diag("byte %zu is %02x, not %02x", i, got[i], want[i]);
	if (want_length != got_length)
		diag("%zu bytes came out, not %zu", got_length, want_length);
	return false;
}

/* Exactly one reason was counted, and exactly the backend that got the packet. */
static bool check_counters(const struct row *row, const uint64_t *before, const uint64_t *after)
{
	bool good = true;

	for (uint32_t i = 0; i < COUNTERS; i++) {
		bool is_reason = i < COUNTER_BACKENDS && i % COUNTER_REASONS == row->reason;
		bool is_backend = row->backend != NO_BACKEND &&
				  i == COUNTER_BACKENDS + (uint32_t)row->backend;

		if (after[i] == before[i])
			continue;
		if (!is_reason && !is_backend) {
			diag("counter %u moved: %s %u", i,
			     i < COUNTER_BACKENDS ? "reason" : "backend",
			     i < COUNTER_BACKENDS ? i % COUNTER_REASONS : i - COUNTER_BACKENDS);
			good = false;
		}
	}
	if (row->backend != NO_BACKEND &&
	    after[COUNTER_BACKENDS + row->backend] != before[COUNTER_BACKENDS + row->backend] + 1) {
		diag("the backend's packet was not counted");
		return false;
	}
	for (uint32_t i = row->reason; i < COUNTER_BACKENDS; i += COUNTER_REASONS)
		if (after[i] == before[i] + 1)
			return good;
	diag("reason %d was not counted", row->reason);
	return false;
}

/* One run of one program; want: the frame that must come out. */
static bool run_program(int program, const struct row *row, const uint8_t *in, size_t in_length,
			const uint8_t *want, size_t want_length, uint32_t verdict)
{
	uint8_t out[FRAME_MAX];
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = in, .data_size_in = in_length,
		    .data_out = out, .data_size_out = sizeof(out));
	uint64_t *before, *after;
	bool good;

	tables_counters(tables, &before);
	if (bpf_prog_test_run_opts(program, &run))
		fixture_die("BPF_PROG_TEST_RUN");
	tables_counters(tables, &after);
	good = check_frame(want, want_length, out, run.data_size_out);
	good &= check_counters(row, before, after);
	if (run.retval != verdict)
		diag("verdict %u, not %u", run.retval, verdict);
	free(before);
	free(after);
	return good && run.retval == verdict;
}

static void run_row(const struct row *row, bool v6)
{
	uint8_t in[FRAME_MAX], want[FRAME_MAX];
	struct segment segment = row->in;
	size_t in_length, want_length;
	uint32_t verdict;
	bool good;

	segment.v6 = v6;
	in_length = packet_build(in, &segment);
	if (row->truncate)
		in_length = row->truncate + (v6 && row->truncate > ETH_HLEN + 20 ? 20 : 0);
	want_length = in_length;
	memcpy(want, in, sizeof(want));
	verdict = expect(row, &segment, want, &want_length);
	good = run_program(program, row, in, in_length, want, want_length, verdict);
	good &= run_program(poisoned, row, in, in_length, want, want_length, verdict);
	ok(good, "IPv%d: %s", v6 ? 6 : 4, row->sentence);
}

#define RUN_ROWS(rows, v6) \
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) \
	run_row(&rows[i], v6)

/* A packet that finds the clock due reads it, less the seconds that TAI is ahead. */
static void check_clock(void)
{
	const struct row row = { "", { STAMPED_FOR(ON_LINK) } };
	struct clock *clock = &tables_state(tables)->clock;
	uint8_t in[FRAME_MAX];
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = in,
		    .data_size_in = packet_build(in, &row.in));
	struct timespec now;
	uint32_t wall_ms;

	clock->due_jiffies = 0;
	clock->tai_offset_ms = 37000;
	bpf_prog_test_run_opts(program, &run);
	clock_gettime(CLOCK_TAI, &now);
	wall_ms = (uint32_t)(now.tv_sec * 1000ull + now.tv_nsec / 1000000) - 37000;
	ok(wall_ms - clock->wall_ms < 5000, "a packet that finds the clock due reads it");
	ok(clock->due_jiffies > 0, "and says when it is due again");
	clock->wall_ms = 1;
	bpf_prog_test_run_opts(program, &run);
	ok(clock->wall_ms == 1, "a packet that finds it not due leaves it alone");
	clock->due_jiffies -= 1000;
	bpf_prog_test_run_opts(program, &run);
	ok(clock->wall_ms != 1, "a packet that finds it due again reads it again");
}

/* A stamp of `ahead_ms` in the clock's future, on a packet that finds the clock due. */
static void sample(int32_t ahead_ms)
{
	struct clock *clock = &tables_state(tables)->clock;
	uint32_t stamp = clock->wall_ms + ahead_ms + ON_LINK * SLOT_MS;
	const struct segment segment = { ACK, OPTIONS(NOP, NOP, TIMESTAMP(5, stamp)) };
	uint8_t in[FRAME_MAX];
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = in,
		    .data_size_in = packet_build(in, &segment));

	clock->due_jiffies -= 1000;
	bpf_prog_test_run_opts(program, &run);
	bpf_prog_test_run_opts(program, &run);
}

static void check_stamp_ages(void)
{
	uint64_t(*ages)[STAMP_AGES] = tables_state(tables)->stamp_ages;

	memset(ages, 0, sizeof(tables_state(tables)->stamp_ages));
	sample(-100);
	ok(ages[0][0] == 1, "of the stamps between two readings of the clock one is noted");
	sample(-40000);
	ok(ages[0][2] == 1, "a stamp that is 40 s old is counted below 65 s");
	sample(500000);
	ok(ages[1][3] == 1, "one that is 500 s in the future is counted there, below 524 s");
	ok(ages[0][0] == 1, "and nowhere else");
}

int main(void)
{
	set_up();
	RUN_ROWS(rows, false);
	RUN_ROWS(rows, true);
	RUN_ROWS(v4_rows, false);
	RUN_ROWS(v6_rows, true);
	check_clock();
	check_stamp_ages();
	tear_down();
	return tap_end();
}
