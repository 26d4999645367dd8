/* SPDX-License-Identifier: GPL-2.0-only */
/* Floors: what no balancer can go below, for doing less than one. */
#ifndef FLOORS_BPF_H
#define FLOORS_BPF_H

#include <linux/if_ether.h>
#include <linux/ip.h>

#include "../../bpf/packet.bpf.h"
#include "../../include/types.h"

/* Functions proper, which the wrapper of each calls; not every benchmark has them all. */
#define COMPARED static __noinline __attribute__((unused)) int

COMPARED floor_tx(struct xdp_md *ctx)
{
	return packet_start(ctx) == NULL ? XDP_DROP : XDP_TX;
}

COMPARED floor_macs(struct xdp_md *ctx)
{
	struct ethhdr *eth = packet_start(ctx);
	uint8_t mac[ETH_ALEN];

	if ((void *)(eth + 1) > packet_end(ctx))
		return XDP_DROP;
	__builtin_memcpy(mac, eth->h_dest, ETH_ALEN);
	__builtin_memcpy(eth->h_dest, eth->h_source, ETH_ALEN);
	__builtin_memcpy(eth->h_source, mac, ETH_ALEN);
	return XDP_TX;
}

/* Makes room as encapsulation does, and nothing else: half of what undoing it costs. */
COMPARED floor_room(struct xdp_md *ctx)
{
	return bpf_xdp_adjust_head(ctx, -(int)sizeof(struct iphdr)) ? XDP_DROP : XDP_TX;
}

static __always_inline uint16_t checksum_of(const struct iphdr *ip)
{
	const uint16_t *words = (const uint16_t *)ip;
	uint32_t sum = 0;

	for (uint32_t i = 0; i < sizeof(*ip) / 2; i++)
		sum += words[i];
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

/* As most would write it: field by field, and summed from the packet. */
static __always_inline int wrap_in_ipip(struct xdp_md *ctx, __be32 backend)
{
	struct ethhdr *eth;
	struct iphdr *ip;

	if (bpf_xdp_adjust_head(ctx, -(int)sizeof(*ip)))
		return XDP_DROP;
	eth = packet_start(ctx);
	ip = (struct iphdr *)(eth + 1);
	if ((void *)(ip + 1) > packet_end(ctx))
		return XDP_DROP;
	eth->h_proto = be16(ETH_P_IP);
	__builtin_memset(eth->h_dest, 2, ETH_ALEN);
	__builtin_memset(eth->h_source, 4, ETH_ALEN);
	*ip = (struct iphdr){
		.version = 4,
		.ihl = 5,
		.tot_len = bpf_htons((uint8_t *)packet_end(ctx) - (uint8_t *)ip),
		.ttl = 64,
		.protocol = IPPROTO_IPIP,
		.saddr = be32(0x0a000001),
		.daddr = backend,
	};
	ip->check = checksum_of(ip);
	return XDP_TX;
}

COMPARED floor_encap(struct xdp_md *ctx)
{
	return wrap_in_ipip(ctx, be32(0x0a090001));
}

#define TIGHT_SOURCE 0x0a000001u
#define TIGHT_BACKEND 0x0a090001u
/* Version to fragment, TTL and protocol, addresses: all of the header but its length. */
#define TIGHT_SUM \
	(0x4500u + 0x4004u + (TIGHT_SOURCE >> 16) + (TIGHT_SOURCE & 0xffff) + \
	 (TIGHT_BACKEND >> 16) + (TIGHT_BACKEND & 0xffff))

/* As few and as wide stores as can be, and the sum in a register. */
COMPARED floor_tight(struct xdp_md *ctx)
{
	uint32_t length, sum;
	void *data;

	if (bpf_xdp_adjust_head(ctx, -(int)sizeof(struct iphdr)))
		return XDP_DROP;
	data = packet_start(ctx);
	if (data + ETH_HLEN + sizeof(struct iphdr) > packet_end(ctx))
		return XDP_DROP;
	length = packet_end(ctx) - data - ETH_HLEN;
	sum = TIGHT_SUM + length;
	sum = (sum & 0xffff) + (sum >> 16);
	sum = ~((sum & 0xffff) + (sum >> 16)) & 0xffff;
	*(uint64_t *)data = 0x0404020202020202;
	*(uint64_t *)(data + 8) = 0x0045000804040404;
	*(uint64_t *)(data + 16) = bpf_htons(length) | 0x0440000000000000;
	*(uint64_t *)(data + 24) = bpf_htons(sum) | (uint64_t)bpf_htonl(TIGHT_SOURCE) << 16 |
				   (uint64_t)bpf_htons(TIGHT_BACKEND >> 16) << 48;
	*(uint16_t *)(data + 32) = bpf_htons(TIGHT_BACKEND & 0xffff);
	return XDP_TX;
}

#endif
