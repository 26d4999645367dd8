/* SPDX-License-Identifier: GPL-2.0-only */
/* What the fuzzed balancer's flow caches hold before a packet, and what they must hold after it. */
#ifndef FUZZ_LB_FLOWS_H
#define FUZZ_LB_FLOWS_H

#include "lb_cluster.h"

/* 1 + index, or 0. */
static uint32_t remembered[FLOW_CACHES];

static struct client client_dissected(const struct dissected *segment)
{
	struct client client = { .port = bpf_htons(segment->sport) };

	if (!segment->v6)
		memset(client.address.bytes + 10, 0xff, 2);
	memcpy(client.address.bytes + (segment->v6 ? 0 : 12), segment->source,
	       segment->v6 ? 16 : 4);
	return client;
}

/* The client's port says what is remembered of it. */
static void remember(const struct dissected *segment)
{
	struct client client;

	for (int which = 0; which < FLOW_CACHES; which++) {
		cache_maps[which]->used = 0;
		remembered[which] = 0;
		if (!segment->has_tcp || !(segment->sport >> which & 1))
			continue;
		client = client_dissected(segment);
		remembered[which] = 1 + (segment->sport >> 8 ^ which);
		bpf_map_update_elem(&caches[which], &client, &remembered[which], BPF_ANY);
	}
}

static uint32_t remembered_now(const struct dissected *segment, enum flow_cache which)
{
	struct client client = client_dissected(segment);
	uint32_t *entry = bpf_map_lookup_elem(&caches[which], &client);

	return entry ? *entry : 0;
}

static bool is_new(const struct dissected *segment)
{
	return (segment->flags & (DISSECT_SYN | DISSECT_ACK)) == DISSECT_SYN;
}

/* Index of the backend that the caches name, or -1 where none does or none is asked. */
static int32_t backend_of_flow(const struct dissected *segment,
			       const struct dissected_options *options)
{
	uint32_t entry = remembered[FLOWS_SETTLED];
	bool stamped = segment->flags & DISSECT_ACK && options->stamped && options->tsecr;
	bool asks = segment->dport == PORT_FLOWS_ALL ||
		    (segment->dport == PORT_FLOWS_JOINS && !stamped);

	if (!entry)
		entry = remembered[FLOWS_FRESH];
	return asks && !is_new(segment) ? (int32_t)entry - 1 : -1;
}

/* Of a segment for a service that went to a backend. */
static void check_remembered(const struct dissected *segment,
			     const struct dissected_options *options, bool by_token,
			     uint32_t backend)
{
	uint32_t settled = remembered_now(segment, FLOWS_SETTLED);
	uint32_t fresh = remembered_now(segment, FLOWS_FRESH);
	uint32_t settled_before = remembered[FLOWS_SETTLED];
	uint32_t fresh_before = remembered[FLOWS_FRESH];

	if (segment->dport == PORT_FLOWS_ALL)
		claim(settled == 1 + backend, "a decision is not remembered");
	else if (segment->dport != PORT_FLOWS_JOINS)
		claim(settled == settled_before && fresh == fresh_before,
		      "a service without a cache has written to one");
	else if (is_new(segment))
		claim(!settled && fresh == (by_token && !options->stamped ? 1 + backend : 0),
		      "a SYN has not left in the cache what it must");
	else
		claim((settled == settled_before && fresh == fresh_before) ||
			      (!settled_before && settled == fresh_before && !fresh),
		      "a segment has changed what is remembered");
}

#endif
