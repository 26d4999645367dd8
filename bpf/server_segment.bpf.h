/* SPDX-License-Identifier: GPL-2.0-only */
/* A TCP segment at tc: where its headers are, whose it is, and how its words are rewritten. */
#ifndef SERVER_SEGMENT_BPF_H
#define SERVER_SEGMENT_BPF_H

#include <stdbool.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <bpf/bpf_endian.h>

#include "server_maps.bpf.h"
#include "../include/wire.h"

#define IPV4_PROTOCOL bpf_htons(ETH_P_IP)
#define IPV6_PROTOCOL bpf_htons(ETH_P_IPV6)

#define EXTENSION_UNIT 8
#define OFFSET_MASK 0x1ff /* no TCP header ends behind it, not even in a tunnel */

enum direction { INGRESS, EGRESS };

/* Offsets from the start of the frame. No packet pointer in here: rewriting ends their life. */
struct segment {
	struct connection connection;
	uint16_t tcp;
	uint16_t end; /* first byte after the TCP header */
	uint8_t flags;
};

/*
 * Read anew each time, from a context that the compiler knows nothing of. Else, where two
 * branches meet, clang 14 keeps a pointer's low half and extends it again (w3 = w3), which the
 * verifier of Linux 6.18 takes for the end of a pointer; and clang 22 keeps the field's address
 * in a register, which no verifier lets it read by.
 */
static __always_inline void *segment_start(const struct __sk_buff *skb)
{
	asm volatile("" : "+r"(skb));
	return (void *)(long)skb->data;
}

static __always_inline void *segment_end(const struct __sk_buff *skb)
{
	asm volatile("" : "+r"(skb));
	return (void *)(long)skb->data_end;
}

/* Makes the first `length` bytes readable: drivers may leave all but a few in fragments. */
static __always_inline bool reach(struct __sk_buff *skb, uint32_t length)
{
	if (segment_start(skb) + length <= segment_end(skb))
		return true;
	return length <= skb->len && !bpf_skb_pull_data(skb, length);
}

/* Whole halves: an 8-byte load behind two 4-byte stores waits for both to leave the core. */
static __always_inline void set_ipv4(struct address *address, __be32 v4)
{
	address->halves[0] = 0;
	address->halves[1] = (uint64_t)v4 << 32 | bpf_htonl(0xffff);
}

static __always_inline bool parse_ipv4(struct __sk_buff *skb, struct segment *segment,
				       enum direction direction, uint32_t at)
{
	struct connection *connection = &segment->connection;
	struct iphdr *ip;

	if (!reach(skb, at + IPV4_HEADER_MIN + TCP_HEADER_MIN))
		return false;
	ip = segment_start(skb) + at;
	if ((void *)(ip + 1) > segment_end(skb))
		return false;
	if (ip->version != 4 || ip->ihl * 4 < IPV4_HEADER_MIN || ip->protocol != IPPROTO_TCP ||
	    ip->frag_off & bpf_htons(IPV4_FRAGMENT_MASK))
		return false;
	set_ipv4(&connection->local, direction == EGRESS ? ip->saddr : ip->daddr);
	set_ipv4(&connection->remote, direction == EGRESS ? ip->daddr : ip->saddr);
	segment->tcp = at + ip->ihl * 4;
	return true;
}

/* The three extension headers that say nothing about where a packet belongs. */
static __always_inline bool is_skipped(uint8_t header)
{
	return header == IPPROTO_HOPOPTS || header == IPPROTO_ROUTING || header == IPPROTO_DSTOPTS;
}

/* Steps over extension headers; false if what is behind them is no TCP, or too far away. */
static __always_inline bool skip_extensions(struct __sk_buff *skb, struct segment *segment,
					    uint8_t header)
{
	for (int i = 0; i < EXTENSION_HEADERS_MAX && is_skipped(header); i++) {
		struct ipv6_opt_hdr *extension;

		if (!reach(skb, segment->tcp + EXTENSION_UNIT))
			return false;
		extension = segment_start(skb) + (segment->tcp & OFFSET_MASK);
		if ((void *)(extension + 1) > segment_end(skb) ||
		    extension->hdrlen > EXTENSION_LENGTH_MAX)
			return false;
		header = extension->nexthdr;
		segment->tcp += (extension->hdrlen + 1) * EXTENSION_UNIT;
	}
	return header == IPPROTO_TCP;
}

static __always_inline bool parse_ipv6(struct __sk_buff *skb, struct segment *segment,
				       enum direction direction, uint32_t at)
{
	struct connection *connection = &segment->connection;
	struct ipv6hdr *ip;

	if (!reach(skb, at + sizeof(*ip) + TCP_HEADER_MIN))
		return false;
	ip = segment_start(skb) + at;
	if ((void *)(ip + 1) > segment_end(skb) || ip->version != 6)
		return false;
	__builtin_memcpy(&connection->local, direction == EGRESS ? &ip->saddr : &ip->daddr, 16);
	__builtin_memcpy(&connection->remote, direction == EGRESS ? &ip->daddr : &ip->saddr, 16);
	segment->tcp = at + sizeof(*ip);
	return ip->nexthdr == IPPROTO_TCP || skip_extensions(skb, segment, ip->nexthdr);
}

static __always_inline bool parse_tcp(struct __sk_buff *skb, struct segment *segment,
				      enum direction direction)
{
	struct tcphdr *tcp;

	if (!reach(skb, segment->tcp + TCP_HEADER_MIN))
		return false;
	tcp = segment_start(skb) + (segment->tcp & OFFSET_MASK);
	if ((void *)(tcp + 1) > segment_end(skb) || tcp->doff * 4 < TCP_HEADER_MIN)
		return false;
	segment->connection.local_port = direction == EGRESS ? tcp->source : tcp->dest;
	segment->connection.remote_port = direction == EGRESS ? tcp->dest : tcp->source;
	segment->flags = ((uint8_t *)tcp)[TCP_FLAGS_OFFSET];
	segment->end = segment->tcp + tcp->doff * 4;
	return reach(skb, segment->end);
}

/*
 * at: where the IP header is; protocol: which one, as in skb->protocol. False for whatever
 * is not a whole TCP header over IPv4 or plain IPv6.
 */
static __always_inline bool parse(struct __sk_buff *skb, struct segment *segment,
				  enum direction direction, uint32_t at, uint32_t protocol)
{
	if (protocol == IPV4_PROTOCOL)
		return parse_ipv4(skb, segment, direction, at) &&
		       parse_tcp(skb, segment, direction);
	if (protocol == IPV6_PROTOCOL)
		return parse_ipv6(skb, segment, direction, at) &&
		       parse_tcp(skb, segment, direction);
	return false;
}

static __always_inline bool is_syn_ack(const struct segment *segment)
{
	return (segment->flags & (TCP_SYN | TCP_ACK)) == (TCP_SYN | TCP_ACK);
}

static __always_inline bool is_service(const struct segment *segment)
{
	const struct connection *connection = &segment->connection;
	uint32_t line = server_service_line(&connection->local, connection->local_port);
	struct server_service service = {}, *there;

	there = bpf_map_lookup_elem(&service_lines, &line);
	if (!there || !there->port)
		return false;
	if (there->address.halves[0] == connection->local.halves[0] &&
	    there->address.halves[1] == connection->local.halves[1] &&
	    there->port == connection->local_port)
		return true;
	service.address = connection->local;
	service.port = connection->local_port;
	return bpf_map_lookup_elem(&services, &service);
}

static __always_inline __be32 *word_at(struct __sk_buff *skb, uint32_t offset)
{
	__be32 *word = segment_start(skb) + (offset & OFFSET_MASK);

	return (void *)(word + 1) > segment_end(skb) ? NULL : word;
}

/*
 * Puts `to` where a word stands and keeps the TCP checksum right. A word at an odd offset
 * into the TCP header weighs in the sum as if its bytes were turned by one place.
 */
static __always_inline void replace_word(struct __sk_buff *skb, const struct segment *segment,
					 uint32_t offset, __be32 to)
{
	__be32 *word = word_at(skb, offset);
	__be32 from;

	if (!word)
		return;
	from = *word;
	*word = to;
	if ((offset - segment->tcp) & 1) {
		from = from << 8 | from >> 24;
		to = to << 8 | to >> 24;
	}
	bpf_l4_csum_replace(skb, segment->tcp + TCP_CHECK_OFFSET, from, to, sizeof(to));
}

#endif
