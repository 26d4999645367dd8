// SPDX-License-Identifier: GPL-2.0-only
/* Packets made from others, cut at every byte. Needs root. */
#define _GNU_SOURCE
#include "outcome.h"
#include "dissect.h"

struct options options;

/* A packet, and what its clue leads to when all of it is there. */
struct shape {
	const char *sentence;
	struct segment segment;
	enum reason reason;
	int backend;
};

#define SYN .flags = TCP_SYN
#define ACK .flags = TCP_ACK

static const struct shape shapes[] = {
	{ "a SYN without options", { SYN }, BY(ring_new, ON_RING) },
	{ "Linux's SYN",
	  { SYN, OPTIONS(MSS, SACK_PERMITTED, TIMESTAMP(5, 0), NOP, WINDOW_SCALE) },
	  BY(ring_new, ON_RING) },
	{ "Linux's MP_CAPABLE",
	  { SYN, OPTIONS(MSS, SACK_PERMITTED, TIMESTAMP(5, 0), NOP, WINDOW_SCALE, MP_CAPABLE_SYN) },
	  BY(ring_new, ON_RING) },
	{ "Linux's join",
	  { SYN, OPTIONS(MSS, SACK_PERMITTED, TIMESTAMP(5, 0), NOP, WINDOW_SCALE,
			 MP_JOIN_SYN(TOKEN_OF_7)) },
	  BY(token, NAMED) },
	{ "a join behind NOPs, with data",
	  { SYN, .payload = 9, OPTIONS(NOP28, MP_JOIN_SYN(TOKEN_OF_7)) },
	  BY(token, NAMED) },
	{ "a segment with timestamps first",
	  { ACK, .payload = 20, OPTIONS(NOP, NOP, TIMESTAMP(5, STAMP(7))) },
	  BY(stamp, NAMED) },
	{ "a segment with timestamps last",
	  { ACK, .payload = 3, OPTIONS(NOP28, NOP, NOP, TIMESTAMP(5, STAMP(7))) },
	  BY(stamp, NAMED) },
	{ "a segment without options", { ACK, .payload = 20 }, BY(ring_no_stamp, ON_RING) },
	{ "a bare RST", { .flags = TCP_RST }, BY(ring_no_stamp, ON_RING) },
};

/* What stands around the segment. */
struct surroundings {
	const char *sentence;
	struct segment around;
};

static const struct surroundings surroundings[] = {
	{ "over IPv4", { 0 } },
	{ "over IPv4 behind a tag", { .vlans = 1 } },
	{ "over IPv4 behind two tags", { .vlans = 2 } },
	{ "over IPv4 with options", { .ipv4_options = 40 } },
	{ "in a first fragment over IPv4", { .fragment = 0x2000, .ipv4_options = 4 } },
	{ "over IPv6", { .v6 = true } },
	{ "over IPv6 behind two tags", { .v6 = true, .vlans = 2 } },
	{ "over IPv6 behind an extension header", { .v6 = true, .vlans = 1, .extensions = 1 } },
	{ "over IPv6 behind four extension headers",
	  { .v6 = true, .extensions = 4, .extension_units = 3 } },
	{ "in a first fragment over IPv6",
	  { .v6 = true, .extensions = 1, .fragment_header = true, .fragment = 1 } },
};

static struct segment place(const struct segment *segment, const struct segment *around)
{
	struct segment placed = *segment;

	placed.v6 = around->v6;
	placed.vlans = around->vlans;
	placed.ipv4_options = around->ipv4_options;
	placed.extensions = around->extensions;
	placed.extension_units = around->extension_units;
	placed.fragment_header = around->fragment_header;
	placed.fragment = around->fragment;
	return placed;
}

/* Where the last byte that must be there for the shape's reason ends: the token's, TSecr's. */
static size_t clue_end(const struct shape *shape, const uint8_t *frame,
		       const struct dissected *segment)
{
	const uint8_t clue = shape->reason == REASON_token ? TCPOPT_MPTCP : TCPOPT_TIMESTAMP;
	const uint8_t *at = segment->options;

	if (shape->reason != REASON_token && shape->reason != REASON_stamp)
		return segment->end - frame;
	while (*at != clue)
		at += *at == NOP ? 1 : at[1];
	if (shape->reason == REASON_token)
		return at + MPTCP_TOKEN_OFFSET + 4 - frame;
	return at + TCPOLEN_TIMESTAMP - frame;
}

/* The frame ends early: the ring serves what has a TCP header, the host gets the rest. */
static bool is_right_for_cut(const struct shape *shape, size_t cut, size_t header, size_t clue,
			     const struct outcome *outcome)
{
	if (cut < header)
		return !is_for_backend(outcome->reason);
	if (cut >= clue)
		return outcome->reason == shape->reason && outcome->backend == shape->backend;
	return outcome->backend == ON_RING && (outcome->reason == REASON_ring_malformed_options ||
					       outcome->reason == REASON_ring_new);
}

static void cut_frame(const struct shape *shape, const struct surroundings *around)
{
	struct segment segment = place(&shape->segment, &around->around);
	uint8_t frame[FRAME_MAX];
	size_t length = packet_build(frame, &segment), cut = ETH_HLEN;
	struct dissected whole = dissect(frame, length);
	size_t header = whole.options - frame, clue = clue_end(shape, frame, &whole);
	struct outcome outcome;
	bool good = whole.has_tcp;

	for (; good && cut <= length; cut++)
		good = decision_run(frame, cut, &outcome) && bytes_are_kept(frame, cut, &outcome) &&
		       is_right_for_cut(shape, cut, header, clue, &outcome);
	ok(good, "%s %s, whose frame ends at each byte, goes by what is there", shape->sentence,
	   around->sentence);
	if (!good)
		diag("cut to %zu of %zu bytes: reason %d, backend %d", cut - 1, length,
		     outcome.reason, outcome.backend);
}

static void set_ip_length(uint8_t *ip, bool v6, size_t length)
{
	uint16_t field = htons(v6 ? length - sizeof(struct ipv6hdr) : length);

	memcpy(ip + (v6 ? 4 : 2), &field, sizeof(field));
}

/* The IP packet ends early, and what follows it is padding, though it looks like options. */
static void cut_packet(const struct shape *shape, const struct surroundings *around)
{
	struct segment segment = place(&shape->segment, &around->around);
	uint8_t frame[FRAME_MAX];
	size_t length = packet_build(frame, &segment);
	struct dissected whole = dissect(frame, length);
	size_t ip = whole.ip - frame, end = whole.end - frame;
	size_t cut = ip + (segment.v6 ? sizeof(struct ipv6hdr) : 0);
	struct outcome outcome;
	bool good = whole.has_tcp;

	for (; good && cut <= length; cut++) {
		set_ip_length(frame + ip, segment.v6, cut - ip);
		good = decision_run(frame, length, &outcome) &&
		       bytes_are_kept(frame, length, &outcome);
		if (cut < end)
			good &= outcome.reason == REASON_malformed;
		else
			good &= outcome.reason == shape->reason &&
				outcome.backend == shape->backend;
	}
	ok(good, "%s %s, whose IP length ends at each byte, is not read beyond", shape->sentence,
	   around->sentence);
	if (!good)
		diag("cut to %zu of %zu bytes: reason %d, backend %d", cut - 1, length,
		     outcome.reason, outcome.backend);
}

static void check_cuts(void)
{
	for (size_t i = 0; i < sizeof(surroundings) / sizeof(surroundings[0]); i++)
		for (size_t j = 0; j < sizeof(shapes) / sizeof(shapes[0]); j++) {
			cut_frame(&shapes[j], &surroundings[i]);
			cut_packet(&shapes[j], &surroundings[i]);
		}
}

/* Errors about what a server sent; the quote is cut, and the frame ends with it. */
static void cut_quote(bool v6)
{
	const struct segment quoted = {
		.source = v6 ? SERVICE_V6 : SERVICE_V4,
		.destination = v6 ? CLIENT_V6 : CLIENT_V4,
		.sport = SERVICE_PORT,
		.dport = CLIENT_PORT,
		.flags = TCP_ACK,
		OPTIONS(NOP, NOP, TIMESTAMP(STAMP(7), 5)),
	};
	struct segment error = { .v6 = v6,
				 .protocol = v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP,
				 .icmp_type = v6 ? ICMPV6_DEST_UNREACH : ICMP_DEST_UNREACH,
				 .quote = &quoted };
	struct outcome outcome;
	uint8_t frame[FRAME_MAX];
	bool good = true;

	for (; good && error.quoted <= 32; error.quoted++) {
		good = decision_run(frame, packet_build(frame, &error), &outcome);
		if (error.quoted < 4) /* no ports */
			good &= outcome.reason == REASON_not_tcp;
		else if (error.quoted < TCP_HEADER_MIN + 2 + 6) /* NOP NOP, and up to TSval's end */
			good &= outcome.reason == REASON_icmp_ring && outcome.backend == ON_RING;
		else
			good &= outcome.reason == REASON_icmp_stamp && outcome.backend == NAMED;
	}
	ok(good, "IPv%d: an ICMP error goes by what it quotes, whatever the quote's length",
	   v6 ? 6 : 4);
	if (!good)
		diag("%d bytes quoted: reason %d, backend %d", error.quoted - 1, outcome.reason,
		     outcome.backend);
}

/* Port 0 in the map of services stands for an address, which is no service. */
static void check_port_0(bool v6)
{
	struct segment segment = { .v6 = v6, .flags = TCP_SYN };
	struct outcome outcome = { 0 };
	uint8_t frame[FRAME_MAX];
	size_t length = packet_build(frame, &segment);

	memset((uint8_t *)dissect(frame, length).tcp + 2, 0, 2);
	ok(decision_run(frame, length, &outcome) && outcome.reason == REASON_not_service &&
		   outcome.verdict == XDP_PASS,
	   "IPv%d: a packet to port 0 of a service's address is the host's", v6 ? 6 : 4);
}

int main(void)
{
	decision_begin_with_two();
	check_cuts();
	for (int v6 = 0; v6 < 2; v6++) {
		cut_quote(v6);
		check_port_0(v6);
	}
	decision_end();
	return tap_end();
}
