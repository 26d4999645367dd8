/* SPDX-License-Identifier: GPL-2.0-only */
/* ICMP errors about our tunnels: routers on the way to a backend send them to the outer source. */
#ifndef TUNNEL_ERROR_BPF_H
#define TUNNEL_ERROR_BPF_H

#include "icmp.bpf.h"
#include "../include/gue.h"

static __always_inline bool is_tunnel_source(const struct packet *pkt,
					     const struct cluster *cluster)
{
	const struct address *source =
		pkt->is_v6 ? &cluster->tunnel_source_v6 : &cluster->tunnel_source;
	__be32 hosts = pkt->is_v6 ? cluster->tunnel_hosts_v6 : cluster->tunnel_hosts;

	return (pkt->is_v6 ? cluster->tunnel_length_v6 : cluster->tunnel_length) &&
	       source->halves[0] == pkt->daddr.halves[0] &&
	       source->words[2] == pkt->daddr.words[2] &&
	       source->words[3] == (pkt->daddr.words[3] & ~hosts);
}

static __always_inline bool is_outer(struct xdp_md *ctx, uint32_t behind, uint8_t protocol)
{
	struct udphdr *udp = packet_at(ctx, behind);

	if (protocol == IPPROTO_IPIP || protocol == IPPROTO_IPV6)
		return true;
	return protocol == IPPROTO_UDP && (void *)(udp + 1) <= packet_end(ctx) &&
	       udp->dest == be16(GUE_PORT);
}

/* We write no options and no extension headers, and send whole packets. */
static __always_inline bool quotes_outer_v4(struct xdp_md *ctx, const struct packet *pkt,
					    uint32_t quote)
{
	struct iphdr *ip = packet_at(ctx, quote);

	return (void *)(ip + 1) <= packet_end(ctx) && ip->saddr == pkt->daddr.words[3] &&
	       is_outer(ctx, quote + sizeof(*ip), ip->protocol);
}

static __always_inline bool quotes_outer_v6(struct xdp_md *ctx, const struct packet *pkt,
					    uint32_t quote)
{
	struct ipv6hdr *ip = packet_at(ctx, quote);
	struct address source;

	if ((void *)(ip + 1) > packet_end(ctx))
		return false;
	__builtin_memcpy(&source, &ip->saddr, sizeof(source));
	return same_address(&source, &pkt->daddr) &&
	       is_outer(ctx, quote + sizeof(*ip), ip->nexthdr);
}

/* REASON_not_tcp: it is no such error. All are the host's, whose tunnels these might be too. */
static __always_inline enum reason find_tunnel_error(struct xdp_md *ctx, const struct packet *pkt,
						     const struct cluster *cluster)
{
	struct icmp_header *icmp = packet_at(ctx, pkt->tcp);
	uint32_t quote = pkt->tcp + sizeof(*icmp);

	if (!is_tunnel_source(pkt, cluster) || (void *)(icmp + 1) > packet_end(ctx) ||
	    !is_icmp_error(pkt->is_v6, icmp->type))
		return REASON_not_tcp;
	if (!(pkt->is_v6 ? quotes_outer_v6(ctx, pkt, quote) : quotes_outer_v4(ctx, pkt, quote)))
		return REASON_not_tcp;
	if (pkt->is_v6 ? icmp->type == ICMPV6_PKT_TOOBIG
		       : icmp->type == ICMP_DEST_UNREACH && icmp->code == ICMP_FRAG_NEEDED)
		return REASON_tunnel_too_big;
	return REASON_tunnel_error;
}

#endif
