/* SPDX-License-Identifier: GPL-2.0-only */
/* Pick: the backend that the clue names, else the one that the ring names. */
#ifndef PICK_BPF_H
#define PICK_BPF_H

#include "classify.bpf.h"
#include "clock.bpf.h"
#include "../include/stamp.h"

/* A ring's entries are 1 + index, so that 0 can mean none. */
static __always_inline bool take(struct packet *pkt, uint16_t entry, enum reason why)
{
	pkt->backend = entry - 1;
	pkt->picked = why;
	return entry != 0;
}

static __always_inline enum reason pick_ring(struct packet *pkt, const struct service *service,
					     const struct ring *ring, enum reason why)
{
	uint64_t hash =
		pkt->is_v6 ? flow_hash_v6(&service->flow_key, pkt->saddr.halves,
					  plain(pkt->sport, uint16_t))
			   : flow_hash_v4(&service->flow_key, plain(pkt->saddr.words[3], uint32_t),
					  plain(pkt->sport, uint16_t));
	uint32_t slot = ring_slot(hash);

	if (slot >= RING_SLOTS) /* never; for the verifier */
		return REASON_no_backend;
	return take(pkt, ring->slot[slot], why) ? REASON_go_on : REASON_no_backend;
}

static __always_inline bool pick_token(struct packet *pkt, const struct cluster *cluster,
				       const struct ring *ring)
{
	uint32_t key = pkt->bank * TOKEN_EPOCHS + token_epoch(pkt->value);
	const struct secret *secret = bpf_map_lookup_elem(&secrets, &key);

	if (!secret || !secret->present)
		return false;
	uint32_t body = token_look_up(&secret->rounds, pkt->value);
	uint32_t index = token_index(body, cluster->index_bits) % MAX_BACKENDS;

	/* The slot that equals an index is owned by that index, or by nobody, or by one above. */
	return take(pkt, ring->owner[index], REASON_token) && pkt->backend == index;
}

static __always_inline bool pick_stamp(struct packet *pkt, struct state *state,
				       const struct cluster *cluster, const struct ring *ring)
{
	uint32_t slot = stamp_slot(pkt->value, wall_clock_ms(state), cluster->index_bits);

	return take(pkt, ring->owner[slot % MAX_BACKENDS], REASON_stamp);
}

/* Picks the backend that the packet itself names, or says why the ring must decide. */
static __always_inline enum reason pick_named(struct packet *pkt, struct state *state,
					      const struct cluster *cluster,
					      const struct service *service,
					      const struct ring *ring)
{
	switch (pkt->clue) {
	case CLUE_STAMP:
		if (!service->stamps)
			return REASON_ring_no_stamp;
		return pick_stamp(pkt, state, cluster, ring) ? REASON_go_on
							     : REASON_ring_stamp_unroutable;
	case CLUE_JOIN:
		if (service->joins == JOINS_RING)
			return REASON_ring_join;
		return pick_token(pkt, cluster, ring) ? REASON_go_on : REASON_ring_token_unroutable;
	case CLUE_NEW:
		return REASON_ring_new;
	case CLUE_MALFORMED:
		return REASON_ring_malformed_options;
	default:
		return REASON_ring_no_stamp;
	}
}

static __always_inline enum reason pick(struct packet *pkt, struct state *state,
					const struct cluster *cluster,
					const struct service *service)
{
	uint32_t zero = 0, id = service->ring;
	void *inner = bpf_map_lookup_elem(&rings, &id);
	const struct ring *ring = inner ? bpf_map_lookup_elem(inner, &zero) : NULL;
	enum reason why;

	if (!ring)
		return REASON_no_backend;
	why = pick_named(pkt, state, cluster, service, ring);
	return why ? pick_ring(pkt, service, ring, why) : REASON_go_on;
}

#endif
