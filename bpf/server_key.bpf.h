/* SPDX-License-Identifier: GPL-2.0-only */
/* Keys: the one in an MP_CAPABLE SYN/ACK gives way to one from the queue. */
#ifndef SERVER_KEY_BPF_H
#define SERVER_KEY_BPF_H

#include "server_options.bpf.h"

/* Queued keys are good for one use, so one that cannot be noted as handed out is lost. */
static __always_inline enum server_counter pop_key(struct server_state *state,
						   struct server_key *key)
{
	uint64_t now = bpf_ktime_get_ns();

	if (bpf_map_pop_elem(&keys, key))
		return SERVER_queue_empty;
	__sync_fetch_and_add(&state->keys_queued, -1);
	if (bpf_map_update_elem(&handed_out, &key->token, &now, BPF_ANY))
		return SERVER_handed_out_full;
	return SERVER_key_replaced;
}

/*
 * The reserve is for networks that connections were made from, which nobody can forge, each
 * to its share. Two CPUs may grant one share at once: it is no exact measure.
 */
static __always_inline enum server_counter take_share(const struct segment *segment)
{
	struct address network = segment->connection.remote;
	uint64_t now = bpf_ktime_get_ns(), *whole_at, from;

	server_network(&network);
	whole_at = bpf_map_lookup_elem(&networks, &network);
	if (!whole_at)
		return SERVER_reserved;
	from = *whole_at > now ? *whole_at : now;
	if (from - now > (SHARE_KEYS - 1) * SHARE_INTERVAL_NS)
		return SERVER_share_used;
	*whole_at = from + SHARE_INTERVAL_NS;
	return SERVER_key_replaced;
}

static __always_inline enum server_counter
take_key(struct server_state *state, const struct segment *segment, struct server_key *key)
{
	enum server_counter share = SERVER_key_replaced;

	if (state->keys_queued <= (int32_t)state->keys_reserve && state->keys_reserve)
		share = take_share(segment);
	return share == SERVER_key_replaced ? pop_key(state, key) : share;
}

/*
 * Only a SYN cookie's SYN/ACK has no socket. The others are sent by a request that has
 * kept its own key and would not know the one that the client echoes.
 */
static __always_inline void replace_key(struct __sk_buff *skb, const struct segment *segment,
					struct server_state *state, uint32_t option)
{
	enum server_counter outcome = SERVER_not_a_cookie;
	struct server_key key;

	if (!skb->sk)
		outcome = take_key(state, segment, &key);
	if (outcome == SERVER_key_replaced) {
		uint32_t offset = option + MPTCP_KEY_OFFSET;

		replace_word(skb, segment, offset, (uint32_t)key.key);
		replace_word(skb, segment, offset + 4, key.key >> 32);
	}
	count(outcome);
}

static __always_inline bool is_capable(const struct tcpopt_walk *walk)
{
	return walk->capable && walk->capable_length == TCPOLEN_MPTCP_MPC_SYNACK;
}

#endif
