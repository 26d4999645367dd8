// SPDX-License-Identifier: GPL-2.0-only
/*
 * The balancer and what it is compared with, each behind a wrapper that makes a new
 * packet of the old one, undoes the encapsulation, and checks the verdict of every packet.
 *
 * BPF_PROG_TEST_RUN with repeat hands a program the packet as its last run left it; a
 * program that encapsulates would see its own output and take another path.
 */
#include "../../bpf/lb.bpf.c"
#include "bench.h"

struct bench_input input;
struct bench_result result;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, BENCH_FLOWS_MAX);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, uint32_t);
	__type(value, struct bench_flow);
} bench_flows SEC(".maps");

/*
 * Flows stand in the map in the order in which they come, so that the harness's own loads
 * are fetched ahead; what a flow contains is spread over all that the balancer keeps.
 */
static __always_inline const struct bench_flow *next_flow(void)
{
	uint32_t packet = input.packets++;
	uint32_t flow = packet & input.flow_mask & (BENCH_FLOWS_MAX - 1);

	if (packet == 0)
		result.start_ns = bpf_ktime_get_ns();
	if (packet == BENCH_PACKETS)
		result.end_ns = bpf_ktime_get_ns();
	return bpf_map_lookup_elem(&bench_flows, &flow);
}

#define BALANCER_MAC_END 0xbb

/* Writes the flow's client address, port and clue into the packet. */
static __always_inline bool prepare(struct xdp_md *ctx, const struct bench_flow *flow)
{
	uint8_t *data = packet_start(ctx);
	uint32_t tcp = input.tcp & 0x3f, clue = input.clue & 0x7f;

	if (data + tcp + 2 > (uint8_t *)packet_end(ctx) ||
	    data + clue + 4 > (uint8_t *)packet_end(ctx) || data + 34 > (uint8_t *)packet_end(ctx))
		return false;
	data[5] = BALANCER_MAC_END; /* a frame with the backend's address is left alone */
	*(__be32 *)(data + (input.v6 ? 30 : 26)) = flow->source;
	*(__be16 *)(data + tcp) = flow->sport;
	if (clue)
		*(__be32 *)(data + clue) = flow->clue;
	return true;
}

static __always_inline bool undo_encapsulation(struct xdp_md *ctx)
{
	struct ethhdr *eth;

	if (bpf_xdp_adjust_head(ctx, sizeof(struct iphdr)))
		return false;
	eth = packet_start(ctx);
	if ((void *)(eth + 1) > packet_end(ctx))
		return false;
	__builtin_memset(eth, 0, sizeof(*eth));
	eth->h_proto = be16(ETH_P_IP);
	return true;
}

/* The destination MAC ends in the index of the backend. */
static __always_inline bool is_right(struct xdp_md *ctx, uint32_t verdict,
				     const struct bench_flow *flow)
{
	struct ethhdr *eth = packet_start(ctx);

	if (verdict != input.verdict || (void *)(eth + 1) > packet_end(ctx))
		return false;
	return !input.check_backend || eth->h_dest[5] == flow->backend;
}

#define MEASURED(name) \
	SEC("xdp") int bench_##name(struct xdp_md *ctx) \
	{ \
		const struct bench_flow *flow = next_flow(); \
		uint32_t verdict; \
\
		if (!flow || !prepare(ctx, flow)) \
			return XDP_ABORTED; \
		verdict = name(ctx); \
		result.wrong += !is_right(ctx, verdict, flow); \
		if (input.encapsulates && !undo_encapsulation(ctx)) \
			return XDP_ABORTED; \
		return verdict; \
	}

static __noinline int floor_tx(struct xdp_md *ctx)
{
	return packet_start(ctx) == NULL ? XDP_DROP : XDP_TX;
}

static __noinline int floor_macs(struct xdp_md *ctx)
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
static __noinline int floor_room(struct xdp_md *ctx)
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

static __noinline int floor_encap(struct xdp_md *ctx)
{
	return wrap_in_ipip(ctx, be32(0x0a090001));
}

/* A minimal balancer without state, as the peers have them: look up, hash, ring, IPIP. */

struct minimal_service {
	__be32 address;
	__be16 port;
	uint16_t protocol;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_SERVICES);
	__type(key, struct minimal_service);
	__type(value, uint32_t);
} minimal_services SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, RING_SLOTS);
	__type(key, uint32_t);
	__type(value, __be32);
} minimal_ring SEC(".maps");

static __always_inline uint32_t mix(uint32_t a, uint32_t b, uint32_t c)
{
	uint32_t h = (a ^ 0xdeadbef7) * 0x85ebca6b;

	h = (h ^ h >> 15 ^ b) * 0xc2b2ae35;
	h = (h ^ h >> 13 ^ c) * 0x85ebca6b;
	return h ^ h >> 16;
}

static __noinline int minimal(struct xdp_md *ctx)
{
	struct ethhdr *eth = packet_start(ctx);
	struct iphdr *ip = (struct iphdr *)(eth + 1);
	struct tcphdr *tcp = (struct tcphdr *)(ip + 1);
	struct minimal_service key;
	uint32_t slot;
	__be32 *backend;

	if ((void *)(tcp + 1) > packet_end(ctx) || eth->h_proto != be16(ETH_P_IP) || ip->ihl != 5 ||
	    ip->protocol != IPPROTO_TCP)
		return XDP_PASS;
	key = (struct minimal_service){ ip->daddr, tcp->dest, IPPROTO_TCP };
	if (!bpf_map_lookup_elem(&minimal_services, &key))
		return XDP_PASS;
	slot = mix(ip->saddr, ip->daddr, *(uint32_t *)tcp) % RING_SLOTS;
	backend = bpf_map_lookup_elem(&minimal_ring, &slot);
	return backend ? wrap_in_ipip(ctx, *backend) : XDP_DROP;
}

static __noinline int balancer(struct xdp_md *ctx)
{
	return balance(ctx);
}

MEASURED(floor_tx)
MEASURED(floor_macs)
MEASURED(floor_room)
MEASURED(floor_encap)
MEASURED(minimal)
MEASURED(balancer)
