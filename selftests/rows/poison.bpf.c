// SPDX-License-Identifier: GPL-2.0-only
/*
 * The balancer behind a program that fills the headroom: BPF_PROG_TEST_RUN hands out zeroes
 * there, so a field of an outer header that is never written would pass.
 */
#include "../../bpf/lb.bpf.c"

#define HEADROOM 128

static __always_inline bool poison(struct xdp_md *ctx)
{
	uint8_t *data;

	if (bpf_xdp_adjust_head(ctx, -HEADROOM))
		return false;
	data = packet_start(ctx);
	if (data + HEADROOM > (uint8_t *)packet_end(ctx))
		return false;
	__builtin_memset(data, 0xff, HEADROOM);
	return !bpf_xdp_adjust_head(ctx, HEADROOM);
}

SEC("xdp")
int lb_poisoned(struct xdp_md *ctx)
{
	return poison(ctx) ? balance(ctx) : XDP_ABORTED;
}

SEC("xdp.frags")
int lb_frags_poisoned(struct xdp_md *ctx)
{
	return poison(ctx) ? balance(ctx) : XDP_ABORTED;
}
