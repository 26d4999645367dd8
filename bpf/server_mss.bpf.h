/* SPDX-License-Identifier: GPL-2.0-only */
/* The MSS of a SYN/ACK, lowered so that full segments of the client fit into the tunnel. */
#ifndef SERVER_MSS_BPF_H
#define SERVER_MSS_BPF_H

#include "server_options.bpf.h"

#define MSS_VALUE_MASK 0xffff /* of the option read as one word */

/*
 * The server's TCP is not told: it goes by the MSS that the client announced, which is what a
 * SYN cookie encodes as well. What we announce only binds the client.
 */
static __always_inline void lower_mss(struct __sk_buff *skb, const struct segment *segment,
				      const struct server_state *state, uint32_t option)
{
	__be32 *word = word_at(skb, option);
	uint32_t value;

	if (!word)
		return;
	value = bpf_ntohl(*word);
	if ((value & MSS_VALUE_MASK) <= state->overhead)
		return;
	replace_word(skb, segment, option, bpf_htonl(value - state->overhead));
	count(SERVER_mss_lowered);
}

#endif
