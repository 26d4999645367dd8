/* SPDX-License-Identifier: GPL-2.0-only */
/* Forward: rewrite what the way to the backend needs, and choose the device. */
#ifndef FORWARD_BPF_H
#define FORWARD_BPF_H

#include <linux/if_ether.h>

#include "encap.bpf.h"
#include "maps.bpf.h"

/*
 * A link that floods shows every balancer on it what another has sent on already; passed on
 * again, with no TTL to end it, one packet becomes a storm. All balancers pick alike, so a
 * frame that is on its way to the backend says so.
 */
static __always_inline bool is_sent_on(const struct ethhdr *eth, const struct backend *backend)
{
	uint64_t difference = *(const uint64_t *)eth ^ *(const uint64_t *)backend;

	return !(difference << 16) || eth->h_dest[0] & 1;
}

static __always_inline void rewrite_macs(struct ethhdr *eth, const struct backend *backend)
{
	((uint64_t *)eth)[0] = ((const uint64_t *)backend)[0];
	((uint32_t *)eth)[2] = ((const uint32_t *)backend)[2];
}

static __always_inline enum reason send(struct xdp_md *ctx, const struct packet *pkt,
					const struct backend *backend, uint32_t *action)
{
	uint32_t chosen = XDP_TX;

	if (unlikely(backend->ifindex != ctx->ingress_ifindex))
		chosen = bpf_redirect_map(&devices, backend->ifindex, XDP_DROP);
	if (unlikely(chosen == XDP_DROP))
		return REASON_no_device;
	*action = chosen;
	return pkt->picked;
}

/* On success *action is XDP_TX, or XDP_REDIRECT where another device leads to the backend. */
static __always_inline enum reason forward(struct xdp_md *ctx, const struct packet *pkt,
					   const struct cluster *cluster,
					   const struct backend *backend, uint32_t *action)
{
	struct ethhdr *eth = packet_start(ctx);
	enum reason why = REASON_go_on;

	if (unlikely(!backend->ifindex))
		return REASON_no_neighbour;
	if (unlikely((void *)(eth + 1) > packet_end(ctx) || is_sent_on(eth, backend)))
		return REASON_not_ours;
	if (likely(backend->forward == FORWARD_L2))
		rewrite_macs(eth, backend);
	else
		why = encapsulate(ctx, pkt, cluster, backend);
	return unlikely(why) ? why : send(ctx, pkt, backend, action);
}

#endif
