/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The layout of the balancer's maps: what the loader writes and the XDP program reads. */
#ifndef MPTCP_LB_TYPES_H
#define MPTCP_LB_TYPES_H

#include <linux/types.h>
#include <stdint.h>

#include "flowhash.h"
#include "token.h"

/* Changes with any layout below and with any decision that balancers must share. */
#define LB_ABI 0x6d6c6205 /* "mlb", 5 */

#define MAX_BACKENDS (1 << TOKEN_INDEX_BITS_MAX)
#define MAX_SERVICES 512
#define MEMBER_WORDS (MAX_SERVICES / 32)

/*
 * All configuration exists twice. The generation's low bit says which bank packets
 * go by; the loader fills the other and then adds one to the generation.
 */
#define BANKS 2

/* Services: an open-addressed table, one cache line each, sparse enough to probe little. */
#define SERVICE_LINES 2048
#define SERVICE_PROBES 4
#define ADDRESS_LINE (MAX_SERVICES + 1) /* the id of a line that stands for an address */

/*
 * Ring ids: those that the live bank names, while publishing the other's, and a spare.
 * A service has one, and an address with a join port another.
 */
#define SPARE_RING (BANKS * 2 * MAX_SERVICES)
#define MAX_RINGS (SPARE_RING + 1)

/* IPv6, or IPv4 as ::ffff:a.b.c.d; network order. */
struct address {
	union {
		uint8_t bytes[16];
		__be32 words[4];
		uint64_t halves[2];
	};
};

enum joins { JOINS_TOKEN, JOINS_RING };

enum flows { FLOWS_OFF, FLOWS_JOINS, FLOWS_ALL };

/*
 * A service with a flow cache has two maps: what was answered, and joins whose SYN is all that
 * was seen, so that a flood of these leaves the first alone.
 */
enum flow_cache { FLOWS_SETTLED, FLOWS_FRESH, FLOW_CACHES };

/* Ids of caches are given as those of rings are: FLOW_CACHES to a service of either bank. */
#define MAX_FLOW_CACHES (BANKS * MAX_SERVICES * FLOW_CACHES)

/* What caches go by: the client's half of the 5-tuple. The value is 1 + index, in 32 bits. */
struct client {
	struct address address;
	__be16 port;
	uint16_t pad[3];
};

struct service {
	struct address address;
	__be16 port;    /* 0: the line stands for the address, whatever the port */
	uint16_t id;    /* 1 to MAX_SERVICES: its row of counters; 0: the line is empty */
	uint16_t ring;  /* its place in the map of rings */
	uint8_t joins;  /* enum joins */
	uint8_t stamps; /* 1: all its backends run our server side */
	struct flow_key flow_key;
	uint16_t join_port;   /* host order: that of index 0; 0: none. An address has it too */
	uint16_t flow_caches; /* the first of its places in the map of flows */
	uint32_t flow_entries;
	uint8_t flows;       /* enum flows */
	uint8_t by_stamp;    /* 1: a stamp decides, before any flow cache */
	uint8_t member_word; /* where a backend's bit for this service is, and the bit */
	uint8_t pad;
	uint32_t member_bit;
	uint64_t key; /* service_key_v4() or service_key_v6() of its address and port */
};

enum forward { FORWARD_L2, FORWARD_IPIP, FORWARD_GUE };

#define PACKET_LENGTH_MIN 68 /* RFC 791: every link takes that much */

/* IPv4 packets without DF that do not fit: answered, or sent for routers to cut. */
enum df_clear { DF_CLEAR_TOO_BIG, DF_CLEAR_FRAGMENT };

enum backend_state { BACKEND_UP, BACKEND_DRAIN, BACKEND_DOWN };

struct backend {
	/* As a frame begins: packets read and write both at once. */
	uint8_t eth_dst[6]; /* all zero: the next hop is not known */
	uint8_t eth_src[6];
	uint32_t ifindex;     /* the device that leads to it */
	uint8_t assigned;     /* 1: this index is a backend of the cluster */
	uint8_t state;        /* enum backend_state */
	uint8_t lladdr_given; /* 1: eth_dst was said by the operator */
	uint8_t forward;      /* enum forward */
	uint8_t address_is_v6;
	uint8_t pad;
	/* The longest IP packets that fit, outer headers not counted; PACKET_LENGTH_MIN or more. */
	uint16_t mtu;
	uint16_t df_clear_mtu; /* of those that routers may cut on the way */
	uint8_t reserved[2];
	uint32_t near_ifindex;  /* ifindex, if it is forwarded to by l2; else 0 */
	struct address address; /* also of one that was removed, if removed_at is not 0 */
	uint64_t removed_at;    /* wall clock in s */
	uint32_t ipip_ifindex;  /* ifindex, if it is forwarded to by ipip over IPv4; else 0 */
	uint8_t unused[4];
	/* Bit id - 1: it is a member of that service and not down. */
	uint32_t services[MEMBER_WORDS];
};

/*
 * One per service. slot: 1 + the index that owns a slot of the ring, or 0. weight: 1 + a
 * member's weight by index, or 0 for no member; packets read it for join ports.
 */
struct ring {
	uint16_t slot[RING_SLOTS];
	uint16_t weight[MAX_BACKENDS];
};

/* By bank * TOKEN_EPOCHS + epoch. */
struct secret {
	struct token_secret secret;
	uint32_t present;
	char file[252]; /* where the operator keeps it; "-" if it came by stdin */
	struct token_rounds rounds;
};

struct cluster {
	uint64_t ring_seed;
	uint32_t index_bits; /* 4 to 12; 0: nothing was ever applied */
	uint32_t epoch;      /* the one that servers issue under */
	uint32_t strict_clock;
	uint32_t stamp_ahead;  /* stamp_ahead() of the index bits */
	uint64_t service_seed; /* multiplier that places services within SERVICE_PROBES */
	/* Outer sources: the prefix, and which bits of its last word are the flow's. */
	struct address tunnel_source; /* ::ffff:a.b.c.d */
	struct address tunnel_source_v6;
	__be32 tunnel_hosts;
	__be32 tunnel_hosts_v6;
	uint8_t tunnel_length; /* of the prefix; 0: there is none */
	uint8_t tunnel_length_v6;
	uint8_t df_clear;    /* enum df_clear; packets go by each backend's df_clear_mtu */
	uint8_t join_ports;  /* 1: some address has a join port */
	uint8_t stamp_shift; /* 32 - index_bits */
	uint8_t pad[3];
	/* The index assigned at or next above each slot of the stamp, cyclic (stamp.h). */
	uint16_t owner[MAX_BACKENDS];
};

/*
 * The wall clock: milliseconds mod 2^32, refreshed from CLOCK_TAI by whichever packet
 * finds it due. Tests freeze it.
 */
#define CLOCK_FROZEN UINT64_MAX

struct clock {
	uint64_t due_jiffies;   /* CLOCK_FROZEN: never */
	uint64_t tai_offset_ms; /* TAI less UTC, as the kernel had it at the last apply */
	uint32_t wall_ms;
	uint32_t pad;
};

/* Ages of stamps: below 2^10 ms, 2^13, and so on to 2^28; the last, older than that. */
#define STAMP_AGES 8
#define STAMP_AGE_SHIFT(age) (10 + 3 * (age))

/* The one value of the map of the same name. */
struct state {
	uint32_t abi; /* LB_ABI, or 0 before the first apply: all packets are the host's */
	uint32_t generation;
	struct cluster cluster[BANKS];
	/* By epoch: clock.wall_ms | 1 when a join by its tokens last found a backend; 0: none did.
	 */
	uint32_t joined[TOKEN_EPOCHS];
	/* No ring and no flow cache has an id from here on; written before one is. */
	uint32_t rings_end, flow_caches_end;
	struct clock clock;
	uint64_t error_turn_ns; /* CLOCK_MONOTONIC: bounds how many ICMP errors are sent */
	/* One at each reading of the clock by a stamped packet: of the past, and of the future. */
	uint64_t stamp_ages[2][STAMP_AGES];
};

/*
 * Counters, per CPU: a row of reasons for each service, row 0 for none, the last for all join
 * ports; then the backends.
 */
#define COUNTER_REASONS 32
#define COUNTER_BACKENDS ((ADDRESS_LINE + 1) * COUNTER_REASONS)
#define COUNTERS (COUNTER_BACKENDS + MAX_BACKENDS)

/*
 * Packets with the reason `stamp` have counters of their own, per CPU: service and backend in one
 * value, so that one look-up finds both. The kernel bounds a value to 32 KB, so each has a part of
 * the backends. Among COUNTERS a service's `stamp` is what to add, modulo 2^64: nothing, less what
 * was counted before the service got its id.
 */
#define STAMPED_BACKENDS 2048

struct stamped {
	uint64_t services[MAX_SERVICES]; /* by id % MAX_SERVICES; an address's line has no stamps */
	uint64_t backends[STAMPED_BACKENDS]; /* to be added to those among COUNTERS */
};

#define STAMPED_PARTS (MAX_BACKENDS / STAMPED_BACKENDS)

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
	       "hashes read addresses and ports as little-endian words");
_Static_assert(sizeof(struct service) == 64, "a service is one cache line");
_Static_assert(sizeof(struct backend) == 128, "a backend is two cache lines");
_Static_assert(sizeof(struct state) % 8 == 0, "elements of an array map are padded to 8");

#define TYPES_INLINE static inline __attribute__((always_inline))

/* An IPv4 service in one word, which is never 0. Address and port as on the wire. */
TYPES_INLINE uint64_t service_key_v4(uint32_t address, uint16_t port)
{
	return (uint64_t)(port | 0x10000) << 32 | address;
}

/* The same for IPv6, of whose services two may share one; it is none of IPv4. */
TYPES_INLINE uint64_t service_key_v6(const uint64_t halves[2], uint16_t port)
{
	return (halves[0] * 0x9e3779b97f4a7c15ULL ^ halves[1] ^ (uint64_t)port << 32) | 1ULL << 63;
}

/* Where to start looking for a service. seed: odd. */
TYPES_INLINE uint32_t service_line(uint64_t key, uint64_t seed)
{
	return key * seed >> 53;
}

_Static_assert(SERVICE_LINES == 1 << (64 - 53), "service_line() yields 11 bits");

#endif
