/* SPDX-License-Identifier: GPL-2.0-only */
/* Pick: the backend that the clue names, else the one that the ring names. */
#ifndef PICK_BPF_H
#define PICK_BPF_H

#include "classify.bpf.h"
#include "clock.bpf.h"
#include "flows.bpf.h"

static __always_inline const struct backend *backend_at(const struct packet *pkt, uint32_t index)
{
	uint32_t key = pkt->bank * MAX_BACKENDS + index % MAX_BACKENDS;

	return bpf_map_lookup_elem(&backends, &key);
}

static __always_inline bool is_member(const struct backend *backend, const struct service *service)
{
	return backend->services[service->member_word % MEMBER_WORDS] & service->member_bit;
}

/* NULL where packets for the service may not be sent to that index. */
static __always_inline const struct backend *
member_at(struct packet *pkt, const struct service *service, uint32_t index, enum reason why)
{
	const struct backend *backend = backend_at(pkt, index);

	pkt->backend = index;
	pkt->picked = why;
	return unlikely(!backend || !is_member(backend, service)) ? NULL : backend;
}

static __always_inline const struct ring *ring_of(const struct service *service)
{
	uint32_t zero = 0, id = service->ring;
	void *inner = bpf_map_lookup_elem(&rings, &id);

	return inner ? bpf_map_lookup_elem(inner, &zero) : NULL;
}

/* The line of an address has no bit of its own among its backends', but a ring with members. */
static __always_inline const struct backend *pick_join_port(struct packet *pkt,
							    const struct service *line)
{
	const struct ring *ring = ring_of(line);
	uint32_t index = pkt->value % MAX_BACKENDS;
	const struct backend *backend;

	if (!ring || !ring->weight[index])
		return NULL;
	backend = backend_at(pkt, index);
	pkt->backend = index;
	pkt->picked = REASON_join_port;
	return backend && backend->state != BACKEND_DOWN ? backend : NULL;
}

/* The clock moves once in 256 jiffies, so CPUs write as seldom. */
static __always_inline void note_join(struct state *state, uint32_t epoch)
{
	uint32_t *joined = &state->joined[epoch % TOKEN_EPOCHS], now;

	keep_clock(state, 0);
	now = state->clock.wall_ms | 1;
	if (*joined != now)
		*joined = now;
}

static __always_inline const struct backend *pick_token(struct packet *pkt, struct state *state,
							const struct cluster *cluster,
							const struct service *service)
{
	uint32_t epoch = token_epoch(pkt->value), key = pkt->bank * TOKEN_EPOCHS + epoch;
	const struct secret *secret = bpf_map_lookup_elem(&secrets, &key);
	const struct backend *backend;

	if (!secret || !secret->present)
		return NULL;
	uint32_t body = token_look_up(&secret->rounds, pkt->value);

	backend = member_at(pkt, service, token_index(body, cluster->index_bits), REASON_token);
	if (backend)
		note_join(state, epoch);
	return backend;
}

static __always_inline const struct backend *pick_stamp(struct packet *pkt, struct state *state,
							const struct cluster *cluster,
							const struct service *service)
{
	keep_clock(state, pkt->value);
	return member_at(pkt, service, stamp_owner(state, cluster, pkt->value), REASON_stamp);
}

/* The same, where the stamp is in its usual place; NULL: ask all the others. */
static __always_inline const struct backend *pick_at_once(struct xdp_md *ctx, struct packet *pkt,
							  struct state *state,
							  const struct cluster *cluster,
							  const struct service *service)
{
	pkt->service = service->id;
	pkt->value = plain_stamp(ctx, pkt);
	return likely(pkt->value) ? pick_stamp(pkt, state, cluster, service) : NULL;
}

/* Picks the backend that the packet itself names; NULL and *why: the ring must decide. */
static __always_inline const struct backend *pick_named(struct packet *pkt, struct state *state,
							const struct cluster *cluster,
							const struct service *service,
							enum reason *why)
{
	if (likely(pkt->clue == CLUE_STAMP && service->stamps)) {
		*why = REASON_ring_stamp_unroutable;
		return pick_stamp(pkt, state, cluster, service);
	}
	switch (pkt->clue) {
	case CLUE_JOIN:
	case CLUE_BARE_JOIN:
		*why = REASON_ring_join;
		if (service->joins == JOINS_RING)
			return NULL;
		*why = REASON_ring_token_unroutable;
		return pick_token(pkt, state, cluster, service);
	case CLUE_NEW:
		*why = REASON_ring_new;
		return NULL;
	case CLUE_MALFORMED:
		*why = REASON_ring_malformed_options;
		return NULL;
	case CLUE_JOIN_PORT:
		*why = REASON_ring_join_port_unroutable;
		return pick_join_port(pkt, service);
	default:
		*why = REASON_ring_no_stamp;
		return NULL;
	}
}

/*
 * The same value, of which the verifier no longer knows which it is: else it follows all that
 * comes after the ring once for each reason to ask it, more than twice as many instructions.
 * unknown: something that it can't know.
 */
static __always_inline uint32_t blur(uint32_t value, uint32_t unknown)
{
	uint32_t same = unknown;

	asm volatile("" : "+r"(same));
	return value ^ unknown ^ same;
}

/* NULL: no backend of the service takes new connections. */
static __always_inline const struct backend *
pick_ring(struct packet *pkt, const struct service *service, enum reason why)
{
	const struct ring *ring = ring_of(service);
	uint64_t hash =
		pkt->is_v6 ? flow_hash_v6(&service->flow_key, pkt->saddr.halves,
					  plain(pkt->sport, uint16_t))
			   : flow_hash_v4(&service->flow_key, plain(pkt->saddr.words[3], uint32_t),
					  plain(pkt->sport, uint16_t));

	uint32_t slot = ring_slot(hash);

	if (!ring || slot >= RING_SLOTS || !ring->slot[slot]) /* the second for the verifier */
		return NULL;
	pkt->backend = ring->slot[slot] - 1;
	pkt->picked = blur(why, pkt->backend);
	return backend_at(pkt, pkt->backend);
}

/* What the cache remembers counts while that backend may be sent to. */
static __always_inline const struct backend *pick_flow(struct packet *pkt,
						       const struct service *service)
{
	struct client client = client_of(pkt);
	uint32_t entry;

	if (!asks_cache(pkt, service))
		return NULL;
	entry = find_flow(&client, service->flow_caches);
	return entry ? member_at(pkt, service, entry - 1, REASON_flow) : NULL;
}

static __always_inline void note_pick(const struct packet *pkt, const struct service *service)
{
	struct client client = client_of(pkt);
	enum note note = note_of(pkt, service);

	if (note != NOTE_NOTHING)
		note_flow(&client, service->flow_caches, note, pkt->backend + 1);
}

static __always_inline const struct backend *pick(struct packet *pkt, struct state *state,
						  const struct cluster *cluster,
						  const struct service *service)
{
	const struct backend *backend = NULL;
	enum reason why;

	if (unlikely(service->flows))
		backend = pick_flow(pkt, service);
	if (unlikely(backend))
		return backend;
	backend = pick_named(pkt, state, cluster, service, &why);
	if (unlikely(!backend))
		backend = pick_ring(pkt, service, why);
	if (unlikely(service->flows && backend))
		note_pick(pkt, service);
	return backend;
}

#endif
