// SPDX-License-Identifier: GPL-2.0-only
/*
 * The server side's programs and floors, each behind a wrapper that makes a new segment of
 * the old one and checks what became of it.
 */
#include "../../bpf/server.bpf.c"
#include "server_bench.h"

struct bench_input input;
struct bench_result result;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, BENCH_FLOWS_MAX);
	__type(key, uint32_t);
	__type(value, struct bench_flow);
} flows SEC(".maps");

static __always_inline const struct bench_flow *next_flow(void)
{
	uint32_t packet = input.packets++;
	uint32_t flow = packet & input.flow_mask & (BENCH_FLOWS_MAX - 1);

	if (packet == 0)
		result.start_ns = bpf_ktime_get_ns();
	if (packet == BENCH_PACKETS)
		result.end_ns = bpf_ktime_get_ns();
	return bpf_map_lookup_elem(&flows, &flow);
}

/* Writes the flow's client address, port and timestamp into the segment. */
static __always_inline bool prepare(struct __sk_buff *skb, const struct bench_flow *flow)
{
	uint8_t *data = segment_start(skb);
	uint32_t address = input.address & 0x3f, port = input.tcp & 0x3f, clue = input.clue & 0x7f;

	if (data + address + 4 > (uint8_t *)segment_end(skb) ||
	    data + port + 2 > (uint8_t *)segment_end(skb) ||
	    data + clue + 4 > (uint8_t *)segment_end(skb))
		return false;
	*(__be32 *)(data + address) = flow->source;
	*(__be16 *)(data + port) = flow->sport;
	*(__be32 *)(data + clue) = flow->clue;
	return true;
}

static __always_inline bool is_right(struct __sk_buff *skb, const struct bench_flow *flow)
{
	__be32 *word = segment_start(skb) + (input.clue & 0x7f);

	return (void *)(word + 1) <= segment_end(skb) &&
	       *word == bpf_htonl(bpf_ntohl(flow->clue) + input.adds);
}

#define MEASURED(name) \
	SEC("tc") int bench_##name(struct __sk_buff *skb) \
	{ \
		const struct bench_flow *flow = next_flow(); \
		int verdict; \
\
		if (!flow || !prepare(skb, flow)) \
			return TC_ACT_SHOT; \
		verdict = name(skb); \
		result.wrong += !is_right(skb, flow); \
		return verdict; \
	}

static __noinline int nothing(struct __sk_buff *skb)
{
	return segment_start(skb) == NULL ? TC_ACT_SHOT : TC_ACT_UNSPEC;
}

/* What is left when the place is known: the word, and the helper that mends the checksum. */
static __noinline int word_and_sum(struct __sk_buff *skb)
{
	struct segment segment = { .tcp = input.tcp & 0x3e };
	__be32 *word = word_at(skb, input.clue & 0x7f);

	if (word)
		replace_word(skb, &segment, input.clue & 0x7e,
			     bpf_htonl(bpf_ntohl(*word) + input.adds));
	return TC_ACT_UNSPEC;
}

static __noinline int sender(struct __sk_buff *skb)
{
	return send(skb, ETH_HLEN);
}

static __noinline int receiver(struct __sk_buff *skb)
{
	return receive(skb, ETH_HLEN);
}

MEASURED(nothing)
MEASURED(word_and_sum)
MEASURED(sender)
MEASURED(receiver)
