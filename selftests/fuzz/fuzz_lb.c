// SPDX-License-Identifier: GPL-2.0-only
/* Fuzzer: the whole balancer over any frame, and whether what it did is what the frame asks for. */
#include "xdp_host.h"

#include "../../bpf/lb.bpf.c"
#include "lb_cluster.h"
#include "lb_flows.h"

/* What became of a frame. */
struct outcome {
	uint32_t reason, action;
	int32_t backend; /* -1: none was counted */
	uint32_t start, length;
};

#define NO_TURN_NS UINT32_MAX /* later than the host's clock by more than may be */

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	add_cluster();
	return 0;
}

static bool is_for_backend(uint32_t reason)
{
#define DISPOSITION(name, disposition, words) disposition,
	static const enum disposition dispositions[] = { REASONS(DISPOSITION) };
#undef DISPOSITION

	return dispositions[reason] == TO_BACKEND;
}

/* Where the only counter of an array is that is not 0; it was 1, and is again 0. */
static uint32_t take_only(uint64_t *values, uint32_t length)
{
	uint32_t found = length;

	for (uint32_t i = 0; i < length; i++) {
		if (!values[i])
			continue;
		claim(found == length && values[i] == 1, "stamped packets are counted wrongly");
		values[i] = 0;
		found = i;
	}
	claim(found < length, "a stamped packet is not counted");
	return found;
}

static void read_stamped(struct outcome *outcome)
{
	uint32_t part = stamped_map->touched[0];
	struct stamped *packets = (struct stamped *)stamped_map->values + part;

	claim(stamped_map->touched_count == 1, "a stamped packet is counted twice");
	claim(take_only(packets->services, MAX_SERVICES), "it is counted for no service");
	outcome->backend = part * STAMPED_BACKENDS + take_only(packets->backends, STAMPED_BACKENDS);
	outcome->reason = REASON_stamp;
	stamped_map->touched_count = 0;
}

/* Exactly one reason is counted, and a backend if and only if it gets the packet. */
static void read_counters(struct outcome *outcome)
{
	uint64_t *values = (uint64_t *)counters_map->values;
	uint32_t reasons = 0, backends = 0;

	if (stamped_map->touched_count) {
		read_stamped(outcome);
		reasons++;
		backends++;
	}
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

/* Whether an error may be sent about a frame of that length. */
static bool has_turn(size_t length)
{
	return length % 2 == 0;
}

static struct outcome run(const uint8_t *frame, size_t length, size_t fragments)
{
	struct outcome outcome = { .backend = -1 };
	struct xdp_md ctx = { .ingress_ifindex = 1 };

	cluster_state->error_turn_ns = has_turn(length) ? 0 : NO_TURN_NS;
	host_frame_set(frame, length, fragments);
	host_xdp_point(&ctx);
	outcome.action = fragments ? lb_frags(&ctx) : lb(&ctx);
	host_frame_unfence();
	outcome.start = host_frame.start;
	outcome.length = host_frame.whole - host_frame.start;
	read_counters(&outcome);
	return outcome;
}

/* What goes to the host is as it was; what is sent on has all of it at its end. */
static void check_bytes(const struct outcome *outcome, const uint8_t *frame, size_t length)
{
	uint32_t kept = length;

	if (outcome->backend >= 0)
		kept = length - 14 - (length > 18 ? 8 : 0); /* MACs, tags, Ethernet type */
	if (to_sender >> outcome->reason & 1 || outcome->action == XDP_DROP)
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
	bool is_join = is_new(segment) && options->joins && !options->capable;

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

static void check_join_port(const struct outcome *outcome, const struct dissected *segment)
{
	uint32_t index = segment->dport - JOIN_PORT;

	if (!segment->has_tcp)
		return;
	if (outcome->reason == REASON_join_port)
		claim(index == (uint32_t)outcome->backend && index != IS_NO_MEMBER,
		      "a join port leads to another backend, or to no member");
	if (outcome->reason == REASON_ring_join_port_unroutable)
		claim(index == IS_DOWN || index == IS_NO_MEMBER,
		      "a join port does not lead to its backend");
}

static void check_flow(const struct outcome *outcome, const struct dissected *segment,
		       const struct dissected_options *options)
{
	int32_t backend = segment->has_tcp ? backend_of_flow(segment, options) : -1;

	if (outcome->reason == REASON_flow)
		claim(backend == outcome->backend && backend >= 0,
		      "a packet goes by a flow that is not there, or another backend's");
	if (outcome->backend < 0 || !segment->has_tcp)
		return;
	if (backend >= 0 && backend != IS_DOWN && segment->is_whole)
		claim(outcome->reason == REASON_flow, "a flow is forgotten");
	check_remembered(segment, options, outcome->reason == REASON_token, outcome->backend);
}

/* An answer quotes the beginning of what did not fit, and its sums are right. */
static void check_too_big(const struct outcome *outcome, const uint8_t *frame, size_t whole,
			  const struct dissected *segment)
{
	size_t link = segment->ip - frame, header = segment->v6 ? 40 : 20;
	const uint8_t *answer = host_frame.memory + outcome->start + link;
	const uint8_t *message = answer + header;
	size_t length = outcome->length - link, left = length - header;
	uint32_t sum = segment->v6 ? dissect_sum(answer + 8, length - 8) + 58 + left
				   : dissect_sum(message, left);

	claim(segment->has_tcp, "an answer to what is no TCP");
	claim(has_turn(whole), "an answer out of turn");
	claim(length == (segment->v6 ? 1280 : 96), "an answer is too long or too short");
	claim(!memcmp(message + 8, segment->ip, left - 8), "the quote is none");
	claim(sum % 0xffff == 0, "a checksum of an answer is wrong");
	claim(segment->v6 || !dissect_sum(answer, header), "a checksum of IP is wrong");
	claim(!memcmp(answer + header - (segment->v6 ? 32 : 8), segment->destination,
		      segment->v6 ? 16 : 4),
	      "an answer is not from the service");
	claim(dissect_number(message + 4, 4) <
		      dissect_number(segment->ip + (segment->v6 ? 4 : 2), 2) +
			      (segment->v6 ? 40 : 0),
	      "an answer says that it would have fitted");
}

/* Bytes behind the IP packet are the link's, and change nothing. */
static void check_padding(const uint8_t *frame, size_t length, const struct dissected *segment,
			  const struct outcome *before)
{
	uint8_t padded[HOST_FRAME_MAX];
	struct outcome after;

	memcpy(padded, frame, length);
	memset(padded + length, 8, 12);
	remember(segment);
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
	segment = dissect(bytes, size - fragments);
	if (segment.has_tcp)
		options = dissect_options(segment.options, segment.end, segment.stop);
	remember(&segment);
	outcome = run(bytes, size, fragments);
	check_action(&outcome);
	check_bytes(&outcome, bytes, size);
	check_clue(&outcome, &segment, &options);
	check_join_port(&outcome, &segment);
	check_flow(&outcome, &segment, &options);
	if (outcome.reason == REASON_too_big)
		check_too_big(&outcome, bytes, size, &segment);
	if (segment.has_tcp && segment.is_whole && !fragments)
		check_padding(bytes, size, &segment, &outcome);
	return 0;
}
