// SPDX-License-Identifier: GPL-2.0-only
/* The server side: two tc programs around the TCP of an unmodified server. */
#include <linux/errno.h>
#include <linux/pkt_cls.h>

#include "server_maps.bpf.h"
#include "server_segment.bpf.h"
#include "server_options.bpf.h"
#include "server_treatment.bpf.h"
#include "server_key.bpf.h"
#include "server_mss.bpf.h"
#include "server_joins.bpf.h"
#include "server_tunnel.bpf.h"
#include "server_icmp.bpf.h"

char LICENSE[] SEC("license") = "GPL";

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
				    struct server_state *state, uint32_t option)
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

static __always_inline void rewrite_syn_ack(struct __sk_buff *skb, const struct segment *segment,
					    struct server_state *state,
					    const struct tcpopt_walk *walk)
{
	if (state->replacing && is_capable(walk))
		replace_key(skb, segment, state, walk->capable);
	if (state->overhead && walk->mss)
		lower_mss(skb, segment, state, walk->mss);
	if (walk->join_length == TCPOLEN_MPTCP_MPJ_SYNACK)
		begin_join(skb, state);
}

/* link: the length of the link-layer header. */
static __always_inline int send(struct __sk_buff *skb, uint32_t link)
{
	struct server_state *state = state_now();
	struct tcpopt_walk walk = {};
	struct segment segment = {};
	enum treatment treatment;

	if (!state || !parse(skb, &segment, EGRESS, link, skb->protocol) || !is_service(&segment))
		return TC_ACT_UNSPEC;
	treatment = treat_egress(&segment, state);
	find_options(skb, &segment, &walk);
	if (walk.malformed) {
		count(SERVER_malformed);
		return TC_ACT_UNSPEC;
	}
	if (is_syn_ack(&segment))
		rewrite_syn_ack(skb, &segment, state, &walk);
	if (treatment != TREAT_STAMPED)
		count(SERVER_plain);
	else if (walk.timestamp)
		stamp(skb, &segment, state, walk.timestamp);
	return TC_ACT_UNSPEC;
}

static __always_inline void receive_ack(struct __sk_buff *skb, const struct segment *segment,
					struct server_state *state)
{
	struct tcpopt_walk walk = {};

	find_options(skb, segment, &walk);
	if (walk.malformed)
		count(SERVER_malformed);
	else if (walk.timestamp)
		restore(skb, segment, state, walk.timestamp);
	if (walk.join_length == TCPOLEN_MPTCP_MPJ_ACK)
		receive_join_ack(skb, segment, state);
}

/* False: the packet is to be dropped. */
static __always_inline bool receive_syn(struct __sk_buff *skb, const struct segment *segment,
					const struct server_state *state)
{
	struct tcpopt_walk walk = {};

	find_options(skb, segment, &walk);
	return !walk.join || !hold_join_back(state);
}

/* False: the packet is to be dropped. */
static __always_inline bool take_off(struct __sk_buff *skb, uint32_t link,
				     const struct tunnel *tunnel, struct segment *segment)
{
	enum server_counter outcome = decapsulate(skb, link, tunnel);

	count(outcome);
	segment->tcp -= tunnel->room;
	segment->end -= tunnel->room;
	return outcome == SERVER_decapsulated;
}

/* False: the packet is no segment in a tunnel of ours. */
static __always_inline bool parse_tunnelled(struct __sk_buff *skb, struct segment *segment,
					    uint32_t link, const struct server_state *state,
					    struct tunnel *tunnel)
{
	enum outer outer = find_tunnel(skb, link, state, tunnel);

	if (outer == TUNNEL_MALFORMED)
		count(SERVER_tunnel_malformed);
	if (outer != TUNNEL)
		tunnel->room = 0;
	return outer == TUNNEL && parse(skb, segment, INGRESS, link + tunnel->room, tunnel->inner);
}

/* An ICMP error about a service comes by the tunnel, too; nothing else that is not TCP does. */
static __always_inline int receive_error(struct __sk_buff *skb, uint32_t link,
					 const struct tunnel *tunnel)
{
	struct segment unused = {};

	if (!tunnel->room || !is_error_about_service(skb, link + tunnel->room, tunnel->inner))
		return TC_ACT_UNSPEC;
	return take_off(skb, link, tunnel, &unused) ? TC_ACT_UNSPEC : TC_ACT_SHOT;
}

static __always_inline int receive(struct __sk_buff *skb, uint32_t link)
{
	struct server_state *state = state_now();
	struct segment segment = {};
	struct tunnel tunnel = {};

	if (!state)
		return TC_ACT_UNSPEC;
	if (!parse(skb, &segment, INGRESS, link, skb->protocol) &&
	    !parse_tunnelled(skb, &segment, link, state, &tunnel))
		return receive_error(skb, link, &tunnel);
	if (!is_service(&segment))
		return TC_ACT_UNSPEC;
	if (tunnel.room && !take_off(skb, link, &tunnel, &segment))
		return TC_ACT_SHOT;
	if (segment.flags & TCP_ACK)
		receive_ack(skb, &segment, state);
	else if (segment.flags & TCP_SYN && !receive_syn(skb, &segment, state))
		return TC_ACT_SHOT;
	return TC_ACT_UNSPEC;
}

SEC("tc")
int egress(struct __sk_buff *skb)
{
	return send(skb, ETH_HLEN);
}

SEC("tc")
int ingress(struct __sk_buff *skb)
{
	return receive(skb, ETH_HLEN);
}

/* For devices without a link layer, such as the kernel's tunnels: frames begin with IP. */
SEC("tc")
int egress_l3(struct __sk_buff *skb)
{
	return send(skb, 0);
}

SEC("tc")
int ingress_l3(struct __sk_buff *skb)
{
	return receive(skb, 0);
}
