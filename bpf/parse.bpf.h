/* SPDX-License-Identifier: GPL-2.0-only */
/* Parse what nearly every packet is: untagged TCP over IPv4 without options or bare IPv6. */
#ifndef PARSE_BPF_H
#define PARSE_BPF_H

#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>

#include "packet.bpf.h"

#define ETH_PROTO_OFFSET 12
#define IPV4_FRAGMENT_OFFSET 6 /* then TTL and protocol */
#define TCP_LENGTH_OFFSET 12   /* header length and, behind it, flags */

/* Ethernet type, and the first byte of IP, which says version and header length. */
#define PLAIN_V4_MASK 0xffffff00
#define PLAIN_V4 (ETH_P_IP << 16 | 0x45 << 8)
#define PLAIN_V6_MASK 0xfffff000
#define PLAIN_V6 ((uint32_t)ETH_P_IPV6 << 16 | 0x60 << 8)

static __always_inline uint32_t load32(const void *at)
{
	return *(const uint32_t *)at;
}

/* Whole halves: an 8-byte load behind two 4-byte stores waits for both to leave the core. */
static __always_inline void set_ipv4(struct address *a, uint32_t v4)
{
	a->halves[0] = 0;
	a->halves[1] = (uint64_t)v4 << 32 | plain(be32(0xffff), uint32_t);
}

/*
 * length: of the segment, as IP has it. False where the options are not inside the IP packet:
 * what follows that in the frame is padding.
 */
static __always_inline bool take_tcp(struct packet *pkt, const void *tcp, int32_t length)
{
	uint16_t word = *(const uint16_t *)(tcp + TCP_LENGTH_OFFSET);
	int32_t header = word >> 2 & 0x3c;

	pkt->sport = *(const __be16 *)tcp;
	pkt->dport = *(const __be16 *)(tcp + 2);
	pkt->flags = word >> 8;
	pkt->options = header - TCP_HEADER_MIN;
	return header >= TCP_HEADER_MIN && header <= length;
}

static __always_inline void place(struct packet *pkt, uint8_t is_v6, uint16_t tcp)
{
	pkt->is_v6 = is_v6;
	pkt->ip = ETH_HLEN;
	pkt->tcp = tcp;
	pkt->transport = tcp;
}

/*
 * Both are true for a whole TCP header behind plain others: few wide loads at constant
 * offsets. Whatever else there is, is parse_any()'s.
 */
static __always_inline bool parse_plain_ipv4(struct xdp_md *ctx, struct packet *pkt)
{
	const void *data = packet_start(ctx);
	const struct iphdr *ip = data + ETH_HLEN;
	const void *tcp = ip + 1;

	if (unlikely(tcp + TCP_HEADER_MIN > packet_end(ctx)) ||
	    (load32(data + ETH_PROTO_OFFSET) & plain(be32(PLAIN_V4_MASK), uint32_t)) !=
		    plain(be32(PLAIN_V4), uint32_t) ||
	    (load32((void *)ip + IPV4_FRAGMENT_OFFSET) &
	     plain(be32(IPV4_FRAGMENT_MASK << 16 | 0xff), uint32_t)) !=
		    plain(be32(IPPROTO_TCP), uint32_t))
		return false;
	place(pkt, 0, ETH_HLEN + sizeof(*ip));
	set_ipv4(&pkt->saddr, plain(ip->saddr, uint32_t));
	set_ipv4(&pkt->daddr, plain(ip->daddr, uint32_t));
	return likely(take_tcp(pkt, tcp, bpf_ntohs(ip->tot_len) - sizeof(*ip)));
}

static __always_inline bool parse_plain_ipv6(struct xdp_md *ctx, struct packet *pkt)
{
	const void *data = packet_start(ctx);
	const struct ipv6hdr *ip = data + ETH_HLEN;
	const uint64_t *halves = (const void *)&ip->saddr;
	const void *tcp = ip + 1;

	if (tcp + TCP_HEADER_MIN > packet_end(ctx) ||
	    (load32(data + ETH_PROTO_OFFSET) & plain(be32(PLAIN_V6_MASK), uint32_t)) !=
		    plain(be32(PLAIN_V6), uint32_t) ||
	    ip->nexthdr != IPPROTO_TCP)
		return false;
	place(pkt, 1, ETH_HLEN + sizeof(*ip));
	pkt->saddr.halves[0] = halves[0];
	pkt->saddr.halves[1] = halves[1];
	pkt->daddr.halves[0] = halves[2];
	pkt->daddr.halves[1] = halves[3];
	return likely(take_tcp(pkt, tcp, bpf_ntohs(ip->payload_len)));
}

#endif
