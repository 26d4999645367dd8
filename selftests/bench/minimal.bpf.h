/* SPDX-License-Identifier: GPL-2.0-only */
/* Minimal balancers as the peers have them: look up, hash, ring, IPIP; and with a flow table. */
#ifndef MINIMAL_BPF_H
#define MINIMAL_BPF_H

#include <linux/in.h>
#include <linux/tcp.h>

#include "floors.bpf.h"
#include "minimal.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_SERVICES);
	__type(key, struct minimal_service);
	__type(value, uint32_t);
} minimal_services SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, RING_SLOTS);
	__type(key, uint32_t);
	__type(value, __be32);
} minimal_ring SEC(".maps");

/* Sized by the benchmark, so that all its flows find room. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1);
	__type(key, struct minimal_flow);
	__type(value, __be32);
} minimal_flows SEC(".maps");

/* False: not a whole TCP header over plain IPv4, or not for a service. */
static __always_inline bool is_for_minimal(struct xdp_md *ctx, struct minimal_flow *flow)
{
	struct ethhdr *eth = packet_start(ctx);
	struct iphdr *ip = (struct iphdr *)(eth + 1);
	struct tcphdr *tcp = (struct tcphdr *)(ip + 1);
	struct minimal_service key;

	if ((void *)(tcp + 1) > packet_end(ctx) || eth->h_proto != be16(ETH_P_IP) || ip->ihl != 5 ||
	    ip->protocol != IPPROTO_TCP)
		return false;
	key = (struct minimal_service){ ip->daddr, tcp->dest, IPPROTO_TCP };
	*flow = (struct minimal_flow){ ip->saddr, ip->daddr, *(__be32 *)tcp };
	return bpf_map_lookup_elem(&minimal_services, &key);
}

static __always_inline __be32 *by_ring(const struct minimal_flow *flow)
{
	uint32_t slot = minimal_slot(flow);

	return bpf_map_lookup_elem(&minimal_ring, &slot);
}

COMPARED minimal(struct xdp_md *ctx)
{
	struct minimal_flow flow;
	__be32 *backend;

	if (!is_for_minimal(ctx, &flow))
		return XDP_PASS;
	backend = by_ring(&flow);
	return backend ? wrap_in_ipip(ctx, *backend) : XDP_DROP;
}

COMPARED minimal_lru(struct xdp_md *ctx)
{
	struct minimal_flow flow;
	__be32 *backend;

	if (!is_for_minimal(ctx, &flow))
		return XDP_PASS;
	backend = bpf_map_lookup_elem(&minimal_flows, &flow);
	if (backend)
		return wrap_in_ipip(ctx, *backend);
	backend = by_ring(&flow);
	if (!backend)
		return XDP_DROP;
	bpf_map_update_elem(&minimal_flows, &flow, backend, BPF_ANY);
	return wrap_in_ipip(ctx, *backend);
}

#endif
