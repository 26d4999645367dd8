// SPDX-License-Identifier: GPL-2.0-only
/* Fuzzer: the server side over any frame, sent or received, on Ethernet or without. */
#include "skb_host.h"

#include "../../bpf/server.bpf.c"
#include "../dissect.h"

#define CONSTANT 0x1a3659b8u
#define OVERHEAD 32

static struct server_state *now;
static struct host_map *connections_map, *counters_map, *keys_map, *networks_map, *seen_map;
static struct joins_in_flight *in_flight;

static void add_service(const uint8_t address[16])
{
	struct server_service service = { .port = bpf_htons(443) };
	struct server_service *lines =
		(struct server_service *)host_map_find(&service_lines)->values;
	uint32_t one = 1;

	memcpy(&service.address, address, sizeof(service.address));
	bpf_map_update_elem(&services, &service, &one, BPF_ANY);
	lines[server_service_line(&service.address, service.port)] = service;
}

/* Of networks that are known, one has its whole share of the reserve and one has had it. */
static void add_networks(void)
{
	static const uint8_t v4[16] = { [10] = 0xff, [11] = 0xff, 198, 51, 100 };
	static const uint8_t v6[16] = { 0x20, 0x01, 0x0d, 0xb8, 0, 0x0c };
	uint64_t whole = 0, used = UINT64_MAX / 2;

	networks_map->used = 0;
	bpf_map_update_elem(&networks, v4, &whole, BPF_ANY);
	bpf_map_update_elem(&networks, v6, &used, BPF_ANY);
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static const uint8_t v4[16] = { [10] = 0xff, [11] = 0xff, 192, 0, 2, 1 };
	static const uint8_t v6[16] = { 0x20, 0x01, 0x0d, 0xb8, 0, 1, [15] = 1 };

	(void)argc;
	(void)argv;
	HOST_MAP(services);
	HOST_MAP(service_lines);
	HOST_MAP(handed_out);
	add_service(v4);
	add_service(v6);
	counters_map = HOST_MAP(counters);
	connections_map = HOST_MAP(connections);
	networks_map = HOST_MAP(networks);
	seen_map = HOST_MAP(joins_seen);
	in_flight = (struct joins_in_flight *)HOST_MAP(joins)->values;
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
	/* Of what is received: */
	FINDS_LISTENER = HAS_KEY,
	FINDS_CONNECTION = HAS_SOCKET,
	IS_CROWDED = HAS_SOCKET, /* as many joins in flight as may be */
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
		.judging = !!(how & IS_RECORDING),
		.replacing = 1,
		.keys_queued = !!(how & HAS_KEY),
		.keys_reserve = !!(how & IS_V6_SERVER),
		.joins_max = SERVER_JOINS_MAX,
		.overhead = OVERHEAD,
	};
	memcpy(&now->address, how & IS_V6_SERVER ? own_v6 : own_v4, sizeof(now->address));
	*in_flight = (struct joins_in_flight){
		.period = join_period(),
		.now = how & IS_CROWDED ? SERVER_JOINS_MAX : 0,
	};
	connections_map->used = 0;
	seen_map->used = 0;
	add_networks();
	keys_map->used = !!(how & HAS_KEY);
}

static int run(uint8_t how, const uint8_t *frame, size_t length, size_t fragments)
{
	static struct bpf_sock socket, listener = { .state = BPF_TCP_LISTEN };
	struct __sk_buff skb = { 0 };
	int verdict;

	memset(counters_map->values, 0, SERVER_COUNTER_COUNT * sizeof(uint64_t));
	counters_map->touched_count = 0;
	host_socket = how & FINDS_LISTENER ? &listener : how & FINDS_CONNECTION ? &socket : NULL;
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
	claim(!host_locks_held && !host_sockets_held, "a lock or a socket is kept");
	return verdict;
}

static uint64_t counted(enum server_counter counter)
{
	return ((uint64_t *)counters_map->values)[counter];
}

static size_t count_changes(const uint8_t *before, const uint8_t *after, size_t length)
{
	size_t changes = 0;

	for (size_t i = 0; i < length; i++)
		changes += before[i] != after[i];
	return changes;
}

/* Of a SYN/ACK the key, TSval and the MSS, of any other segment less: the sum stays the same. */
static void check_rewritten(const uint8_t *before, size_t length)
{
	const uint8_t *after = host_frame.memory + host_frame.start;
	bool is_said = counted(SERVER_stamped) || counted(SERVER_restored) ||
		       counted(SERVER_key_replaced) || counted(SERVER_mss_lowered) ||
		       counted(SERVER_join_reset);
	size_t changes = count_changes(before, after, length);

	claim(host_frame.whole - host_frame.start == length, "the length has changed");
	claim(changes <= 8 + 4 + 4 + 2, "more bytes have changed than may be written");
	claim(!changes || is_said, "bytes have changed, and nothing is counted");
	claim(dissect_sum(before, length) == dissect_sum(after, length),
	      "the checksum is not kept right");
}

static size_t ip_length(const uint8_t *ip)
{
	return ip[0] >> 4 == 6 ? 40 + (ip[4] << 8 | ip[5]) : ip[2] << 8 | ip[3];
}

/* What is left is what was inside, but for stamp, checksum, and a bit of the sequence number. */
static void check_decapsulated(const uint8_t *before, size_t length)
{
	const uint8_t *after = host_frame.memory + host_frame.start;
	size_t left = host_frame.whole - host_frame.start;
	size_t inner = left - host_skb_link;

	claim(left + 20 <= length, "no outer header is gone");
	claim(ip_length(after + host_skb_link) <= inner, "what is left lacks a part");
	claim(count_changes(before + length - inner, after + host_skb_link, inner) <= 4 + 2 + 1,
	      "more bytes have changed than may be written");
}

static void run_and_check(uint8_t how, const uint8_t *frame, size_t length, size_t fragments)
{
	int verdict = run(how, frame, length, fragments);

	claim(verdict == TC_ACT_UNSPEC || verdict == TC_ACT_SHOT, "no such verdict");
	claim((verdict == TC_ACT_SHOT) ==
		      (counted(SERVER_tunnel_congested) || counted(SERVER_tunnel_refused) ||
		       counted(SERVER_join_held_back)),
	      "a packet is dropped that was not counted so");
	if (counted(SERVER_decapsulated) && verdict == TC_ACT_UNSPEC)
		check_decapsulated(frame, length);
	else if (verdict == TC_ACT_UNSPEC)
		check_rewritten(frame, length);
}

/* What the first run lets pass as a join's third ACK is the second time a dead one's. */
static void check_repeated(uint8_t how, const uint8_t *frame, size_t length, size_t fragments)
{
	claim(!(how & IS_EGRESS) && how & FINDS_LISTENER, "a third ACK where there can't be one");
	run_and_check(how, frame, length, fragments);
	claim(counted(SERVER_join_reset), "a third ACK comes again and is not reset");
}

/* One byte of circumstances, one of how much lies in fragments, and the frame. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	size_t length, fragments;
	uint8_t how;

	if (size < 2 + ETH_HLEN + 1 || size > HOST_FRAME_MAX)
		return 0;
	how = bytes[0];
	length = size - 2;
	fragments = bytes[1] < length - ETH_HLEN ? bytes[1] : 0;
	set_state(how);
	run_and_check(how, bytes + 2, length, fragments);
	claim(!counted(SERVER_join_reset), "a third ACK is reset that comes for the first time");
	if (seen_map->used)
		check_repeated(how, bytes + 2, length, fragments);
	return 0;
}
