/* SPDX-License-Identifier: GPL-2.0-only */
/* Parse: Ethernet, IPv4 or IPv6, and TCP up to its options. */
#ifndef PARSE_BPF_H
#define PARSE_BPF_H

#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>

#include "packet.bpf.h"

#define IPV4_FRAGMENT_MASK 0x3fff /* MF, or an offset */
#define IPV4_HEADER_MIN 20

static __always_inline enum reason parse_tcp(struct xdp_md *ctx, struct packet *pkt)
{
	struct tcphdr *tcp = packet_start(ctx) + pkt->tcp;

	if ((void *)(tcp + 1) > packet_end(ctx) || tcp->doff * 4 < TCP_HEADER_MIN)
		return REASON_malformed;
	pkt->sport = tcp->source;
	pkt->dport = tcp->dest;
	pkt->flags = ((uint8_t *)tcp)[TCP_FLAGS_OFFSET];
	pkt->options = tcp->doff * 4 - TCP_HEADER_MIN;
	return REASON_go_on;
}

/* The options must lie inside the IP packet: what follows it in the frame is padding. */
static __always_inline bool holds_options(const struct packet *pkt, uint32_t segment_length)
{
	return segment_length >= (uint32_t)TCP_HEADER_MIN + pkt->options;
}

static __always_inline void set_ipv4(struct address *a, __be32 v4)
{
	a->words[0] = 0;
	a->words[1] = 0;
	a->words[2] = be32(0xffff);
	a->words[3] = v4;
}

static __always_inline enum reason parse_ipv4(struct xdp_md *ctx, struct packet *pkt)
{
	struct iphdr *ip = packet_start(ctx) + ETH_HLEN;
	enum reason why;

	if ((void *)(ip + 1) > packet_end(ctx) || ip->version != 4 || ip->ihl * 4 < IPV4_HEADER_MIN)
		return REASON_malformed;
	if (ip->protocol != IPPROTO_TCP)
		return REASON_not_tcp;
	if (ip->frag_off & be16(IPV4_FRAGMENT_MASK))
		return REASON_fragment;
	set_ipv4(&pkt->saddr, ip->saddr);
	set_ipv4(&pkt->daddr, ip->daddr);
	pkt->tcp = ETH_HLEN + ip->ihl * 4;
	uint32_t length = bpf_ntohs(ip->tot_len) - ip->ihl * 4;

	why = parse_tcp(ctx, pkt);
	if (!why && ((int32_t)length < 0 || !holds_options(pkt, length)))
		why = REASON_malformed;
	return why;
}

static __always_inline enum reason parse_ipv6(struct xdp_md *ctx, struct packet *pkt)
{
	struct ipv6hdr *ip = packet_start(ctx) + ETH_HLEN;
	enum reason why;

	if ((void *)(ip + 1) > packet_end(ctx) || ip->version != 6)
		return REASON_malformed;
	if (ip->nexthdr == IPPROTO_FRAGMENT)
		return REASON_fragment;
	if (ip->nexthdr != IPPROTO_TCP)
		return REASON_not_tcp;
	pkt->is_v6 = 1;
	__builtin_memcpy(&pkt->saddr, &ip->saddr, sizeof(pkt->saddr));
	__builtin_memcpy(&pkt->daddr, &ip->daddr, sizeof(pkt->daddr));
	pkt->tcp = ETH_HLEN + sizeof(*ip);
	uint32_t length = bpf_ntohs(ip->payload_len);

	why = parse_tcp(ctx, pkt);
	if (!why && !holds_options(pkt, length))
		why = REASON_malformed;
	return why;
}

static __always_inline enum reason parse(struct xdp_md *ctx, struct packet *pkt)
{
	struct ethhdr *eth = packet_start(ctx);

	if ((void *)(eth + 1) > packet_end(ctx))
		return REASON_malformed;
	if (eth->h_proto == be16(ETH_P_IP))
		return parse_ipv4(ctx, pkt);
	if (eth->h_proto == be16(ETH_P_IPV6))
		return parse_ipv6(ctx, pkt);
	return REASON_not_ip;
}

#endif
