/* SPDX-License-Identifier: GPL-2.0-only */
/* Parse, whatever it may be: tags, IP options, extension headers, fragments, and what is cut short.
 */
#ifndef PARSE_ANY_BPF_H
#define PARSE_ANY_BPF_H

#include "parse.bpf.h"

#define IPV6_OFFSET_MASK 0xfff8
#define VLAN_TAGS_MAX 2

/* RFC 8200 section 4.5. */
struct fragment_header {
	uint8_t next_header;
	uint8_t reserved;
	__be16 offset; /* its low three bits are flags */
	__be32 id;
};

/* What follows an Ethernet type of 802.1Q or 802.1ad. */
struct vlan_tag {
	__be16 control;
	__be16 protocol;
};

static __always_inline enum reason parse_tcp(struct xdp_md *ctx, struct packet *pkt)
{
	struct tcphdr *tcp = packet_at(ctx, pkt->tcp);

	if ((void *)(tcp + 1) > packet_end(ctx) || tcp->doff * 4 < TCP_HEADER_MIN)
		return REASON_malformed;
	pkt->sport = tcp->source;
	pkt->dport = tcp->dest;
	pkt->flags = ((uint8_t *)tcp)[TCP_FLAGS_OFFSET];
	pkt->options = tcp->doff * 4 - TCP_HEADER_MIN;
	return REASON_go_on;
}

/* The options must lie inside the IP packet: what follows it in the frame is padding. */
static __always_inline bool holds_options(const struct packet *pkt, int32_t segment_length)
{
	return segment_length >= TCP_HEADER_MIN + pkt->options;
}

static __always_inline enum reason parse_ipv4(struct xdp_md *ctx, struct packet *pkt, uint32_t at)
{
	struct iphdr *ip = packet_at(ctx, at);
	enum reason why;

	if ((void *)(ip + 1) > packet_end(ctx) || ip->version != 4 || ip->ihl * 4 < IPV4_HEADER_MIN)
		return REASON_malformed;
	set_ipv4(&pkt->saddr, plain(ip->saddr, uint32_t));
	set_ipv4(&pkt->daddr, plain(ip->daddr, uint32_t));
	pkt->ip = at;
	pkt->tcp = at + ip->ihl * 4;
	if (ip->protocol != IPPROTO_TCP) {
		if (!(ip->frag_off & be16(IPV4_FRAGMENT_MASK)))
			pkt->protocol = ip->protocol;
		return REASON_not_tcp;
	}
	if (ip->frag_off & be16(IPV4_OFFSET_MASK))
		return REASON_fragment;
	int32_t length = bpf_ntohs(ip->tot_len) - ip->ihl * 4;

	why = parse_tcp(ctx, pkt);
	return why || holds_options(pkt, length) ? why : REASON_malformed;
}

/* The three extension headers that say nothing about where a packet belongs. */
static __always_inline bool is_skipped(uint8_t header)
{
	return header == IPPROTO_HOPOPTS || header == IPPROTO_ROUTING || header == IPPROTO_DSTOPTS;
}

/*
 * Steps over IPv6 extension headers (RFC 8200 section 4); *header is the first that is none
 * of the three.
 */
static __always_inline enum reason skip_extensions(struct xdp_md *ctx, struct packet *pkt,
						   uint8_t *header)
{
	for (int i = 0; i < EXTENSION_HEADERS_MAX && is_skipped(*header); i++) {
		struct ipv6_opt_hdr *extension = packet_at(ctx, pkt->tcp);

		if ((void *)(extension + 1) > packet_end(ctx))
			return REASON_malformed;
		if (extension->hdrlen > EXTENSION_LENGTH_MAX)
			return REASON_too_many_extensions;
		*header = extension->nexthdr;
		pkt->tcp += (extension->hdrlen + 1) * 8;
	}
	return is_skipped(*header) ? REASON_too_many_extensions : REASON_go_on;
}

/* A first fragment is as good as a whole packet; the others lack the ports. */
static __always_inline enum reason skip_fragment(struct xdp_md *ctx, struct packet *pkt,
						 uint8_t *header)
{
	struct fragment_header *fragment = packet_at(ctx, pkt->tcp);

	if ((void *)(fragment + 1) > packet_end(ctx))
		return REASON_malformed;
	*header = fragment->next_header;
	pkt->tcp += sizeof(*fragment);
	if (*header == IPPROTO_TCP && fragment->offset & be16(IPV6_OFFSET_MASK))
		return REASON_fragment;
	return REASON_go_on;
}

static __always_inline enum reason parse_extensions(struct xdp_md *ctx, struct packet *pkt,
						    uint8_t header)
{
	enum reason why = skip_extensions(ctx, pkt, &header);

	if (!why && header == IPPROTO_FRAGMENT) {
		why = skip_fragment(ctx, pkt, &header);
		if (!why && header != IPPROTO_TCP)
			why = REASON_not_tcp;
	}
	if (why)
		return why;
	if (header == IPPROTO_TCP)
		return REASON_go_on;
	pkt->protocol = header;
	return REASON_not_tcp;
}

static __always_inline enum reason parse_ipv6(struct xdp_md *ctx, struct packet *pkt, uint32_t at)
{
	struct ipv6hdr *ip = packet_at(ctx, at);
	enum reason why = REASON_go_on;

	if ((void *)(ip + 1) > packet_end(ctx) || ip->version != 6)
		return REASON_malformed;
	pkt->is_v6 = 1;
	__builtin_memcpy(&pkt->saddr, &ip->saddr, sizeof(pkt->saddr));
	__builtin_memcpy(&pkt->daddr, &ip->daddr, sizeof(pkt->daddr));
	int32_t length = sizeof(*ip) + bpf_ntohs(ip->payload_len);

	pkt->ip = at;
	pkt->tcp = at + sizeof(*ip);
	if (ip->nexthdr != IPPROTO_TCP)
		why = parse_extensions(ctx, pkt, ip->nexthdr);
	if (!why)
		why = parse_tcp(ctx, pkt);
	return why || holds_options(pkt, length - (pkt->tcp - at)) ? why : REASON_malformed;
}

static __always_inline bool is_vlan(__be16 protocol)
{
	return protocol == be16(ETH_P_8021Q) || protocol == be16(ETH_P_8021AD);
}

/* Steps over up to two tags; *protocol is what follows. False: the frame ends before. */
static __always_inline bool skip_vlans(struct xdp_md *ctx, struct packet *pkt, __be16 *protocol)
{
	for (int i = 0; i < VLAN_TAGS_MAX && is_vlan(*protocol); i++) {
		struct vlan_tag *tag = packet_at(ctx, pkt->ip);

		if ((void *)(tag + 1) > packet_end(ctx))
			return false;
		*protocol = tag->protocol;
		pkt->ip += sizeof(*tag);
	}
	return true;
}

static __always_inline enum reason parse_any(struct xdp_md *ctx, struct packet *pkt)
{
	struct ethhdr *eth = packet_start(ctx);
	__be16 protocol;

	if ((void *)(eth + 1) > packet_end(ctx))
		return REASON_malformed;
	protocol = eth->h_proto;
	pkt->ip = ETH_HLEN;
	if (!skip_vlans(ctx, pkt, &protocol))
		return REASON_malformed;
	if (protocol == be16(ETH_P_IP))
		return parse_ipv4(ctx, pkt, pkt->ip);
	if (protocol == be16(ETH_P_IPV6))
		return parse_ipv6(ctx, pkt, pkt->ip);
	return REASON_not_ip;
}

#endif
