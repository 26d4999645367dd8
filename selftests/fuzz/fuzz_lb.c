// SPDX-License-Identifier: GPL-2.0-only
/* Fuzzer: the whole balancer over any frame, and whether what it did is what the frame asks for. */
#include "xdp_host.h"

#include "../../bpf/lb.bpf.c"
#include "../dissect.h"

#define WALL_MS 0xc4653601u
#define INDEX_BITS 8
#define BACKENDS (1 << INDEX_BITS)
#define IS_DOWN 30
#define SEED 0x9e3779b1
#define PORT_STAMPS_OFF 8001

static const uint8_t service_v4[16] = { [10] = 0xff, [11] = 0xff, 192, 0, 2, 1 };
static const uint8_t service_v6[16] = { 0x20, 0x01, 0x0d, 0xb8, 0, 1, [15] = 1 };
static const struct token_secret secret_1 = { 0x0706050403020100, 0x0f0e0d0c0b0a0908 };

static struct ring ring;
static struct one_ring ring_map;
static struct host_map *counters_map, *services_map;

/* What became of a frame. */
struct outcome {
	uint32_t reason, action;
	int32_t backend; /* -1: none was counted */
	uint32_t start, length;
};

static void add_line(const uint8_t address[16], uint16_t port, uint16_t id)
{
	struct service service = { .id = id, .stamps = port != PORT_STAMPS_OFF };
	struct service *lines = (struct service *)services_map->values;
	uint32_t line;

	memcpy(&service.address, address, sizeof(service.address));
	service.port = bpf_htons(port);
	service.flow_key = flow_key_of(0, service.address.halves, service.port);
	line = service_line(&service.address, service.port, SEED);
	while (lines[line % SERVICE_LINES].id)
		line++;
	lines[line % SERVICE_LINES] = service;
}

static void add_services(void)
{
	services_map = HOST_MAP(services);
	for (int v6 = 0; v6 < 2; v6++) {
		const uint8_t *address = v6 ? service_v6 : service_v4;

		add_line(address, 443, 1 + v6);
		add_line(address, PORT_STAMPS_OFF, 3 + v6);
		add_line(address, 0, ADDRESS_LINE);
	}
}

/* All indices are backends, by each of the ways to forward; one is down. */
static void add_backends(void)
{
	struct backend *added = (struct backend *)HOST_MAP(backends)->values;

	for (uint32_t index = 0; index < BACKENDS; index++) {
		added[index] = (struct backend){
			.eth_dst = { 2, 0, 0, 1, 0, index },
			.eth_src = { 2, 0, 0, 0, 0, 0xbb },
			.ifindex = 1 + index / 128,
			.assigned = 1,
			.forward = index % 3,
			.address_is_v6 = index & 1,
		};
		if (index != IS_DOWN)
			memset(added[index].services, 0xff, sizeof(added[index].services));
	}
	for (uint32_t slot = 0; slot < RING_SLOTS; slot++)
		ring.slot[slot] = 1 + slot % IS_DOWN;
}

static void add_rings(void)
{
	struct host_map *inner =
		host_map_add(&ring_map, BPF_MAP_TYPE_ARRAY, sizeof(uint32_t), sizeof(ring), 1);
	void **outer = (void **)host_map_add(&rings, BPF_MAP_TYPE_ARRAY_OF_MAPS, sizeof(uint32_t),
					     sizeof(void *), MAX_RINGS)
			       ->values;

	outer[0] = &ring_map;
	memcpy(inner->values, &ring, sizeof(ring));
}

static void add_state(void)
{
	struct state *now = (struct state *)HOST_MAP(state)->values;
	struct secret *secret = &((struct secret *)HOST_MAP(secrets)->values)[1];

	secret->present = 1;
	token_tabulate(&secret_1, 1, &secret->rounds);
	now->abi = LB_ABI;
	now->clock.due_jiffies = CLOCK_FROZEN;
	now->clock.wall_ms = WALL_MS;
	now->cluster[0] = (struct cluster){
		.index_bits = INDEX_BITS,
		.epoch = 1,
		.service_seed = SEED,
		.tunnel_length = 24,
		.tunnel_length_v6 = 96,
	};
	for (uint32_t slot = 0; slot < BACKENDS; slot++)
		now->cluster[0].owner[slot] = slot;
	counters_map = HOST_MAP(counters);
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	add_services();
	add_backends();
	add_rings();
	add_state();
	return 0;
}

static bool is_for_backend(uint32_t reason)
{
#define DISPOSITION(name, disposition, words) disposition,
	static const enum disposition dispositions[] = { REASONS(DISPOSITION) };
#undef DISPOSITION

	return dispositions[reason] == TO_BACKEND;
}

/* Exactly one reason is counted, and a backend if and only if it gets the packet. */
static void read_counters(struct outcome *outcome)
{
	uint64_t *values = (uint64_t *)counters_map->values;
	uint32_t reasons = 0, backends = 0;

	for (uint32_t i = 0; i < counters_map->touched_count; i++) {
		uint32_t counter = counters_map->touched[i];

		claim(values[counter] == 1, "a counter moves by more than one");
		values[counter] = 0;
		if (counter >= COUNTER_BACKENDS) {
			outcome->backend = counter - COUNTER_BACKENDS;
			backends++;
		} else {
			outcome->reason = counter % COUNTER_REASONS;
			reasons++;
		}
	}
	counters_map->touched_count = 0;
	claim(reasons == 1 && outcome->reason < REASON_COUNT, "not one reason is counted");
	claim(outcome->reason != REASON_go_on, "the reason is that it is undecided");
	claim(backends == is_for_backend(outcome->reason), "a backend is counted wrongly");
}

static struct outcome run(const uint8_t *frame, size_t length, size_t fragments)
{
	struct outcome outcome = { .backend = -1 };
	struct xdp_md ctx = { .ingress_ifindex = 1 };

	host_frame_set(frame, length, fragments);
	host_xdp_point(&ctx);
	outcome.action = fragments ? lb_frags(&ctx) : lb(&ctx);
	host_frame_unfence();
	outcome.start = host_frame.start;
	outcome.length = host_frame.whole - host_frame.start;
	read_counters(&outcome);
	return outcome;
}

/* What goes to the host or to nobody is as it was; what is sent on has all of it at its end. */
static void check_bytes(const struct outcome *outcome, const uint8_t *frame, size_t length)
{
	uint32_t kept = length;

	if (outcome->backend >= 0)
		kept = length - 14 - (length > 18 ? 8 : 0); /* MACs, tags, Ethernet type */
	if (to_sender >> outcome->reason & 1)
		return;
	claim(outcome->backend >= 0 || outcome->length == length, "a frame that stays has grown");
	claim(outcome->length >= length, "a frame has lost something");
	if (kept <= length)
		claim(!memcmp(host_frame.memory + outcome->start + outcome->length - kept,
			      frame + length - kept, kept),
		      "bytes have changed that are not the balancer's");
}

static void check_action(const struct outcome *outcome)
{
	uint32_t why = outcome->reason, action = outcome->action;

	claim(outcome->backend != IS_DOWN, "a backend that is down gets a packet");
	if (is_for_backend(why))
		claim(action == XDP_TX || action == XDP_REDIRECT, "a backend's packet is not sent");
	else if (to_sender >> why & 1)
		claim(action == XDP_TX, "an answer is not sent");
	else
		claim(action == (to_nobody >> why & 1 ? XDP_DROP : XDP_PASS),
		      "the action is not the reason's");
}

static uint32_t index_of_stamp(uint32_t tsecr)
{
	uint32_t slot_ms = 1u << (32 - INDEX_BITS);

	return (uint32_t)(tsecr - WALL_MS + slot_ms - 1 - slot_ms / 16) / slot_ms;
}

/* A packet goes by its clue only if the clue is there, whole, and names that backend. */
static void check_clue(const struct outcome *outcome, const struct dissected *segment,
		       const struct dissected_options *options)
{
	bool is_join = (segment->flags & (DISSECT_SYN | DISSECT_ACK)) == DISSECT_SYN &&
		       options->joins && !options->capable;

	if (outcome->reason == REASON_token)
		claim(segment->has_tcp && is_join && !options->malformed &&
			      options->token >> 30 == 1 &&
			      token_open(&secret_1, options->token) >> (30 - INDEX_BITS) ==
				      (uint32_t)outcome->backend,
		      "a packet goes by a token that is not there, or another backend's");
	if (outcome->reason == REASON_stamp)
		claim(segment->has_tcp && segment->flags & DISSECT_ACK && options->stamped &&
			      options->tsecr &&
			      index_of_stamp(options->tsecr) == (uint32_t)outcome->backend,
		      "a packet goes by a stamp that is not there, or another backend's");
	if (outcome->reason == REASON_ring_new && segment->is_whole)
		claim(!is_join && !options->malformed, "a join is taken for a new connection");
}

/* Bytes behind the IP packet are the link's, and change nothing. */
static void check_padding(const uint8_t *frame, size_t length, const struct outcome *before)
{
	uint8_t padded[HOST_FRAME_MAX];
	struct outcome after;

	memcpy(padded, frame, length);
	memset(padded + length, 8, 12);
	after = run(padded, length + 12, 0);
	claim(after.reason == before->reason && after.backend == before->backend,
	      "what follows the IP packet changes the decision");
}

/* One byte of how much of the frame is in fragments, and the frame. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct dissected_options options = { 0 };
	struct dissected segment;
	struct outcome outcome;
	size_t fragments;

	if (size < 1 || size > HOST_FRAME_MAX - 64)
		return 0;
	fragments = bytes[0] < size ? bytes[0] : 0;
	bytes++;
	size--;
	outcome = run(bytes, size, fragments);
	check_action(&outcome);
	check_bytes(&outcome, bytes, size);
	segment = dissect(bytes, size - fragments);
	if (segment.has_tcp)
		options = dissect_options(segment.options, segment.end, segment.stop);
	check_clue(&outcome, &segment, &options);
	if (segment.has_tcp && segment.is_whole && !fragments)
		check_padding(bytes, size, &outcome);
	return 0;
}
