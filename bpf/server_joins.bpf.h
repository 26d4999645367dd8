/* SPDX-License-Identifier: GPL-2.0-only */
/* Joins under SYN cookies: not too many at a time, and no client left with one that is dead. */
#ifndef SERVER_JOINS_BPF_H
#define SERVER_JOINS_BPF_H

#include "server_options.bpf.h"

/*
 * Between its SYN and its third ACK the kernel keeps a join in one of 1024 slots, chosen by a
 * secret hash. Of two that meet in a slot both fail, and the later ACK is dropped without a
 * word: its client repeats it for minutes, and each time empties the slot, whosever it is.
 */

#define JOIN_PERIOD_MS 512 /* a join is in flight for one period at least, for two at most */
#define JOINS_HELD_SHARE 4
#define JOINS_SEEN_MAX 16384
#define TCP_SEQ_OFFSET 4
#define TCP_ACK_SEQ_OFFSET 8

/* The upper bits of a cookie count minutes: this is 64 of its 128 s lifetimes off. */
#define COOKIE_SPOILER bpf_htonl(0x80000000)

struct joins_in_flight {
	struct bpf_spin_lock lock;
	uint32_t period;      /* the present one: CLOCK_MONOTONIC in units of JOIN_PERIOD_MS */
	uint32_t before, now; /* begun in the last one and in this, less those that ended */
	uint32_t held_before, held_now;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, uint32_t);
	__type(value, struct joins_in_flight);
} joins SEC(".maps");

/* Third ACKs of joins that were let through to a listener, by what they acknowledged. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, JOINS_SEEN_MAX);
	__type(key, struct connection);
	__type(value, __be32);
} joins_seen SEC(".maps");

static __always_inline uint32_t join_period(void)
{
	return bpf_ktime_get_ns() / 1000000 / JOIN_PERIOD_MS;
}

static __always_inline struct joins_in_flight *joins_now(void)
{
	uint32_t zero = 0;

	return bpf_map_lookup_elem(&joins, &zero);
}

/* With the lock held. */
static __always_inline void turn_period(struct joins_in_flight *flight, uint32_t present)
{
	bool follows = flight->period + 1 == present;

	if (flight->period == present)
		return;
	flight->before = follows ? flight->now : 0;
	flight->held_before = follows ? flight->held_now : 0;
	flight->now = 0;
	flight->held_now = 0;
	flight->period = present;
}

static __always_inline void account_joins(uint32_t begun, uint32_t ended)
{
	struct joins_in_flight *flight = joins_now();
	uint32_t present = join_period();

	if (!flight)
		return;
	bpf_spin_lock(&flight->lock);
	turn_period(flight, present);
	flight->now += begun;
	if (flight->before)
		flight->before -= ended;
	else if (flight->now)
		flight->now -= ended;
	bpf_spin_unlock(&flight->lock);
}

/*
 * A SYN that is held back comes again, in a second. Where so many come that they would only
 * pile up, letting them collide loses fewer: one more may be in flight for each
 * JOINS_HELD_SHARE that were held back lately.
 */
static __always_inline bool hold_join_back(const struct server_state *state)
{
	struct joins_in_flight *flight = joins_now();
	uint32_t present = join_period(), most = state->joins_max;
	bool holds;

	if (!most || !flight)
		return false;
	bpf_spin_lock(&flight->lock);
	turn_period(flight, present);
	most += (flight->held_before + flight->held_now) / JOINS_HELD_SHARE;
	holds = flight->before + flight->now >= most;
	flight->held_now += holds;
	bpf_spin_unlock(&flight->lock);
	if (holds)
		count(SERVER_join_held_back);
	return holds;
}

/* Only what has a slot counts: a SYN/ACK says that the token was right. */
static __always_inline void begin_join(const struct __sk_buff *skb,
				       const struct server_state *state)
{
	if (state->joins_max && !skb->sk)
		account_joins(1, 0);
}

static __always_inline bool is_ipv4(const struct address *address)
{
	return !address->halves[0] && address->words[2] == bpf_htonl(0xffff);
}

static __always_inline bool has_only_a_listener(struct __sk_buff *skb,
						const struct connection *connection)
{
	struct bpf_sock_tuple tuple = {};
	uint32_t size = sizeof(tuple.ipv6);
	struct bpf_sock *sk;
	bool listens;

	if (is_ipv4(&connection->local)) {
		size = sizeof(tuple.ipv4);
		tuple.ipv4.saddr = connection->remote.words[3];
		tuple.ipv4.daddr = connection->local.words[3];
		tuple.ipv4.sport = connection->remote_port;
		tuple.ipv4.dport = connection->local_port;
	} else {
		__builtin_memcpy(tuple.ipv6.saddr, &connection->remote, 16);
		__builtin_memcpy(tuple.ipv6.daddr, &connection->local, 16);
		tuple.ipv6.sport = connection->remote_port;
		tuple.ipv6.dport = connection->local_port;
	}
	sk = bpf_skc_lookup_tcp(skb, &tuple, size, BPF_F_CURRENT_NETNS, 0);
	if (!sk)
		return false;
	listens = sk->state == BPF_TCP_LISTEN;
	bpf_sk_release(sk);
	return listens;
}

/*
 * The first one may make the connection. If there is none when it comes again, there never
 * will be one. The kernel then finds a wrong cookie and answers with RST, which the client
 * takes for right, since it bears the number that the client acknowledges.
 */
static __always_inline void receive_join_ack(struct __sk_buff *skb, const struct segment *segment,
					     const struct server_state *state)
{
	__be32 *word = word_at(skb, segment->tcp + TCP_ACK_SEQ_OFFSET), ack_seq, *seen;

	if (!state->joins_max || !word || !has_only_a_listener(skb, &segment->connection))
		return;
	ack_seq = *word;
	seen = bpf_map_lookup_elem(&joins_seen, &segment->connection);
	if (!seen || *seen != ack_seq) {
		bpf_map_update_elem(&joins_seen, &segment->connection, &ack_seq, BPF_ANY);
		account_joins(0, 1);
		return;
	}
	word = word_at(skb, segment->tcp + TCP_SEQ_OFFSET);
	if (word)
		replace_word(skb, segment, segment->tcp + TCP_SEQ_OFFSET, *word ^ COOKIE_SPOILER);
	count(SERVER_join_reset);
}

#endif
