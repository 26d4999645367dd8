/* SPDX-License-Identifier: GPL-2.0-only */
/* The helpers of XDP, on the host. */
#ifndef FUZZ_XDP_HOST_H
#define FUZZ_XDP_HOST_H

#include "bpf_host.h"

#define HOST_TAILROOM 320 /* struct skb_shared_info */
#define XDP_FRAME_SIZE 40 /* what the kernel keeps at the start of the headroom */

static inline void host_xdp_point(struct xdp_md *ctx)
{
	ctx->data = host_address(host_frame.start);
	ctx->data_end = host_address(host_frame.end);
	host_frame_fence();
}

static inline long bpf_xdp_adjust_head(struct xdp_md *ctx, int delta)
{
	int64_t start = (int64_t)host_frame.start + delta;

	if (start < XDP_FRAME_SIZE || start + 14 > host_frame.end)
		return -EINVAL;
	host_frame.start = start;
	host_xdp_point(ctx);
	return 0;
}

/* As in the kernel, only the last of the fragments shrinks; here they go as a whole. */
static inline long bpf_xdp_adjust_tail(struct xdp_md *ctx, int delta)
{
	int64_t whole = (int64_t)host_frame.whole + delta;

	if (whole < host_frame.start + 14 || whole > HOST_ROOM - HOST_TAILROOM)
		return -EINVAL;
	host_frame.whole = whole;
	if (delta > 0 || host_frame.end > whole)
		host_frame.end = whole;
	host_xdp_point(ctx);
	return 0;
}

static inline uint64_t bpf_xdp_get_buff_len(const struct xdp_md *ctx)
{
	(void)ctx;
	return host_frame.whole - host_frame.start;
}

static inline long bpf_redirect_map(const void *map, uint64_t key, uint64_t flags)
{
	(void)map;
	return key ? XDP_REDIRECT : (long)flags;
}

#endif
