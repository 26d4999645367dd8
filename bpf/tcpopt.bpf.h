/* SPDX-License-Identifier: GPL-2.0-only */
/* The bounded walk over a packet's TCP options. */
#ifndef TCPOPT_BPF_H
#define TCPOPT_BPF_H

#include "packet.bpf.h"
#include "../include/tcpopt.h"

/* Forgets what the walk's fields are known to be: a compiler barrier, no instruction. */
#define forget_walk() __asm__ __volatile__("" ::: "memory")

/*
 * Global, so that the verifier does not know what is in *walk: then all turns of the loop
 * look alike to it, and it looks at one (Linux 6.1 to 6.18). With the position in a register,
 * the walk passes a million instructions and is rejected.
 *
 * to_timestamp: what stands behind the first timestamps option is not looked at.
 */
__noinline int tcpopt_walk(struct xdp_md *ctx, struct tcpopt_walk *walk, int to_timestamp)
{
	if (!ctx || !walk)
		return 0;
	for (int i = 0; i < TCPOPT_STEPS; i++) {
		forget_walk();
		if (tcpopt_step(packet_start(ctx), packet_end(ctx), walk) == TCPOPT_WALK_ENDS)
			break;
		if (to_timestamp && walk->timestamp)
			break;
	}
	return 0;
}

/* The four bytes at an offset, in host order; false if they are not all in the frame. */
static __always_inline bool read_be32(struct xdp_md *ctx, uint32_t offset, uint32_t *value)
{
	__be32 *word = packet_at(ctx, offset);

	if ((void *)(word + 1) > packet_end(ctx))
		return false;
	*value = bpf_ntohl(*word);
	return true;
}

#endif
