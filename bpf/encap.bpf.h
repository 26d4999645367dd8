/* SPDX-License-Identifier: GPL-2.0-only */
/* Encapsulation: IPIP in all four family combinations (RFC 2003, 2473, 4213), and GUE. */
#ifndef ENCAP_BPF_H
#define ENCAP_BPF_H

#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>

#include "csum.bpf.h"
#include "maps.bpf.h"
#include "parse_any.bpf.h"
#include "../include/gue.h"

#define OUTER_TTL 64
#define EXTENSION_WORDS_MAX (EXTENSION_HEADERS_MAX * (EXTENSION_LENGTH_MAX + 1) * 2 + 2)
#define IPV4_DF 0x4000
#define GUE_SOURCE_PORTS 0xc000 /* 49152 to 65535, by flow */
#define FLOW_LABEL_MASK 0xfffff

/* What the outer headers say of the inner packet. */
struct inner {
	uint32_t length; /* of the IP packet; what follows it in the frame is padding */
	uint32_t sum;  /* of its 16-bit words, if its own checksums are right; for GUE over IPv6 */
	uint32_t flow; /* spread over 32 bits; both directions need not agree */
	uint16_t id;   /* IPv4 only */
	uint16_t fragment; /* IPV4_DF or 0 */
	uint8_t tos;       /* DSCP and ECN, which the outer header repeats (RFC 6040) */
	uint8_t protocol;  /* IPPROTO_IPIP or IPPROTO_IPV6 */
	__be32 tags[2];    /* 802.1Q and 802.1ad, which go before the outer header */
};

static __always_inline uint32_t flow_of(const struct packet *pkt)
{
	uint32_t ports = plain(pkt->sport, uint32_t) << 16 | plain(pkt->dport, uint16_t);
	uint32_t client = plain(pkt->saddr.words[3] ^ pkt->saddr.words[1], uint32_t);

	/* Every bit of the upper half depends on every byte of the ports. */
	return (client ^ ports) * 0x9e3779b97f4a7c15ULL >> 32;
}

static __always_inline bool look_at_ipv4(struct xdp_md *ctx, const struct packet *pkt,
					 struct inner *inner)
{
	struct iphdr *ip = packet_at(ctx, pkt->ip);

	if ((void *)(ip + 1) > packet_end(ctx))
		return false;
	inner->length = bpf_ntohs(ip->tot_len);
	inner->id = bpf_ntohs(ip->id);
	inner->fragment = bpf_ntohs(ip->frag_off) & IPV4_DF;
	inner->tos = ip->tos;
	inner->protocol = IPPROTO_IPIP;
	return true;
}

static __always_inline bool look_at_ipv6(struct xdp_md *ctx, const struct packet *pkt,
					 struct inner *inner)
{
	struct ipv6hdr *ip = packet_at(ctx, pkt->ip);

	if ((void *)(ip + 1) > packet_end(ctx))
		return false;
	inner->length = sizeof(*ip) + bpf_ntohs(ip->payload_len);
	inner->id = 0;
	inner->fragment = IPV4_DF;
	inner->tos = bpf_ntohl(*(__be32 *)ip) >> 20;
	inner->protocol = IPPROTO_IPV6;
	return true;
}

/* A tag is four bytes from where the Ethernet type would be. */
static __always_inline bool look_at_tags(struct xdp_md *ctx, const struct packet *pkt,
					 struct inner *inner)
{
	__be32 *tags = packet_start(ctx) + 2 * ETH_ALEN;

	if (pkt->ip == ETH_HLEN)
		return true;
	if ((void *)(tags + 2) > packet_end(ctx))
		return false;
	inner->tags[0] = tags[0];
	inner->tags[1] = tags[1];
	return true;
}

/*
 * Most frames are in one buffer, and need no call to know their length. By subtraction: Linux 6.1
 * knows no bound of what bpf_ntohs() returns, and would not add it to a pointer.
 */
static __always_inline bool reaches_at_once(struct xdp_md *ctx, uint32_t offset)
{
	return likely((uint64_t)(packet_end(ctx) - packet_start(ctx)) >= offset);
}

static __always_inline bool reaches(struct xdp_md *ctx, uint32_t offset)
{
	return reaches_at_once(ctx, offset) || offset <= bpf_xdp_get_buff_len(ctx);
}

static __always_inline bool look_at_inner(struct xdp_md *ctx, const struct packet *pkt,
					  struct inner *inner)
{
	if (!look_at_tags(ctx, pkt, inner))
		return false;
	inner->flow = flow_of(pkt);
	if (!(pkt->is_v6 ? look_at_ipv6(ctx, pkt, inner) : look_at_ipv4(ctx, pkt, inner)))
		return false;
	return reaches(ctx, pkt->ip + inner->length);
}

/*
 * A TCP segment with a right checksum sums to the complement of its pseudo-header, an ICMP
 * message to 0xffff, which is nothing, and so does an IPv4 header.
 */
static __always_inline uint32_t sum_ipv4(const struct iphdr *ip)
{
	uint32_t pseudo = IPPROTO_TCP + bpf_ntohs(ip->tot_len) - ip->ihl * 4;

	if (ip->protocol != IPPROTO_TCP)
		return 0;
	pseudo = csum_add_word(pseudo, ip->saddr);
	pseudo = csum_add_word(pseudo, ip->daddr);
	return (uint16_t)~csum_fold(pseudo);
}

/*
 * The addresses and the length stand in the header and, complemented, in the sum of a
 * segment or a message, so they cancel out.
 */
static __always_inline uint32_t sum_ipv6(const struct ipv6hdr *ip, uint8_t protocol)
{
	const __be32 *words = (const __be32 *)ip;

	return csum_add_word(0, words[0]) + (ip->nexthdr << 8 | ip->hop_limit) +
	       (uint16_t)~protocol;
}

/* 0 where there are none; the length of all of them stays when the others cancel out. */
static __always_inline uint32_t sum_extensions(struct xdp_md *ctx, uint32_t from, uint32_t to)
{
	uint32_t sum = to - from;

	for (uint32_t i = 0; i < EXTENSION_WORDS_MAX && from + 4 * i < to; i++) {
		__be32 *word = packet_at(ctx, from + 4 * i);

		if ((void *)(word + 1) > packet_end(ctx))
			break;
		sum = csum_add_word(sum, *word);
	}
	return sum;
}

static __always_inline uint32_t sum_inner(struct xdp_md *ctx, const struct packet *pkt)
{
	struct ipv6hdr *v6 = packet_at(ctx, pkt->ip);
	struct iphdr *v4 = packet_at(ctx, pkt->ip);
	uint32_t extensions = pkt->ip + sizeof(*v6), sum;

	if (!pkt->is_v6)
		return (void *)(v4 + 1) > packet_end(ctx) ? 0 : sum_ipv4(v4);
	if ((void *)(v6 + 1) > packet_end(ctx))
		return 0; /* never; for the verifier */
	sum = sum_ipv6(v6, pkt->protocol ? pkt->protocol : IPPROTO_TCP);
	if (pkt->transport > extensions)
		sum += sum_extensions(ctx, extensions, pkt->transport);
	return sum;
}

static __always_inline void write_macs(struct ethhdr *eth, const struct backend *backend)
{
	((uint64_t *)eth)[0] = ((const uint64_t *)backend)[0];
	((uint32_t *)eth)[2] = ((const uint32_t *)backend)[2];
}

/* The caller has checked that the frame reaches to pkt->ip and beyond, and has set the type. */
static __always_inline void write_ethernet(struct xdp_md *ctx, const struct packet *pkt,
					   const struct backend *backend, const struct inner *inner)
{
	struct ethhdr *eth = packet_start(ctx);
	__be32 *tags = (void *)eth + 2 * ETH_ALEN;

	if ((void *)(tags + 2) > packet_end(ctx))
		return; /* never; for the verifier */
	write_macs(eth, backend);
	if (pkt->ip > ETH_HLEN)
		tags[0] = inner->tags[0];
	if (pkt->ip > ETH_HLEN + sizeof(struct vlan_tag))
		tags[1] = inner->tags[1];
}

/* first, second: the outer header's words. The sum is of what is still in registers. */
static __always_inline void write_ipv4(struct iphdr *ip, const struct cluster *cluster,
				       const struct backend *backend, __be32 first, __be32 second,
				       uint8_t protocol, uint32_t flow)
{
	__be32 *words = (__be32 *)ip;
	__be32 third = be32(OUTER_TTL << 24 | protocol << 16);
	__be32 source = cluster->tunnel_source.words[3] | (be32(flow) & cluster->tunnel_hosts);
	__be32 destination = backend->address.words[3];

	words[0] = first;
	words[1] = second;
	words[2] = third;
	words[3] = source;
	words[4] = destination;
	ip->check = plain(csum_of_words((uint64_t)plain(first, uint32_t) + plain(second, uint32_t) +
					plain(third, uint32_t) + plain(source, uint32_t) +
					plain(destination, uint32_t)),
			  __sum16);
}

static __always_inline void write_ipv6(struct ipv6hdr *ip, const struct cluster *cluster,
				       const struct backend *backend, const struct inner *inner,
				       uint8_t protocol, uint32_t length)
{
	uint64_t *halves = (uint64_t *)&ip->saddr;
	uint32_t host = plain(be32(inner->flow) & cluster->tunnel_hosts_v6, uint32_t);

	*(__be32 *)ip = be32(6 << 28 | inner->tos << 20 | (inner->flow & FLOW_LABEL_MASK));
	ip->payload_len = be16(length);
	ip->nexthdr = protocol;
	ip->hop_limit = OUTER_TTL;
	halves[0] = cluster->tunnel_source_v6.halves[0];
	halves[1] = cluster->tunnel_source_v6.halves[1] | (uint64_t)host << 32;
	halves[2] = backend->address.halves[0];
	halves[3] = backend->address.halves[1];
}

/* Over IPv4 a UDP checksum of 0 means none, and IPIP has none either. */
static __always_inline void write_gue(struct udphdr *udp, const struct inner *inner)
{
	struct gue *gue = (struct gue *)(udp + 1);

	*udp = (struct udphdr){
		.source = be16(GUE_SOURCE_PORTS | inner->flow >> 18),
		.dest = be16(GUE_PORT),
		.len = be16(GUE_ROOM + inner->length),
	};
	*gue = (struct gue){ .protocol = inner->protocol };
}

/* Over IPv6 it must be there (RFC 8200 section 8.1), and the inner sum is known unread. */
static __always_inline void sum_gue(const struct ipv6hdr *ip, struct udphdr *udp,
				    const struct inner *inner)
{
	const struct gue *gue = (struct gue *)(udp + 1);
	uint32_t sum = inner->sum + IPPROTO_UDP + bpf_ntohs(udp->len);

	for (int i = 0; i < 4; i++) {
		sum = csum_add_word(sum, ip->saddr.in6_u.u6_addr32[i]);
		sum = csum_add_word(sum, ip->daddr.in6_u.u6_addr32[i]);
	}
	sum += bpf_ntohs(udp->source) + bpf_ntohs(udp->dest) + bpf_ntohs(udp->len) + gue->protocol;
	sum = (uint16_t)~csum_fold(sum);
	udp->check = plain(be16(sum ? sum : 0xffff), __sum16);
}

static __always_inline enum reason encap_in_ipv4(struct xdp_md *ctx, const struct packet *pkt,
						 const struct cluster *cluster,
						 const struct backend *backend,
						 const struct inner *inner)
{
	bool is_gue = backend->forward == FORWARD_GUE;
	uint32_t room = is_gue ? GUE_ROOM : 0;
	struct iphdr *ip;
	__be16 *type;

	if (bpf_xdp_adjust_head(ctx, -(int)(sizeof(*ip) + room)))
		return REASON_no_headroom;
	type = packet_at(ctx, pkt->ip - sizeof(*type));
	ip = (void *)(type + 1);
	if ((void *)(ip + 1) + GUE_ROOM > packet_end(ctx))
		return REASON_no_headroom; /* never; for the verifier */
	*type = be16(ETH_P_IP);
	write_ethernet(ctx, pkt, backend, inner);
	write_ipv4(ip, cluster, backend,
		   be32(0x45 << 24 | inner->tos << 16 | (sizeof(*ip) + room + inner->length)),
		   be32((uint32_t)inner->id << 16 | inner->fragment),
		   is_gue ? IPPROTO_UDP : inner->protocol, inner->flow);
	if (is_gue)
		write_gue((struct udphdr *)(ip + 1), inner);
	return REASON_go_on;
}

static __always_inline enum reason encap_in_ipv6(struct xdp_md *ctx, const struct packet *pkt,
						 const struct cluster *cluster,
						 const struct backend *backend,
						 const struct inner *inner)
{
	bool is_gue = backend->forward == FORWARD_GUE;
	uint32_t room = is_gue ? GUE_ROOM : 0;
	struct ipv6hdr *ip;
	__be16 *type;

	if (bpf_xdp_adjust_head(ctx, -(int)(sizeof(*ip) + room)))
		return REASON_no_headroom;
	type = packet_at(ctx, pkt->ip - sizeof(*type));
	ip = (void *)(type + 1);
	if ((void *)(ip + 1) + GUE_ROOM > packet_end(ctx))
		return REASON_no_headroom; /* never; for the verifier */
	*type = be16(ETH_P_IPV6);
	write_ethernet(ctx, pkt, backend, inner);
	write_ipv6(ip, cluster, backend, inner, is_gue ? IPPROTO_UDP : inner->protocol,
		   inner->length + room);
	if (is_gue) {
		write_gue((struct udphdr *)(ip + 1), inner);
		sum_gue(ip, (struct udphdr *)(ip + 1), inner);
	}
	return REASON_go_on;
}

#endif
