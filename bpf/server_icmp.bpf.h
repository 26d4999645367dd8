/* SPDX-License-Identifier: GPL-2.0-only */
/* ICMP errors about a service's segments, which come by the same tunnels as its clients' do. */
#ifndef SERVER_ICMP_BPF_H
#define SERVER_ICMP_BPF_H

#include "server_segment.bpf.h"

#define ICMP_HEADER 8  /* of an error; what it quotes follows */
#define QUOTED_PORTS 4 /* RFC 792 has routers quote 8 bytes of TCP at the least */

static __always_inline bool is_error_v4(uint8_t type)
{
	return type == ICMP_DEST_UNREACH || type == ICMP_TIME_EXCEEDED ||
	       type == ICMP_PARAMETERPROB;
}

static __always_inline bool is_error_v6(uint8_t type)
{
	return type >= ICMPV6_DEST_UNREACH && type <= ICMPV6_PARAMPROB;
}

/* Returns where the quoted packet is, 0 if there is none. */
static __always_inline uint32_t find_quote_v4(struct __sk_buff *skb, uint32_t at)
{
	struct iphdr *ip;
	uint8_t *type;

	if (!reach(skb, at + IPV4_HEADER_MIN + ICMP_HEADER))
		return 0;
	ip = segment_start(skb) + at;
	if ((void *)(ip + 1) > segment_end(skb) || ip->ihl * 4 != IPV4_HEADER_MIN ||
	    ip->protocol != IPPROTO_ICMP || ip->frag_off & bpf_htons(IPV4_FRAGMENT_MASK))
		return 0;
	type = (uint8_t *)(ip + 1);
	if ((void *)(type + ICMP_HEADER) > segment_end(skb) || !is_error_v4(*type))
		return 0;
	return at + IPV4_HEADER_MIN + ICMP_HEADER;
}

static __always_inline uint32_t find_quote_v6(struct __sk_buff *skb, uint32_t at)
{
	struct ipv6hdr *ip;
	uint8_t *type;

	if (!reach(skb, at + sizeof(*ip) + ICMP_HEADER))
		return 0;
	ip = segment_start(skb) + at;
	if ((void *)(ip + 1) > segment_end(skb) || ip->nexthdr != IPPROTO_ICMPV6)
		return 0;
	type = (uint8_t *)(ip + 1);
	if ((void *)(type + ICMP_HEADER) > segment_end(skb) || !is_error_v6(*type))
		return 0;
	return at + sizeof(*ip) + ICMP_HEADER;
}

/* Each sets the address that sent the quoted segment, and returns where TCP begins, or 0. */
static __always_inline uint32_t read_quote_v4(struct __sk_buff *skb, uint32_t quote,
					      struct server_service *service)
{
	struct iphdr *ip;

	if (!reach(skb, quote + IPV4_HEADER_MIN + QUOTED_PORTS))
		return 0;
	ip = segment_start(skb) + quote;
	if ((void *)(ip + 1) > segment_end(skb) || ip->version != 4 ||
	    ip->ihl * 4 < IPV4_HEADER_MIN || ip->protocol != IPPROTO_TCP ||
	    ip->frag_off & bpf_htons(IPV4_OFFSET_MASK))
		return 0;
	set_ipv4(&service->address, ip->saddr);
	return quote + ip->ihl * 4;
}

static __always_inline uint32_t read_quote_v6(struct __sk_buff *skb, uint32_t quote,
					      struct server_service *service)
{
	struct ipv6hdr *ip;

	if (!reach(skb, quote + sizeof(*ip) + QUOTED_PORTS))
		return 0;
	ip = segment_start(skb) + quote;
	if ((void *)(ip + 1) > segment_end(skb) || ip->version != 6 || ip->nexthdr != IPPROTO_TCP)
		return 0;
	__builtin_memcpy(&service->address, &ip->saddr, sizeof(service->address));
	return quote + sizeof(*ip);
}

/* at: where the IP header is; protocol: which one, as in skb->protocol. */
static __always_inline bool is_error_about_service(struct __sk_buff *skb, uint32_t at,
						   uint32_t protocol)
{
	bool v6 = protocol == IPV6_PROTOCOL;
	struct server_service service = {};
	uint32_t quote, tcp;
	__be16 *port;

	quote = v6 ? find_quote_v6(skb, at) : find_quote_v4(skb, at);
	if (!quote)
		return false;
	tcp = v6 ? read_quote_v6(skb, quote, &service) : read_quote_v4(skb, quote, &service);
	if (!tcp || !reach(skb, tcp + QUOTED_PORTS))
		return false;
	port = segment_start(skb) + (tcp & OFFSET_MASK);
	if ((void *)(port + 1) > segment_end(skb))
		return false;
	service.port = *port;
	return bpf_map_lookup_elem(&services, &service);
}

#endif
