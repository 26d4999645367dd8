// SPDX-License-Identifier: GPL-2.0-only
/*
 * The balancer and what it is compared with, each behind a wrapper that makes a new
 * packet of the old one, undoes the encapsulation, and checks the verdict of every packet.
 *
 * BPF_PROG_TEST_RUN with repeat hands a program the packet as its last run left it; a
 * program that encapsulates would see its own output and take another path.
 */
#include "../../bpf/lb.bpf.c"
#include "generate.bpf.h"
#include "minimal.bpf.h"

#define HALF_OF_FLOW_MASK 0x1e

static __always_inline bool holds(struct xdp_md *ctx, const struct bench_check *check,
				  const struct bench_flow *flow)
{
	const __be16 *at = packet_start(ctx) + (check->at & FRAME_OFFSET_MASK);

	return (void *)(at + 1) <= packet_end(ctx) &&
	       *at == *(const __be16 *)((const void *)flow + (check->of & HALF_OF_FLOW_MASK));
}

static __always_inline bool is_right(struct xdp_md *ctx, uint32_t verdict,
				     const struct bench_flow *flow)
{
	return verdict == input.verdict && holds(ctx, &input.checks[0], flow) &&
	       holds(ctx, &input.checks[1], flow);
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
		if (input.room && bpf_xdp_adjust_head(ctx, input.room)) \
			return XDP_ABORTED; \
		return verdict; \
	}

static __noinline int balancer(struct xdp_md *ctx)
{
	return balance(ctx);
}

MEASURED(floor_tx)
MEASURED(floor_macs)
MEASURED(floor_room)
MEASURED(floor_encap)
MEASURED(floor_tight)
MEASURED(minimal)
MEASURED(minimal_lru)
MEASURED(balancer)
