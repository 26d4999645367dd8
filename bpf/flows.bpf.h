/* SPDX-License-Identifier: GPL-2.0-only */
/* The flow cache of a service that has one: the backends of flows that do not name theirs. */
#ifndef FLOWS_BPF_H
#define FLOWS_BPF_H

#include "maps.bpf.h"

/* What a packet without a cached flow, or before it, does to the cache. */
enum note { NOTE_NOTHING, NOTE_END, NOTE_JOIN, NOTE_DECISION };

static __always_inline struct client client_of(const struct packet *pkt)
{
	return (struct client){ .address = pkt->saddr, .port = pkt->sport };
}

static __always_inline bool is_syn(const struct packet *pkt)
{
	return (pkt->flags & (TCP_SYN | TCP_ACK)) == TCP_SYN;
}

/* The table of decisions asks no cache for these two kinds. */
static __always_inline bool is_beside_cache(const struct packet *pkt)
{
	return pkt->protocol || pkt->clue == CLUE_JOIN_PORT;
}

static __always_inline bool asks_cache(const struct packet *pkt, const struct service *service)
{
	if (is_beside_cache(pkt) || is_syn(pkt))
		return false;
	return service->flows == FLOWS_ALL || !service->stamps || pkt->clue != CLUE_STAMP;
}

/*
 * `flows joins`: a join without timestamps that its token led to a backend is remembered; any
 * other SYN ends what was. `flows all`: every decision is remembered.
 */
static __always_inline enum note note_of(const struct packet *pkt, const struct service *service)
{
	if (is_beside_cache(pkt))
		return NOTE_NOTHING;
	if (service->flows == FLOWS_ALL)
		return NOTE_DECISION;
	if (!is_syn(pkt))
		return NOTE_NOTHING;
	return pkt->clue == CLUE_BARE_JOIN && pkt->picked == REASON_token ? NOTE_JOIN : NOTE_END;
}

static __always_inline void *flow_cache(uint32_t caches, enum flow_cache which)
{
	uint32_t id = caches + which;

	return bpf_map_lookup_elem(&flows, &id);
}

/*
 * The first segment after a join's SYN shows that somebody heard the answer to it: a flood of
 * SYNs alone does not get this far.
 */
static __always_inline uint32_t settle_flow(void *settled, void *fresh, const struct client *client)
{
	uint32_t *found = bpf_map_lookup_elem(fresh, client);
	uint32_t entry;

	if (!found)
		return 0;
	entry = *found;
	bpf_map_update_elem(settled, client, &entry, BPF_ANY);
	bpf_map_delete_elem(fresh, client);
	return entry;
}

/*
 * Global, so that the verifier looks at them once. They don't take the packet's struct: in a
 * call's reach it would live in memory, for packets of other services too. Linux 6.1 takes as a
 * key only what stands on the stack of the caller of the helper.
 *
 * 1 + the index that the cache remembers, or 0.
 */
__noinline uint32_t find_flow(const struct client *client, uint32_t caches)
{
	void *settled = flow_cache(caches, FLOWS_SETTLED);
	void *fresh = flow_cache(caches, FLOWS_FRESH);
	struct client key;
	uint32_t *entry;

	if (!client || !settled || !fresh)
		return 0;
	key = *client;
	entry = bpf_map_lookup_elem(settled, &key);
	return entry ? *entry : settle_flow(settled, fresh, &key);
}

__noinline int note_flow(const struct client *client, uint32_t caches, uint32_t note,
			 uint32_t entry)
{
	void *settled = flow_cache(caches, FLOWS_SETTLED);
	void *fresh = flow_cache(caches, FLOWS_FRESH);
	struct client key;

	if (!client || !settled || !fresh)
		return 0;
	key = *client;
	if (note == NOTE_DECISION) {
		bpf_map_update_elem(settled, &key, &entry, BPF_ANY);
		return 0;
	}
	bpf_map_delete_elem(settled, &key);
	if (note == NOTE_JOIN)
		bpf_map_update_elem(fresh, &key, &entry, BPF_ANY);
	else
		bpf_map_delete_elem(fresh, &key);
	return 0;
}

#endif
