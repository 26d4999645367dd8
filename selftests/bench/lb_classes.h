/* SPDX-License-Identifier: GPL-2.0-only */
/* What the benchmark of the balancer measures: programs, and the classes of packets. */
#ifndef LB_CLASSES_H
#define LB_CLASSES_H

#include <linux/bpf.h>
#include <stddef.h>

#include "lb_bench.h"
#include "packet.h"

enum program {
	FLOOR_TX,
	FLOOR_MACS,
	FLOOR_ROOM,
	FLOOR_ENCAP,
	FLOOR_TIGHT,
	MINIMAL,
	MINIMAL_LRU,
	BALANCER,
	PROGRAMS
};

enum class {
	HARNESS,
	ROOM,
	MACS,
	ENCAP,
	TIGHT,
	STATELESS,
	STATEFUL,
	STAMPED,
	STAMPED_BEHIND_NOPS,
	JOIN,
	JOIN_BEHIND_NOPS,
	RING,
	RING_BARE,
	JOIN_PORT,
	CACHED_JOIN,
	CACHED,
	ICMP_ERROR,
	OTHER_PORT,
	UDP,
	BARE_JOIN, /* fills the cache of `flows joins`; not a row of the table */
	CLASSES
};

struct class_of_packets {
	const char *name;
	enum program program;
	struct segment packet;
	/* Offsets in struct bench_flow; 0: none. */
	size_t ports, clue, backend;
	uint32_t verdict;
	bool v4_only;
	bool keeps_flows; /* its flows must have been seen before */
};

#define PLACEHOLDER 0x01020304
#define OF(member) offsetof(struct bench_flow, member)
#define LINUX_SYN MSS, SACK_PERMITTED, TIMESTAMP(5, 0), NOP, WINDOW_SCALE
#define PLAIN_ACK \
	{ \
		.flags = TCP_ACK, OPTIONS(NOP, NOP, TIMESTAMP(5, PLACEHOLDER)), .payload = 64 \
	}
#define FLOOR(program) program, PLAIN_ACK, OF(ports), 0, 0, XDP_TX
#define JOINING(...) \
	{ \
		.flags = TCP_SYN, OPTIONS(__VA_ARGS__, MP_JOIN_SYN(PLACEHOLDER)) \
	}
#define TO_TOKEN OF(ports), OF(token), OF(named), XDP_TX
#define TO_STAMP OF(ports), OF(stamp), OF(named), XDP_TX
#define TO_RING OF(ports), 0, OF(on_ring), XDP_TX /* over IPv6 on_ring_v6 */
#define TO_HOST_STACK OF(other_port), 0, 0, XDP_PASS

/* What a server has sent, as an ICMP error quotes it. */
static const struct segment stamped_by_server = {
	.source = SERVICE_V4,
	.destination = CLIENT_V4,
	.sport = SERVICE_PORT,
	.dport = CLIENT_PORT,
	.flags = TCP_ACK,
	OPTIONS(NOP, NOP, TIMESTAMP(PLACEHOLDER, 5)),
};
static const struct segment stamped_by_server_v6 = {
	.source = SERVICE_V6,
	.destination = CLIENT_V6,
	.sport = SERVICE_PORT,
	.dport = CLIENT_PORT,
	.flags = TCP_ACK,
	OPTIONS(NOP, NOP, TIMESTAMP(PLACEHOLDER, 5)),
};

static const struct class_of_packets classes[CLASSES] = {
	[HARNESS] = { "harness", FLOOR(FLOOR_TX) },
	[ROOM] = { "room made and undone", FLOOR(FLOOR_ROOM), .v4_only = true },
	[MACS] = { "swap MACs", FLOOR(FLOOR_MACS), .v4_only = true },
	[ENCAP] = { "IPIP encapsulation, plain (E)", FLOOR(FLOOR_ENCAP), .v4_only = true },
	[TIGHT] = { "IPIP encapsulation, tight (T)", FLOOR(FLOOR_TIGHT), .v4_only = true },
	[STATELESS] = { "minimal balancer", MINIMAL, PLAIN_ACK, OF(ports), 0, OF(on_minimal),
			XDP_TX, .v4_only = true },
	[STATEFUL] = { "minimal balancer with flow table", MINIMAL_LRU, PLAIN_ACK, OF(ports), 0,
		       OF(on_minimal), XDP_TX, .v4_only = true, .keeps_flows = true },
	[STAMPED] = { "stamped", BALANCER, PLAIN_ACK, TO_STAMP },
	[STAMPED_BEHIND_NOPS] = { "stamped, behind 28 NOPs",
				  BALANCER,
				  { .flags = TCP_ACK,
				    OPTIONS(NOP28, TIMESTAMP(5, PLACEHOLDER), NOP, NOP) },
				  TO_STAMP },
	[JOIN] = { "join", BALANCER, JOINING(LINUX_SYN), TO_TOKEN },
	[JOIN_BEHIND_NOPS] = { "join, behind 28 NOPs", BALANCER, JOINING(NOP28), TO_TOKEN },
	[RING] = { "new connection, ring",
		   BALANCER,
		   { .flags = TCP_SYN, OPTIONS(LINUX_SYN, MP_CAPABLE_SYN) },
		   TO_RING },
	[RING_BARE] = { "ACK without timestamps, ring", BALANCER, { .flags = TCP_ACK }, TO_RING },
	[JOIN_PORT] = { "join port",
			BALANCER,
			{ .flags = TCP_ACK },
			OF(join_port),
			0,
			OF(named),
			XDP_TX },
	[CACHED_JOIN] = { "flow cache hit",
			  BALANCER,
			  { .flags = TCP_ACK },
			  OF(ports),
			  0,
			  OF(named),
			  XDP_TX,
			  .keeps_flows = true },
	[CACHED] = { "flow cache hit", BALANCER, PLAIN_ACK, TO_STAMP, .keeps_flows = true },
	[ICMP_ERROR] = { "ICMP error, by the stamp",
			 BALANCER,
			 { .quote = &stamped_by_server, .quoted = 32 },
			 0,
			 OF(stamp),
			 OF(named),
			 XDP_TX },
	[OTHER_PORT] = { "not for a service, port 22", BALANCER, PLAIN_ACK, TO_HOST_STACK },
	[UDP] = { "not for a service, UDP",
		  BALANCER,
		  { .protocol = IPPROTO_UDP, .payload = 64 },
		  TO_HOST_STACK },
	[BARE_JOIN] = { "join without timestamps", BALANCER, JOINING(MSS), TO_TOKEN },
};

/* The packet of a class over IPv4 or IPv6. */
static inline struct segment packet_of(enum class class, bool v6)
{
	struct segment packet = classes[class].packet;

	packet.v6 = v6;
	if (class == ICMP_ERROR) {
		packet.protocol = v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
		packet.icmp_type = v6 ? 3 : 11; /* time exceeded */
		packet.quote = v6 ? &stamped_by_server_v6 : &stamped_by_server;
	}
	return packet;
}

static inline size_t find_clue(const uint8_t *frame, size_t length)
{
	static const uint8_t placeholder[] = { BYTES4(PLACEHOLDER) };
	const uint8_t *found = memmem(frame, length, placeholder, sizeof(placeholder));

	return found ? found - frame : 0;
}

#endif
