/* SPDX-License-Identifier: GPL-2.0-only */
/* Packets for tests, built from named parts, byte for byte. */
#ifndef SELFTESTS_PACKET_H
#define SELFTESTS_PACKET_H

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <stdbool.h>
#include <string.h>

#include "../include/wire.h"

#define FRAME_MAX 10240 /* a jumbo frame and its outer headers */

#define CLIENT_V4 "198.51.100.7"
#define CLIENT_V6 "2001:db8:c::7"
#define SERVICE_V4 "192.0.2.1"
#define SERVICE_V6 "2001:db8:1::1"
#define SERVICE_PORT 443
#define CLIENT_PORT 40001
#define SEQ 0x11223344u
#define ACK_SEQ 0x55667788u

static const uint8_t mac_balancer[6] = { 2, 0, 0, 0, 0, 0xbb };
static const uint8_t mac_router[6] = { 2, 0, 0, 0, 0, 0xaa };

/* Byte lists of TCP options. */
#define BYTES4(x) (uint8_t)((x) >> 24), (uint8_t)((x) >> 16), (uint8_t)((x) >> 8), (uint8_t)(x)
#define NOP TCPOPT_NOP
#define EOL TCPOPT_EOL
#define NOP4 NOP, NOP, NOP, NOP
#define NOP28 NOP4, NOP4, NOP4, NOP4, NOP4, NOP4, NOP4
#define MSS TCPOPT_MSS, 4, 0x05, 0xb4
#define SACK_PERMITTED TCPOPT_SACK_PERM, 2
#define WINDOW_SCALE TCPOPT_WINDOW, 3, 7
#define TIMESTAMP(value, echo) TCPOPT_TIMESTAMP, 10, BYTES4(value), BYTES4(echo)
#define MP_CAPABLE_SYN TCPOPT_MPTCP, 4, 0x01, 0x01
#define MP_JOIN_SYN(token) TCPOPT_MPTCP, 12, 0x10, 1, BYTES4(token), 0xa1, 0xa2, 0xa3, 0xa4
#define BYTES20 NOP4, NOP4, NOP4, NOP4, NOP4 /* of an HMAC: any */
#define MP_JOIN_ACK TCPOPT_MPTCP, 24, 0x10, 0, BYTES20
#define OPTIONS(...) \
	.options = { __VA_ARGS__ }, .options_length = sizeof((uint8_t[]){ __VA_ARGS__ })

struct segment {
	bool v6;
	const char *source, *destination; /* NULL: the client, the service */
	uint16_t sport, dport;            /* 0: CLIENT_PORT, SERVICE_PORT */
	bool to_port_0;
	uint32_t seq, ack_seq; /* 0: SEQ, ACK_SEQ */
	uint8_t flags;
	uint8_t options[40];
	uint8_t options_length;
	uint8_t ipv4_options;        /* bytes of NOPs between the IPv4 header and TCP */
	uint16_t payload;            /* bytes */
	uint16_t padding;            /* bytes behind the IP packet */
	uint16_t fragment;           /* as in the IPv4 header, host order */
	uint8_t protocol;            /* 0: TCP */
	uint8_t tos;                 /* DSCP and ECN */
	uint8_t icmp_type;           /* with protocol ICMP or ICMPv6: a message in place of TCP */
	const struct segment *quote; /* an ICMP error's; NULL: eight bytes of echo */
	uint16_t quoted;             /* bytes of the quoted TCP segment */
	const uint8_t *link;         /* destination MAC; NULL: the balancer's */
	uint8_t missing;             /* bytes that the IP header's length does not count */
	uint8_t vlans;               /* tags: 802.1ad outside, 802.1Q inside */
	uint8_t extensions;          /* IPv6: destination options headers of 8 bytes each */
	uint8_t extension_units;     /* IPv6: further units of 8 bytes in each of them */
	bool fragment_header;        /* IPv6: one that holds `fragment` */
};

static inline uint16_t packet_checksum(const void *data, size_t length, uint32_t sum)
{
	const uint8_t *bytes = data;

	for (size_t i = 0; i < length; i++)
		sum += i % 2 ? bytes[i] : bytes[i] << 8;
	sum = (sum >> 16) + (sum & 0xffff);
	sum = (sum >> 16) + (sum & 0xffff);
	return htons(~sum & 0xffff);
}

static inline size_t packet_put_ipv4(uint8_t *at, const struct segment *s, size_t tcp_length)
{
	struct iphdr *ip = (struct iphdr *)at;
	size_t header = sizeof(*ip) + s->ipv4_options;

	*ip = (struct iphdr){
		.version = 4,
		.ihl = header / 4,
		.tot_len = htons(header + tcp_length - s->missing),
		.id = htons(0x1234),
		.frag_off = htons(s->fragment),
		.ttl = 61,
		.tos = s->tos,
		.protocol = s->protocol ? s->protocol : IPPROTO_TCP,
	};
	inet_pton(AF_INET, s->source ? s->source : CLIENT_V4, &ip->saddr);
	inet_pton(AF_INET, s->destination ? s->destination : SERVICE_V4, &ip->daddr);
	memset(at + sizeof(*ip), NOP, s->ipv4_options);
	ip->check = packet_checksum(at, header, 0);
	return header;
}

/* A chain of headers that ends with TCP, or what stands for it; returns its length. */
static inline size_t packet_put_extensions(uint8_t *at, const struct segment *s, uint8_t *next)
{
	uint8_t last = s->protocol ? s->protocol : IPPROTO_TCP;
	size_t length = 0, each = 8 + 8 * s->extension_units;

	for (int i = 0; i < s->extensions; i++, length += each) {
		*next = IPPROTO_DSTOPTS;
		next = &at[length];
		memcpy(&at[length + 1], (uint8_t[]){ s->extension_units, 1, each - 4 }, 3);
	}
	if (s->fragment_header) {
		*next = IPPROTO_FRAGMENT;
		next = &at[length];
		memcpy(&at[length + 2], (uint8_t[]){ s->fragment >> 8, s->fragment, 1, 2, 3, 4 },
		       6);
		length += 8;
	}
	*next = last;
	return length;
}

static inline size_t packet_put_ipv6(uint8_t *at, const struct segment *s, size_t tcp_length)
{
	struct ipv6hdr *ip = (struct ipv6hdr *)at;
	size_t extensions;

	*ip = (struct ipv6hdr){
		.version = 6,
		.priority = s->tos >> 4,
		.flow_lbl = { s->tos << 4 },
		.hop_limit = 61,
	};
	extensions = packet_put_extensions(at + sizeof(*ip), s, &ip->nexthdr);
	ip->payload_len = htons(extensions + tcp_length - s->missing);
	inet_pton(AF_INET6, s->source ? s->source : CLIENT_V6, &ip->saddr);
	inet_pton(AF_INET6, s->destination ? s->destination : SERVICE_V6, &ip->daddr);
	return sizeof(*ip) + extensions;
}

static inline size_t packet_put_tcp(uint8_t *at, const struct segment *s)
{
	struct tcphdr *tcp = (struct tcphdr *)at;
	size_t options = (s->options_length + 3) / 4 * 4;

	*tcp = (struct tcphdr){
		.source = htons(s->sport ? s->sport : CLIENT_PORT),
		.dest = htons(s->to_port_0 ? 0
			      : s->dport   ? s->dport
					   : SERVICE_PORT),
		.seq = htonl(s->seq ? s->seq : SEQ),
		.ack_seq = htonl(s->ack_seq ? s->ack_seq : ACK_SEQ),
		.doff = (sizeof(*tcp) + options) / 4,
		.window = htons(0xfaf0),
	};
	at[TCP_FLAGS_OFFSET] = s->flags;
	memcpy(at + sizeof(*tcp), s->options, options);
	for (size_t i = 0; i < s->payload; i++)
		at[sizeof(*tcp) + options + i] = i;
	return sizeof(*tcp) + options + s->payload;
}

static inline size_t packet_put_quote(uint8_t *at, const struct segment *s)
{
	uint8_t segment[FRAME_MAX] = {};
	struct segment quote = *s->quote;
	size_t tcp_length = packet_put_tcp(segment, &quote), ip_length;

	quote.v6 = s->v6;
	ip_length = s->v6 ? packet_put_ipv6(at, &quote, tcp_length)
			  : packet_put_ipv4(at, &quote, tcp_length);
	memcpy(at + ip_length, segment, s->quoted);
	return ip_length + s->quoted;
}

/* Its checksum is for the caller, who knows the addresses. */
static inline size_t packet_put_icmp(uint8_t *at, const struct segment *s)
{
	memcpy(at, (uint8_t[]){ s->icmp_type, 0, 0, 0, 0x12, 0x34, 0, 1 }, 8);
	if (s->quote)
		return 8 + packet_put_quote(at + 8, s);
	memcpy(at + 8, "pingpong", 8);
	return 16;
}

/* The sum of the pseudo-header, before folding. */
static inline uint32_t packet_pseudo_sum(const uint8_t *ip, bool v6, uint8_t protocol,
					 size_t length)
{
	const uint8_t *addresses = ip + (v6 ? 8 : 12);
	uint32_t sum = protocol + length;

	for (size_t i = 0; i < (v6 ? 32u : 8u); i += 2)
		sum += addresses[i] << 8 | addresses[i + 1];
	return sum;
}

/* Ethernet and VLAN tags; returns where the IP header goes. */
static inline size_t packet_put_link(uint8_t *frame, const struct segment *s)
{
	static const uint8_t tags[2][2][4] = { { { 0x81, 0x00, 0x20, 0x65 } },
					       { { 0x88, 0xa8, 0x00, 0x07 },
						 { 0x81, 0x00, 0x20, 0x65 } } };
	__be16 type = htons(s->v6 ? ETH_P_IPV6 : ETH_P_IP);
	size_t at = 2 * ETH_ALEN;

	memcpy(frame, s->link ? s->link : mac_balancer, ETH_ALEN);
	memcpy(frame + ETH_ALEN, mac_router, ETH_ALEN);
	for (int i = 0; i < s->vlans; i++, at += 4)
		memcpy(frame + at, s->vlans > 2 ? tags[0][0] : tags[s->vlans - 1][i], 4);
	memcpy(frame + at, &type, sizeof(type));
	return at + sizeof(type);
}

static inline void packet_sum(uint8_t *transport, size_t length, const uint8_t *ip,
			      const struct segment *s)
{
	uint8_t protocol = s->icmp_type ? s->protocol : IPPROTO_TCP;
	uint32_t pseudo =
		protocol == IPPROTO_ICMP ? 0 : packet_pseudo_sum(ip, s->v6, protocol, length);
	uint16_t sum = packet_checksum(transport, length, pseudo);

	memcpy(transport + (s->icmp_type ? 2 : TCP_CHECK_OFFSET), &sum, sizeof(sum));
}

/* Returns the length of the frame; all checksums are right. */
static inline size_t packet_build(uint8_t frame[static FRAME_MAX], const struct segment *s)
{
	uint8_t transport[FRAME_MAX] = {}, *ip;
	size_t length = s->icmp_type ? packet_put_icmp(transport, s) : packet_put_tcp(transport, s);
	size_t link_length, ip_length;

	memset(frame, 0, FRAME_MAX);
	link_length = packet_put_link(frame, s);
	ip = frame + link_length;
	ip_length = s->v6 ? packet_put_ipv6(ip, s, length) : packet_put_ipv4(ip, s, length);
	packet_sum(transport, length, ip, s);
	memcpy(ip + ip_length, transport, length);
	memset(ip + ip_length + length, 0xee, s->padding);
	return link_length + ip_length + length + s->padding;
}

/* The outer headers of a tunnel, written field by field and summed over all their bytes. */
struct outer {
	bool gue;
	const char *source, *destination;
	uint32_t flow; /* what the balancer makes of the flow: the source port, the flow label */
};

static inline size_t packet_put_outer_ipv4(uint8_t *at, const struct outer *outer,
					   const uint8_t *inner, bool inner_v6, size_t length)
{
	struct iphdr *ip = (struct iphdr *)at;
	const struct iphdr *inner_ip = (const struct iphdr *)inner;

	*ip = (struct iphdr){
		.version = 4,
		.ihl = 5,
		.tos = inner_v6 ? inner[0] << 4 | inner[1] >> 4 : inner_ip->tos,
		.tot_len = htons(sizeof(*ip) + length),
		.id = inner_v6 ? 0 : inner_ip->id,
		.frag_off = inner_v6 ? htons(0x4000) : inner_ip->frag_off & htons(0x4000),
		.ttl = 64,
		.protocol = outer->gue ? IPPROTO_UDP
			    : inner_v6 ? IPPROTO_IPV6
				       : IPPROTO_IPIP,
		.saddr = inet_addr(outer->source),
		.daddr = inet_addr(outer->destination),
	};
	ip->check = packet_checksum(ip, sizeof(*ip), 0);
	return sizeof(*ip);
}

static inline size_t packet_put_outer_ipv6(uint8_t *at, const struct outer *outer,
					   const uint8_t *inner, bool inner_v6, size_t length)
{
	struct ipv6hdr *ip = (struct ipv6hdr *)at;
	uint32_t tos = inner_v6 ? (uint8_t)(inner[0] << 4 | inner[1] >> 4) : inner[1];
	uint32_t first = htonl(6u << 28 | tos << 20 | (outer->flow & 0xfffff));

	memcpy(ip, &first, sizeof(first));
	ip->payload_len = htons(length);
	ip->nexthdr = outer->gue ? IPPROTO_UDP : inner_v6 ? IPPROTO_IPV6 : IPPROTO_IPIP;
	ip->hop_limit = 64;
	inet_pton(AF_INET6, outer->source, &ip->saddr);
	inet_pton(AF_INET6, outer->destination, &ip->daddr);
	return sizeof(*ip);
}

/* UDP and GUE in front of the inner packet, which follows at +12 already. */
static inline void packet_put_gue(uint8_t *udp, const uint8_t *ip, bool outer_v6,
				  const struct outer *outer, bool inner_v6, size_t length)
{
	uint16_t header[6] = { htons(0xc000 | outer->flow >> 18),
			       htons(6080),
			       htons(length),
			       0,
			       htons(inner_v6 ? IPPROTO_IPV6 : IPPROTO_IPIP),
			       0 };
	uint32_t sum = IPPROTO_UDP + length;

	memcpy(udp, header, sizeof(header));
	if (!outer_v6)
		return;
	for (size_t i = 8; i < 40; i += 2)
		sum += ip[i] << 8 | ip[i + 1];
	header[3] = packet_checksum(udp, length, sum);
	if (!header[3])
		header[3] = 0xffff;
	memcpy(udp, header, sizeof(header));
}

/* Wraps the IP packet of a frame; returns the new length of the frame. MACs and tags stay. */
static inline size_t packet_wrap(uint8_t frame[static FRAME_MAX], size_t length,
				 const struct segment *s, const struct outer *outer)
{
	bool outer_v6 = strchr(outer->destination, ':');
	size_t room = (outer_v6 ? 40 : 20) + (outer->gue ? 12 : 0);
	size_t link_length = ETH_HLEN + 4 * s->vlans;
	size_t inner_length = length - link_length - s->padding;
	uint8_t *ip = frame + link_length, *inner = ip + room;
	__be16 type = htons(outer_v6 ? ETH_P_IPV6 : ETH_P_IP);

	memmove(inner, ip, length - link_length);
	memcpy(ip - sizeof(type), &type, sizeof(type));
	if (outer_v6)
		packet_put_outer_ipv6(ip, outer, inner, s->v6, room - 40 + inner_length);
	else
		packet_put_outer_ipv4(ip, outer, inner, s->v6, room - 20 + inner_length);
	if (outer->gue)
		packet_put_gue(inner - 12, ip, outer_v6, outer, s->v6, 12 + inner_length);
	return length + room;
}

#endif
