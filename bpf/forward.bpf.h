/* SPDX-License-Identifier: GPL-2.0-only */
/* Forward: rewrite what the way to the backend needs, and choose the device. */
#ifndef FORWARD_BPF_H
#define FORWARD_BPF_H

#include <linux/if_ether.h>

#include "encap.bpf.h"
#include "maps.bpf.h"
#include "too_big.bpf.h"

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

static __always_inline enum reason rewrite_macs(struct xdp_md *ctx, const struct backend *backend)
{
	struct ethhdr *eth = packet_start(ctx);

	if ((void *)(eth + 1) > packet_end(ctx))
		return REASON_malformed; /* never; for the verifier */
	write_macs(eth, backend);
	return REASON_go_on;
}

static __always_inline uint32_t ip_length(struct xdp_md *ctx, const struct packet *pkt)
{
	struct ipv6hdr *v6 = packet_at(ctx, pkt->ip);
	struct iphdr *v4 = packet_at(ctx, pkt->ip);

	if ((void *)(v4 + 1) > packet_end(ctx))
		return 0;
	return pkt->is_v6 ? sizeof(*v6) + bpf_ntohs(v6->payload_len) : bpf_ntohs(v4->tot_len);
}

/* What a device has received it can send, without a tunnel; another may take less. */
static __always_inline enum reason rewrite_for_device(struct xdp_md *ctx, const struct packet *pkt,
						      const struct backend *backend)
{
	struct inner inner;
	enum reason why;

	if (ip_length(ctx, pkt) <= backend->mtu)
		return rewrite_macs(ctx, backend);
	if (!look_at_inner(ctx, pkt, &inner))
		return REASON_malformed;
	why = too_big(ctx, pkt, backend, &inner);
	return why ? why : rewrite_macs(ctx, backend);
}

static __always_inline enum reason encapsulate(struct xdp_md *ctx, const struct packet *pkt,
					       const struct cluster *cluster,
					       const struct backend *backend)
{
	struct inner inner;
	enum reason why;

	if (!look_at_inner(ctx, pkt, &inner))
		return REASON_malformed;
	if (unlikely(inner.length > backend->mtu)) {
		why = too_big(ctx, pkt, backend, &inner);
		if (why)
			return why;
	}
	if (backend->address_is_v6 && backend->forward == FORWARD_GUE)
		inner.sum = sum_inner(ctx, pkt);
	if (backend->address_is_v6)
		return encap_in_ipv6(ctx, pkt, cluster, backend, &inner);
	return encap_in_ipv4(ctx, pkt, cluster, backend, &inner);
}

/* All that many packets need: other MACs, and back by the device that they came by. */
static __always_inline bool turn_round(struct xdp_md *ctx, const struct backend *backend)
{
	struct ethhdr *eth = packet_start(ctx);

	if (unlikely(backend->near_ifindex != ctx->ingress_ifindex ||
		     (void *)(eth + 1) > packet_end(ctx) || is_sent_on(eth, backend)))
		return false;
	write_macs(eth, backend);
	return true;
}

/* On success *action is XDP_TX, or XDP_REDIRECT where another device leads to the backend. */
static __always_inline enum reason forward(struct xdp_md *ctx, const struct packet *pkt,
					   const struct cluster *cluster,
					   const struct backend *backend, uint32_t *action)
{
	bool away = backend->ifindex != ctx->ingress_ifindex;
	struct ethhdr *eth = packet_start(ctx);
	enum reason why;

	if (unlikely(!backend->ifindex))
		return REASON_no_neighbour;
	if (unlikely((void *)(eth + 1) > packet_end(ctx) || is_sent_on(eth, backend)))
		return REASON_not_ours;
	if (unlikely(backend->forward != FORWARD_L2))
		why = encapsulate(ctx, pkt, cluster, backend);
	else if (unlikely(away))
		why = rewrite_for_device(ctx, pkt, backend);
	else
		why = rewrite_macs(ctx, backend);
	if (unlikely(why))
		return why;
	*action = away ? bpf_redirect_map(&devices, backend->ifindex, XDP_DROP) : XDP_TX;
	return unlikely(*action == XDP_DROP) ? REASON_no_device : pkt->picked;
}

/* The first words of an outer IPv4 header. */
struct outer {
	__be32 first, second;
};

/* From those of an inner header that is plain. Returns the length of the inner packet, or 0. */
static __always_inline uint32_t look_at_plain(struct xdp_md *ctx, const struct packet *pkt,
					      struct outer *outer)
{
	const __be32 *ip = packet_start(ctx) + ETH_HLEN;
	uint32_t first, length;

	if ((void *)(ip + 2) > packet_end(ctx))
		return 0; /* never; for the verifier */
	first = bpf_ntohl(ip[0]);
	if (!pkt->is_v6) {
		outer->first = be32(first + sizeof(struct iphdr));
		outer->second = ip[1] & be32(0xffff0000 | IPV4_DF);
		return first & 0xffff;
	}
	length = sizeof(struct ipv6hdr) + (bpf_ntohl(ip[1]) >> 16);
	outer->first =
		be32(0x45 << 24 | (first >> 20 & 0xff) << 16 | (sizeof(struct iphdr) + length));
	outer->second = be32(IPV4_DF);
	return length;
}

/* All that many others need: a tunnel's header, and back. */
static __always_inline bool can_turn_by_ipip(struct xdp_md *ctx, const struct packet *pkt,
					     const struct backend *backend, struct outer *outer)
{
	struct ethhdr *eth = packet_start(ctx);
	uint32_t length;

	if (unlikely(backend->ipip_ifindex != ctx->ingress_ifindex))
		return false;
	length = look_at_plain(ctx, pkt, outer);
	return likely(length && length <= backend->mtu && !is_sent_on(eth, backend) &&
		      reaches_at_once(ctx, ETH_HLEN + length));
}

static __always_inline enum reason turn_by_ipip(struct xdp_md *ctx, const struct packet *pkt,
						const struct cluster *cluster,
						const struct backend *backend,
						const struct outer *outer)
{
	uint32_t flow = flow_of(pkt);
	struct ethhdr *eth;

	if (unlikely(bpf_xdp_adjust_head(ctx, -(int)sizeof(struct iphdr))))
		return REASON_no_headroom;
	eth = packet_start(ctx);
	if ((void *)(eth + 1) + sizeof(struct iphdr) > packet_end(ctx))
		return REASON_no_headroom; /* never; for the verifier */
	write_macs(eth, backend);
	eth->h_proto = be16(ETH_P_IP);
	write_ipv4((struct iphdr *)(eth + 1), cluster, backend, outer->first, outer->second,
		   pkt->is_v6 ? IPPROTO_IPV6 : IPPROTO_IPIP, flow);
	return pkt->picked;
}

/* For what parse_plain_ipv4() and its like have taken. */
static __always_inline enum reason forward_plain(struct xdp_md *ctx, const struct packet *pkt,
						 const struct cluster *cluster,
						 const struct backend *backend, uint32_t *action)
{
	struct outer outer;
	enum reason why;

	if (unlikely(!can_turn_by_ipip(ctx, pkt, backend, &outer)))
		return forward(ctx, pkt, cluster, backend, action);
	why = turn_by_ipip(ctx, pkt, cluster, backend, &outer);
	*action = likely(why != REASON_no_headroom) ? XDP_TX : XDP_ABORTED;
	return why;
}

#endif
