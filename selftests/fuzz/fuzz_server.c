// SPDX-License-Identifier: GPL-2.0-only
/* Fuzzer: the server side over any frame, sent or received, on Ethernet or without. */
#include "skb_host.h"

#include "../../bpf/server.bpf.c"

#define CONSTANT 0x1a3659b8u
#define OVERHEAD 32

static struct server_state *now;
static struct host_map *connections_map, *counters_map, *keys_map;

static void add_service(const uint8_t address[16])
{
	struct server_service service = { .port = bpf_htons(443) };
	uint32_t one = 1;

	memcpy(&service.address, address, sizeof(service.address));
	bpf_map_update_elem(&services, &service, &one, BPF_ANY);
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static const uint8_t v4[16] = { [10] = 0xff, [11] = 0xff, 192, 0, 2, 1 };
	static const uint8_t v6[16] = { 0x20, 0x01, 0x0d, 0xb8, 0, 1, [15] = 1 };

	(void)argc;
	(void)argv;
	HOST_MAP(services);
	HOST_MAP(handed_out);
	add_service(v4);
	add_service(v6);
	counters_map = HOST_MAP(counters);
	connections_map = HOST_MAP(connections);
	keys_map = host_map_add(&keys, BPF_MAP_TYPE_QUEUE, 0, sizeof(struct server_key), 1);
	*(struct server_key *)keys_map->values = (struct server_key){ 0x0807060504030201, 9 };
	now = (struct server_state *)HOST_MAP(state)->values;
	return 0;
}

/* What the first byte of an input says of the host and the frame. */
enum {
	IS_EGRESS = 1,
	IS_PLAIN = 2, /* new connections are not stamped */
	IS_RECORDING = 4,
	HAS_SOCKET = 8,
	IS_L3 = 16,
	HAS_KEY = 32,
	IS_V6_SERVER = 64, /* tunnels come to an IPv6 address */
};

static void set_state(uint8_t how)
{
	static const uint8_t own_v4[16] = { [10] = 0xff, [11] = 0xff, 10, 0, 0, 11 };
	static const uint8_t own_v6[16] = { 0xfd, 0, 0, 9, [15] = 0x11 };

	*now = (struct server_state){
		.abi = SERVER_ABI,
		.constant = CONSTANT,
		.stamping = !(how & IS_PLAIN),
		.recording = !!(how & IS_RECORDING),
		.replacing = 1,
		.overhead = OVERHEAD,
	};
	memcpy(&now->address, how & IS_V6_SERVER ? own_v6 : own_v4, sizeof(now->address));
	connections_map->used = 0;
	keys_map->used = !!(how & HAS_KEY);
	memset(counters_map->values, 0, SERVER_COUNTER_COUNT * sizeof(uint64_t));
	counters_map->touched_count = 0;
}

static int run(uint8_t how, const uint8_t *frame, size_t length, size_t fragments)
{
	static struct bpf_sock socket;
	struct __sk_buff skb = { 0 };
	int verdict;

	host_skb_link = how & IS_L3 ? 0 : ETH_HLEN;
	host_frame_set(frame, length, fragments);
	host_skb_point(&skb);
	if (how & IS_L3)
		skb.protocol = bpf_htons(frame[0] >> 4 == 6 ? ETH_P_IPV6 : ETH_P_IP);
	else
		skb.protocol = frame[13] << 8 | frame[12];
	if (how & HAS_SOCKET)
		skb.sk = &socket;
	if (how & IS_EGRESS)
		verdict = how & IS_L3 ? egress_l3(&skb) : egress(&skb);
	else
		verdict = how & IS_L3 ? ingress_l3(&skb) : ingress(&skb);
	host_frame_unfence();
	return verdict;
}

static uint64_t counted(enum server_counter counter)
{
	return ((uint64_t *)counters_map->values)[counter];
}

/* The remainder of all 16-bit words: what a checksum that was right must leave as it was. */
static uint32_t sum_of(const uint8_t *bytes, size_t length)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < length; i++)
		sum += i % 2 ? bytes[i] : bytes[i] << 8;
	return sum % 0xffff;
}

static size_t count_changes(const uint8_t *before, const uint8_t *after, size_t length)
{
	size_t changes = 0;

	for (size_t i = 0; i < length; i++)
		changes += before[i] != after[i];
	return changes;
}

/* At most the key, TSval, the MSS and the checksum are written, and they leave the sum alone. */
static void check_rewritten(const uint8_t *before, size_t length)
{
	const uint8_t *after = host_frame.memory + host_frame.start;
	bool is_said = counted(SERVER_stamped) || counted(SERVER_restored) ||
		       counted(SERVER_key_replaced) || counted(SERVER_mss_lowered);
	size_t changes = count_changes(before, after, length);

	claim(host_frame.whole - host_frame.start == length, "the length has changed");
	claim(changes <= 8 + 4 + 4 + 2, "more bytes have changed than may be written");
	claim(!changes || is_said, "bytes have changed, and nothing is counted");
	claim(sum_of(before, length) == sum_of(after, length), "the checksum is not kept right");
}

static size_t ip_length(const uint8_t *ip)
{
	return ip[0] >> 4 == 6 ? 40 + (ip[4] << 8 | ip[5]) : ip[2] << 8 | ip[3];
}

/* What is left is what was inside, but for the stamp and its checksum. */
static void check_decapsulated(const uint8_t *before, size_t length)
{
	const uint8_t *after = host_frame.memory + host_frame.start;
	size_t left = host_frame.whole - host_frame.start;
	size_t inner = left - host_skb_link;

	claim(left + 20 <= length, "no outer header is gone");
	claim(ip_length(after + host_skb_link) <= inner, "what is left lacks a part");
	claim(count_changes(before + length - inner, after + host_skb_link, inner) <= 6,
	      "more bytes have changed than may be written");
}

/* One byte of circumstances, one of how much lies in fragments, and the frame. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	uint8_t how;
	size_t length, fragments;
	int verdict;

	if (size < 2 + ETH_HLEN + 1 || size > HOST_FRAME_MAX)
		return 0;
	how = bytes[0];
	length = size - 2;
	fragments = bytes[1] < length - ETH_HLEN ? bytes[1] : 0;
	set_state(how);
	verdict = run(how, bytes + 2, length, fragments);
	claim(verdict == TC_ACT_UNSPEC || verdict == TC_ACT_SHOT, "no such verdict");
	claim((verdict == TC_ACT_SHOT) ==
		      (counted(SERVER_tunnel_congested) || counted(SERVER_tunnel_refused)),
	      "a packet is dropped that was not counted so");
	if (counted(SERVER_decapsulated))
		check_decapsulated(bytes + 2, length);
	else if (verdict == TC_ACT_UNSPEC)
		check_rewritten(bytes + 2, length);
	return 0;
}
