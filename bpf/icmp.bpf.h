/* SPDX-License-Identifier: GPL-2.0-only */
/* ICMP and ICMPv6: errors that quote a packet from a service, and echo to its address. */
#ifndef ICMP_BPF_H
#define ICMP_BPF_H

#include "classify.bpf.h"
#include "csum.bpf.h"
#include "parse_any.bpf.h"

/* Both families begin so. */
struct icmp_header {
	uint8_t type;
	uint8_t code;
	__be16 checksum;
	__be32 rest;
};

#define ECHO_TTL 64

static __always_inline bool is_icmp(const struct packet *pkt)
{
	return pkt->protocol == (pkt->is_v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP);
}

static __always_inline bool is_icmp_error(bool is_v6, uint8_t type)
{
	if (is_v6)
		return type >= ICMPV6_DEST_UNREACH && type <= ICMPV6_PARAMPROB;
	return type == ICMP_DEST_UNREACH || type == ICMP_TIME_EXCEEDED ||
	       type == ICMP_PARAMETERPROB;
}

static __always_inline bool same_address(const struct address *a, const struct address *b)
{
	return a->halves[0] == b->halves[0] && a->halves[1] == b->halves[1];
}

/* The quoted packet went the other way: its source is the service. */
static __always_inline bool quote_addresses_v4(struct xdp_md *ctx, struct packet *pkt,
					       uint32_t offset, struct address *service)
{
	struct iphdr *ip = packet_at(ctx, offset);

	if ((void *)(ip + 1) > packet_end(ctx) || ip->version != 4 ||
	    ip->ihl * 4 < IPV4_HEADER_MIN || ip->protocol != IPPROTO_TCP ||
	    ip->frag_off & be16(IPV4_OFFSET_MASK))
		return false;
	set_ipv4(service, plain(ip->saddr, uint32_t));
	set_ipv4(&pkt->saddr, plain(ip->daddr, uint32_t));
	pkt->tcp = offset + ip->ihl * 4;
	return true;
}

static __always_inline bool quote_addresses_v6(struct xdp_md *ctx, struct packet *pkt,
					       uint32_t offset, struct address *service)
{
	struct ipv6hdr *ip = packet_at(ctx, offset);

	if ((void *)(ip + 1) > packet_end(ctx) || ip->version != 6 || ip->nexthdr != IPPROTO_TCP)
		return false;
	__builtin_memcpy(service, &ip->saddr, sizeof(*service));
	__builtin_memcpy(&pkt->saddr, &ip->daddr, sizeof(pkt->saddr));
	pkt->tcp = offset + sizeof(*ip);
	return true;
}

/* RFC 792 quotes 8 bytes of TCP, most routers all of its header: then its TSval is a stamp. */
static __always_inline enum clue quoted_clue(struct xdp_md *ctx, struct packet *pkt, uint32_t end)
{
	struct tcpopt_walk walk = { .at = pkt->tcp + TCP_HEADER_MIN };
	struct tcphdr *tcp = packet_at(ctx, pkt->tcp);

	if ((void *)(tcp + 1) > packet_end(ctx) || pkt->tcp + TCP_HEADER_MIN > end ||
	    tcp->doff * 4 < TCP_HEADER_MIN)
		return CLUE_NONE;
	walk.end = pkt->tcp + tcp->doff * 4;
	tcpopt_walk(ctx, &walk, true);
	if (!walk.timestamp || walk.timestamp + TSECR_OFFSET > end ||
	    !read_be32(ctx, walk.timestamp + TSVAL_OFFSET, &pkt->value))
		return CLUE_NONE;
	return CLUE_STAMP;
}

/*
 * An error goes where the connection is that it is about: *pkt becomes the packet that the
 * client would send. REASON_not_tcp: it is not an error about a TCP segment that the
 * destination sent, and so the host's.
 */
static __always_inline enum reason parse_icmp_error(struct xdp_md *ctx, struct packet *pkt,
						    uint32_t end)
{
	uint8_t *type = packet_at(ctx, pkt->tcp);
	uint32_t quote = pkt->tcp + sizeof(struct icmp_header);
	struct address service;
	__be16 *ports;

	if (type + 1 > (uint8_t *)packet_end(ctx) || !is_icmp_error(pkt->is_v6, *type))
		return REASON_not_tcp;
	if (!(pkt->is_v6 ? quote_addresses_v6(ctx, pkt, quote, &service)
			 : quote_addresses_v4(ctx, pkt, quote, &service)))
		return REASON_not_tcp;
	ports = packet_at(ctx, pkt->tcp);
	if ((void *)(ports + 2) > packet_end(ctx) || pkt->tcp + 4 > end ||
	    !same_address(&service, &pkt->daddr))
		return REASON_not_tcp;
	pkt->dport = ports[0];
	pkt->sport = ports[1];
	pkt->clue = quoted_clue(ctx, pkt, end);
	return REASON_go_on;
}

/* The checksum when the high byte of one of the words that it covers changes (RFC 1624). */
static __always_inline __be16 change_high_byte(uint16_t checksum, uint8_t from, uint8_t to)
{
	uint32_t sum = (uint16_t)~checksum + (to << 8) + (uint16_t) ~(from << 8);

	return be16(~csum_fold(sum));
}

/* The answer's hops are counted anew: the request may have few left. */
static __always_inline bool answer_ipv4(struct xdp_md *ctx, const struct packet *pkt)
{
	struct iphdr *ip = packet_at(ctx, pkt->ip);
	__be32 source;

	if ((void *)(ip + 1) > packet_end(ctx))
		return false;
	source = ip->saddr;
	ip->saddr = ip->daddr;
	ip->daddr = source;
	ip->check = plain(change_high_byte(bpf_ntohs(plain(ip->check, __be16)), ip->ttl, ECHO_TTL),
			  __sum16);
	ip->ttl = ECHO_TTL;
	return true;
}

static __always_inline bool answer_ipv6(struct xdp_md *ctx, const struct packet *pkt)
{
	struct ipv6hdr *ip = packet_at(ctx, pkt->ip);
	struct in6_addr source;

	if ((void *)(ip + 1) > packet_end(ctx))
		return false;
	source = ip->saddr;
	ip->saddr = ip->daddr;
	ip->daddr = source;
	ip->hop_limit = ECHO_TTL;
	return true;
}

/* Swapping addresses leaves sums alone. */
static __always_inline void answer_icmp(struct icmp_header *icmp, uint8_t reply)
{
	icmp->checksum = change_high_byte(bpf_ntohs(icmp->checksum), icmp->type, reply);
	icmp->type = reply;
}

/*
 * Where IP says that the message ends: what follows is padding. 0 if it claims more than the
 * frame holds, or less than a message.
 */
static __always_inline uint32_t message_end(struct xdp_md *ctx, const struct packet *pkt)
{
	__be16 *ip = packet_at(ctx, pkt->ip);
	uint32_t end = pkt->ip;

	if ((void *)(ip + 3) > packet_end(ctx))
		return 0;
	end += pkt->is_v6 ? sizeof(struct ipv6hdr) + bpf_ntohs(ip[2]) : bpf_ntohs(ip[1]);
	if (end < pkt->tcp + sizeof(struct icmp_header) || end > bpf_xdp_get_buff_len(ctx))
		return 0;
	return end;
}

/* Echo to a service address; REASON_not_tcp: it is not that. */
static __always_inline enum reason answer_echo(struct xdp_md *ctx, const struct packet *pkt)
{
	struct icmp_header *icmp = packet_at(ctx, pkt->tcp);
	struct ethhdr *eth = packet_start(ctx);
	uint8_t mac[ETH_ALEN];

	if ((void *)(icmp + 1) > packet_end(ctx) || (void *)(eth + 1) > packet_end(ctx) ||
	    icmp->type != (pkt->is_v6 ? ICMPV6_ECHO_REQUEST : ICMP_ECHO) || eth->h_dest[0] & 1)
		return REASON_not_tcp;
	if (!(pkt->is_v6 ? answer_ipv6(ctx, pkt) : answer_ipv4(ctx, pkt)))
		return REASON_not_tcp;
	answer_icmp(icmp, pkt->is_v6 ? ICMPV6_ECHO_REPLY : ICMP_ECHOREPLY);
	__builtin_memcpy(mac, eth->h_dest, ETH_ALEN);
	__builtin_memcpy(eth->h_dest, eth->h_source, ETH_ALEN);
	__builtin_memcpy(eth->h_source, mac, ETH_ALEN);
	return REASON_icmp_echo;
}

#endif
