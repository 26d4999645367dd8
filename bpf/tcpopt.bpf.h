/* SPDX-License-Identifier: GPL-2.0-only */
/* The bounded walk over a packet's TCP options. */
#ifndef TCPOPT_BPF_H
#define TCPOPT_BPF_H

#include "packet.bpf.h"
#include "../include/tcpopt.h"

/*
 * Global and not inlined: the verifier then looks at one step once. Inlined into a
 * loop, with packet pointers, the walk passes a million instructions and is rejected
 * (clang 14, Linux 6.18).
 */
__noinline int tcpopt_next(struct xdp_md *ctx, struct tcpopt_walk *walk)
{
	if (!ctx || !walk)
		return TCPOPT_WALK_ENDS;
	return tcpopt_step(packet_start(ctx), packet_end(ctx), walk);
}

static __always_inline void tcpopt_walk_all(struct xdp_md *ctx, struct tcpopt_walk *walk)
{
	for (int i = 0; i < TCPOPT_STEPS; i++)
		if (tcpopt_next(ctx, walk) == TCPOPT_WALK_ENDS)
			break;
}

/* What stands behind the first timestamps option is not looked at. */
static __always_inline void tcpopt_walk_to_timestamp(struct xdp_md *ctx, struct tcpopt_walk *walk)
{
	for (int i = 0; i < TCPOPT_STEPS && !walk->timestamp; i++)
		if (tcpopt_next(ctx, walk) == TCPOPT_WALK_ENDS)
			break;
}

/* The four bytes at an offset, in host order; false if they are not all in the frame. */
static __always_inline bool read_be32(struct xdp_md *ctx, uint32_t offset, uint32_t *value)
{
	__be32 *word = packet_start(ctx) + (offset & 0x1ff);

	if ((void *)(word + 1) > packet_end(ctx))
		return false;
	*value = bpf_ntohl(*word);
	return true;
}

#endif
