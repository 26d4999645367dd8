/* SPDX-License-Identifier: GPL-2.0-only */
/* A new packet of an old one: the flow's client, ports and clue. */
#ifndef GENERATE_BPF_H
#define GENERATE_BPF_H

#include "../../bpf/packet.bpf.h"
#include "lb_bench.h"

struct bench_input input;
struct bench_result result;

/* Sized by the benchmark. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, BENCH_FLOWS_MAX);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, uint32_t);
	__type(value, struct bench_flow);
} bench_flows SEC(".maps");

#define FRAME_OFFSET_MASK 0xff
#define WORD_OF_FLOW_MASK 0x1c

/*
 * Flows stand in the map in the order in which they come, so that the harness's own loads
 * are fetched ahead; what a flow contains is spread over all that the balancer keeps.
 */
static __always_inline const struct bench_flow *next_flow(void)
{
	uint32_t packet = result.packets++;
	uint32_t flow = (input.first + packet) & input.flow_mask;

	if (packet % BENCH_BURST == 0)
		result.at_ns[packet / BENCH_BURST % BENCH_READINGS] = bpf_ktime_get_ns();
	return bpf_map_lookup_elem(&bench_flows, &flow);
}

static __always_inline __be32 word_of(const struct bench_flow *flow, uint32_t offset)
{
	return *(const __be32 *)((const void *)flow + (offset & WORD_OF_FLOW_MASK));
}

#define SOURCE_V4 26 /* with the destination behind it */
#define SOURCE_V6 30 /* the second half */
#define PORTS_V4 34
#define PORTS_V6 54

/*
 * Writes the flow's client and ports. Stores are as wide as any load of the same bytes: a
 * load across two stores waits for them, which packets from a NIC never cost.
 */
static __always_inline bool put_client(struct xdp_md *ctx, const struct bench_flow *flow)
{
	void *data = packet_start(ctx);
	uint32_t ports = input.v6 ? PORTS_V6 : PORTS_V4;

	if (data + ports + 4 > packet_end(ctx))
		return false;
	((uint64_t *)data)[0] = input.start[0];
	((uint64_t *)data)[1] = input.start[1];
	if (input.v6)
		*(uint64_t *)(data + SOURCE_V6) = (uint64_t)flow->source << 32 | input.beside;
	else
		*(uint64_t *)(data + SOURCE_V4) = input.beside << 32 | flow->source;
	if (input.ports_of)
		*(__be32 *)(data + ports) = word_of(flow, input.ports_of);
	return true;
}

static __always_inline bool put_clue(struct xdp_md *ctx, const struct bench_flow *flow)
{
	__be32 *at = packet_start(ctx) + (input.clue_at & FRAME_OFFSET_MASK);

	if ((void *)(at + 1) > packet_end(ctx))
		return false;
	*at = word_of(flow, input.clue_of);
	return true;
}

static __always_inline bool prepare(struct xdp_md *ctx, const struct bench_flow *flow)
{
	return put_client(ctx, flow) && (!input.clue_of || put_clue(ctx, flow));
}

#endif
