// SPDX-License-Identifier: GPL-2.0-only
/* The server side: two tc programs around the TCP of an unmodified server. */
#include <linux/errno.h>

#include "server_maps.bpf.h"
#include "server_segment.bpf.h"
#include "server_options.bpf.h"
#include "server_treatment.bpf.h"
#include "server_key.bpf.h"

char LICENSE[] SEC("license") = "GPL";

#define TSVAL_OFFSET 2 /* in the timestamps option */
#define TSECR_OFFSET 6
#define TC_ACT_UNSPEC (-1) /* whoever comes after us decides */

static __always_inline struct server_state *state_now(void)
{
	uint32_t zero = 0;
	struct server_state *now = bpf_map_lookup_elem(&state, &zero);

	return now && now->abi == SERVER_ABI ? now : NULL;
}

static __always_inline void stamp(struct __sk_buff *skb, const struct segment *segment,
				  const struct server_state *state, uint32_t option)
{
	__be32 *tsval = word_at(skb, option + TSVAL_OFFSET);

	if (!tsval)
		return;
	replace_word(skb, segment, option + TSVAL_OFFSET,
		     bpf_htonl(bpf_ntohl(*tsval) + state->constant));
	count(SERVER_stamped);
}

static __always_inline void restore(struct __sk_buff *skb, const struct segment *segment,
				    const struct server_state *state, uint32_t option)
{
	__be32 *word = word_at(skb, option + TSECR_OFFSET);
	uint32_t tsecr;

	if (!word || !*word)
		return;
	tsecr = bpf_ntohl(*word);
	if (treat_ingress(segment, state, tsecr) != TREAT_STAMPED)
		return;
	replace_word(skb, segment, option + TSECR_OFFSET, bpf_htonl(tsecr - state->constant));
	count(SERVER_restored);
}

SEC("tc")
int egress(struct __sk_buff *skb)
{
	struct server_state *state = state_now();
	struct tcpopt_walk walk = {};
	struct segment segment = {};
	enum treatment treatment;

	if (!state || !parse(skb, &segment, EGRESS) || !is_service(&segment))
		return TC_ACT_UNSPEC;
	treatment = treat_egress(&segment, state);
	find_options(skb, &segment, &walk);
	if (walk.malformed) {
		count(SERVER_malformed);
		return TC_ACT_UNSPEC;
	}
	if (state->replacing && is_capable_syn_ack(&segment, &walk))
		replace_key(skb, &segment, state, walk.capable);
	if (treatment != TREAT_STAMPED)
		count(SERVER_plain);
	else if (walk.timestamp)
		stamp(skb, &segment, state, walk.timestamp);
	return TC_ACT_UNSPEC;
}

SEC("tc")
int ingress(struct __sk_buff *skb)
{
	struct server_state *state = state_now();
	struct tcpopt_walk walk = {};
	struct segment segment = {};

	if (!state || !parse(skb, &segment, INGRESS) || !(segment.flags & TCP_ACK) ||
	    !is_service(&segment))
		return TC_ACT_UNSPEC;
	find_options(skb, &segment, &walk);
	if (walk.malformed)
		count(SERVER_malformed);
	else if (walk.timestamp)
		restore(skb, &segment, state, walk.timestamp);
	return TC_ACT_UNSPEC;
}
