/* SPDX-License-Identifier: GPL-2.0-only */
/* The TCP options of a segment at tc. */
#ifndef SERVER_OPTIONS_BPF_H
#define SERVER_OPTIONS_BPF_H

#include "server_segment.bpf.h"
#include "../include/tcpopt.h"

/* Global, so that the verifier looks at one step once; see tcpopt_next() of the balancer. */
__noinline int option_next(struct __sk_buff *skb, struct tcpopt_walk *walk)
{
	if (!skb || !walk)
		return TCPOPT_WALK_ENDS;
	return tcpopt_step(segment_start(skb), segment_end(skb), walk);
}

/* The third ACK of a join has no data, and room for timestamps and MP_JOIN. */
static __always_inline bool may_be_join_ack(const struct __sk_buff *skb,
					    const struct segment *segment)
{
	return skb->len == segment->end &&
	       segment->end - segment->tcp >=
		       TCP_HEADER_MIN + TCPOLEN_TIMESTAMP + TCPOLEN_MPTCP_MPJ_ACK;
}

static __always_inline void find_options(struct __sk_buff *skb, const struct segment *segment,
					 struct tcpopt_walk *walk)
{
	__be32 *first = word_at(skb, segment->tcp + TCP_HEADER_MIN);

	walk->at = segment->tcp + TCP_HEADER_MIN;
	walk->end = segment->end;
	if (!(segment->flags & TCP_SYN) && walk->at + 2 + TCPOLEN_TIMESTAMP <= walk->end && first &&
	    *first == bpf_htonl(LINUX_TIMESTAMP_FIRST) && !may_be_join_ack(skb, segment)) {
		walk->timestamp = walk->at + 2;
		return;
	}
	for (int i = 0; i < TCPOPT_STEPS; i++)
		if (option_next(skb, walk) == TCPOPT_WALK_ENDS)
			break;
}

#endif
