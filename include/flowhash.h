/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The keyed hash of a flow's 5-tuple, and the place in a ring that it names. Every
 * balancer of a cluster must agree on both, so they change only with the ABI word.
 *
 * The service's half of the tuple (address, port; the protocol is always TCP) goes
 * into a per-service key, computed once; the client's half is hashed per packet.
 */
#ifndef MPTCP_LB_FLOWHASH_H
#define MPTCP_LB_FLOWHASH_H

#include "siphash.h"

#define RING_SLOTS 65537

struct flow_key {
	uint64_t k0, k1;
};

/*
 * words: the service's address as two little-endian words (IPv4 as ::ffff:a.b.c.d),
 * port: the two bytes of the port as they stand on the wire, first byte lowest.
 * Two SipHash-2-4 of those 18 bytes, under (ring_seed, 0) and (ring_seed, 1).
 */
static inline struct flow_key flow_key_of(uint64_t ring_seed, const uint64_t words[2],
					  uint16_t port)
{
	uint64_t k[2];

	for (uint64_t half = 0; half < 2; half++) {
		struct siphash s = siphash_start(ring_seed, half);

		siphash_word(&s, words[0], 2);
		siphash_word(&s, words[1], 2);
		k[half] = siphash_end(&s, (uint64_t)18 << 56 | port, 2, 4);
	}
	return (struct flow_key){ .k0 = k[0], .k1 = k[1] };
}

/* IPv4 client: SipHash-1-3 of its address and port, 6 bytes in wire order. */
SIPHASH_INLINE uint64_t flow_hash_v4(const struct flow_key *key, uint32_t address, uint16_t port)
{
	struct siphash s = siphash_start(key->k0, key->k1);

	return siphash_end(&s, (uint64_t)6 << 56 | (uint64_t)port << 32 | address, 1, 3);
}

/* IPv6 client: SipHash-1-3 of its address and port, 18 bytes in wire order. */
SIPHASH_INLINE uint64_t flow_hash_v6(const struct flow_key *key, const uint64_t words[2],
				     uint16_t port)
{
	struct siphash s = siphash_start(key->k0, key->k1);

	siphash_word(&s, words[0], 1);
	siphash_word(&s, words[1], 1);
	return siphash_end(&s, (uint64_t)18 << 56 | port, 1, 3);
}

/* A multiplication in place of a division: BPF has no cheap modulo. */
SIPHASH_INLINE uint32_t ring_slot(uint64_t hash)
{
	return (uint32_t)(((hash >> 32) * RING_SLOTS) >> 32);
}

#endif
