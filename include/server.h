/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The layout of the server side's maps, pinned in DIR/server/ by the names given here. */
#ifndef MPTCP_LB_SERVER_H
#define MPTCP_LB_SERVER_H

#include "types.h"

#define SERVER_ABI 0x6d6c7304          /* "mls", 4 */
#define SERVER_KEYS_MAX (65536 + 1024) /* 64 Ki, and what a count may be off by */
#define SERVER_CONNECTIONS_MAX 262144
#define SERVER_HANDED_OUT_MAX 1048576
#define SERVER_NETWORKS_MAX 65536
#define SERVER_DEVICES_MAX 16
#define SERVER_DEVICE_NAME_MAX 16

/* Joins in flight: the kernel has 1024 slots, and two that meet in one both fail. */
#define SERVER_JOINS_MAX 32

/*
 * Map `services`, a hash: an address and port of this host that clients connect to; value 1.
 * Map `service_lines`, an array, spares nearly all segments that lookup: a service stands at
 * its server_service_line(), unless another one came first.
 */
struct server_service {
	struct address address;
	__be16 port;
	uint8_t pad[6];
};

/* port: as on the wire. */
static inline __attribute__((always_inline)) uint32_t
server_service_line(const struct address *address, uint16_t port)
{
	uint64_t mix = (address->halves[0] ^ address->halves[1] >> 32 ^ port) * 0x9e3779b97f4a7c15;

	return mix >> 53;
}

_Static_assert(SERVICE_LINES == 1 << (64 - 53), "server_service_line() yields 11 bits");

/* Map `connections`, a hash of what is treated otherwise than new connections are. */
struct connection {
	struct address local, remote;
	__be16 local_port, remote_port;
	uint8_t pad[4];
};

/* Value of `connections`. A SYN/ACK ends an entry: the 4-tuple begins anew. */
enum treatment {
	TREAT_PLAIN = 1,       /* its TSval is left alone */
	TREAT_PLAIN_HANDSHAKE, /* likewise, and its SYN/ACK may be repeated: that ends nothing */
	TREAT_STAMPED,         /* goes on being stamped when new connections are not */
	TREAT_PLAIN_JUDGED,    /* plain by its echo, until a later one looks stamped */
};

/* Of connections that are not in `connections`, whose echoes tell whether they are stamped. */
enum judging {
	JUDGE_NOTHING,
	JUDGE_HANDSHAKES,  /* `stamping` was switched: those that had begun */
	JUDGE_CONNECTIONS, /* the programs were away: all that began meanwhile */
};

/* Map `keys`, a queue: user space pushes, a cookie SYN/ACK pops. */
struct server_key {
	uint64_t key;   /* the 8 bytes in wire order */
	uint32_t token; /* host order; derived from the key */
	uint32_t run;   /* which `server run` queued it */
};

/*
 * Map `handed_out`, a hash: token (host order) to when its key was popped (CLOCK_MONOTONIC,
 * ns). A cookie lives 128 s, so until then its client may still turn up with the key;
 * whoever walks the map deletes what is older.
 */
#define COOKIE_LIFETIME_S 128

/*
 * Map `networks`, an LRU hash: networks that MPTCP connections came from lately, an address
 * with its host bits zero, to when its share of the reserve will be whole again
 * (CLOCK_MONOTONIC, ns). A key costs SHARE_INTERVAL_NS of it, and a whole share is good for
 * SHARE_KEYS at once.
 */
#define NETWORK_V4_BITS 24
#define NETWORK_V6_BITS 56
#define SHARE_KEYS 32
#define SHARE_INTERVAL_NS 125000000ull /* 8 keys a second */

/* The network of a client's address, as in the map. */
static inline __attribute__((always_inline)) void server_network(struct address *address)
{
	if (!address->halves[0] && address->words[2] == 0xffff0000) { /* ::ffff:0:0/96 */
		address->halves[1] &= ~0ull >> (32 - NETWORK_V4_BITS);
	} else {
		address->halves[0] &= ~0ull >> (64 - NETWORK_V6_BITS);
		address->halves[1] = 0;
	}
}

/* Map `counters`, per CPU, by enum server_counter. Append only. */
#define SERVER_COUNTERS(COUNTER) \
	COUNTER(key_replaced, "MP_CAPABLE SYN/ACKs that got a key from the queue") \
	COUNTER(queue_empty, "MP_CAPABLE SYN/ACKs that kept the kernel's key: queue empty") \
	COUNTER(handed_out_full, \
		"MP_CAPABLE SYN/ACKs that kept the kernel's key: too many handed out") \
	COUNTER(not_a_cookie, "MP_CAPABLE SYN/ACKs that kept the kernel's key: no SYN cookie") \
	COUNTER(stamped, "segments sent with a stamp") \
	COUNTER(restored, "segments received whose stamp was taken off") \
	COUNTER(plain, "segments left alone: connections from before the attachment") \
	COUNTER(connections_full, "connections that could not be noted: no room or no memory") \
	COUNTER(malformed, "segments with malformed TCP options, left alone") \
	COUNTER(decapsulated, "packets whose outer headers were taken off") \
	COUNTER(tunnel_malformed, "packets by IPIP or GUE with malformed headers, left alone") \
	COUNTER(tunnel_congested, "packets dropped: congestion was met on the way, and the inner " \
				  "packet can't say so") \
	COUNTER(tunnel_refused, "packets dropped: the kernel could not take outer headers off") \
	COUNTER(mss_lowered, "SYN/ACKs whose MSS was lowered by what a tunnel adds") \
	COUNTER(reserved, "MP_CAPABLE SYN/ACKs that kept the kernel's key: few are left, and the " \
			  "client's network is new") \
	COUNTER(share_used, "MP_CAPABLE SYN/ACKs that kept the kernel's key: few are left, and " \
			    "the client's network has had its share") \
	COUNTER(join_held_back, "MP_JOIN SYNs dropped, to come again: too many joins in flight") \
	COUNTER(join_reset, "repeated third ACKs of joins that had failed, turned into RSTs")

#define SERVER_COUNTER_ENUM(name, words) SERVER_##name,
enum server_counter { SERVER_COUNTERS(SERVER_COUNTER_ENUM) SERVER_COUNTER_COUNT };
#undef SERVER_COUNTER_ENUM

/* Map `state`, an mmapable array of one. */
struct server_state {
	uint64_t switched_ms;   /* CLOCK_MONOTONIC: since when echoes are to be judged */
	uint64_t netns;         /* SO_NETNS_COOKIE of where it is attached */
	struct address address; /* where balancers send to; what is tunnelled there is ours */
	uint32_t abi;           /* SERVER_ABI */
	uint32_t index;
	uint32_t index_bits;
	uint32_t offset;     /* ms; stamp_offset() of this boot */
	uint32_t constant;   /* ms: added to TSval, taken from TSecr; stamp_constant() */
	uint32_t stamping;   /* 1: connections not in `connections` are stamped; 0: they are not */
	uint32_t recording;  /* 1: a segment notes its connection with today's treatment */
	uint32_t replacing;  /* 1: keys are replaced */
	int32_t keys_queued; /* pushed less popped; for a moment it may be off by a few */
	uint32_t keys_room;  /* how many a full queue holds; 0: `server run` never ran */
	uint32_t keys_reserve;      /* the last so many are shared out; 0: it was not full yet */
	uint32_t syncookies_before; /* the sysctls as attach found them */
	uint32_t timestamps_before;
	uint32_t forward;  /* enum forward: how balancers send here, by the configuration */
	uint32_t overhead; /* bytes that it adds to each packet */
	uint32_t devices[SERVER_DEVICES_MAX];         /* ifindex; 0: unused */
	uint8_t clsact_was_there[SERVER_DEVICES_MAX]; /* 0: we made the qdisc, detach removes it */
	uint32_t joins_max;                           /* in flight; 0: joins are left alone */
	uint32_t noted;   /* 0: `connections` is empty; written after an entry is */
	uint32_t judging; /* enum judging, and 0 once switched_ms is long ago */
	char device_names[SERVER_DEVICES_MAX][SERVER_DEVICE_NAME_MAX]; /* by which they come back */
};

_Static_assert(sizeof(struct server_state) % 8 == 0, "elements of an array map are padded to 8");

#endif
