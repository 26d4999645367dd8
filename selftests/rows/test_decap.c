// SPDX-License-Identifier: GPL-2.0-only
/* Every byte that outer headers leave behind when the server side takes them off. Needs root. */
#include <linux/pkt_cls.h>

#include "server_fixture.h"

struct options options;

#define CONSTANT 0x08020340u
#define PLAIN_TS 0x12345678u
#define STAMPED_TS 0x1a3659b8u /* the sum, worked out by hand */

#define OWN_V4 "10.0.0.11"
#define OWN_V6 "2001:db8:b::11"
#define BALANCER_V4 "100.64.0.9"
#define BALANCER_V6 "2001:db8:64::9"

enum { PORT_OTHER = 8443, UDP_BYTES = 8 };
enum { NOT_ECT, ECT_1, ECT_0, CE, AS_INNER };

/* A byte of a tunnelled packet that is not what a balancer writes. */
struct flaw {
	enum { NO_FLAW, OUTER_V4, OUTER_V6, UDP, GUE, INNER_V4, INNER_V6 } where;
	uint8_t offset;
	uint8_t flip;
	bool wrong_sum; /* of the outer IPv4 header */
};

struct row {
	const char *sentence;
	struct segment inner; /* what the balancer wraps */
	struct segment bare;  /* what comes out; no flags: the packet is left alone */
	bool elsewhere;       /* the tunnel ends at another host */
	uint8_t outer_ecn;
	struct flaw flaw; /* a row runs only where there is such a header */
	uint32_t counters;
	int verdict;
};

#define SEGMENT(f, ...) \
	{ \
		.flags = (f), .payload = 77, OPTIONS(__VA_ARGS__) \
	}
#define ACK TCP_ACK
#define SYN_OPTIONS MSS, SACK_PERMITTED, TIMESTAMP(5, 0), NOP, WINDOW_SCALE, MP_CAPABLE_SYN
#define WITH_TSECR(echo) SEGMENT(ACK, NOP, NOP, TIMESTAMP(5, echo))
#define STAMPED WITH_TSECR(STAMPED_TS)
#define WITH_TOS(value, ...) \
	{ \
		.flags = TCP_SYN, .tos = (value), __VA_ARGS__ OPTIONS(SYN_OPTIONS) \
	}
#define LEFT_ALONE(...) .inner = STAMPED, .outer_ecn = AS_INNER, .flaw = { __VA_ARGS__ }
#define MALFORMED(...) LEFT_ALONE(__VA_ARGS__), COUNTED(tunnel_malformed)
#define ECN(of_inner, of_outer, result) \
	.inner = WITH_TOS(0xb8 | (of_inner)), .bare = WITH_TOS(0xb8 | (result)), \
	.outer_ecn = (of_outer), COUNTED(decapsulated)

/* What was sent to a client, and is quoted by a router on the way to it. */
#define SENT_FROM(port, ...) \
	{ \
		.flags = ACK, .sport = (port), .dport = CLIENT_PORT, .payload = 40, __VA_ARGS__ \
	}
static const struct segment service_segment = SENT_FROM(SERVICE_PORT, );
static const struct segment other_segment = SENT_FROM(PORT_OTHER, );
static const struct segment service_datagram = SENT_FROM(SERVICE_PORT, .protocol = IPPROTO_UDP);
#define ERROR(segment, bytes) \
	{ \
		.flags = ACK, .protocol = IPPROTO_ICMP, .icmp_type = 3, .quote = &(segment), \
		.quoted = (bytes) \
	}

static const struct row rows[] = {
	{ "a segment is bared and its stamp is taken off", STAMPED, WITH_TSECR(PLAIN_TS),
	  .outer_ecn = AS_INNER, COUNTED2(decapsulated, restored) },
	{ "a stamp at an odd offset is taken off", SEGMENT(ACK, NOP, TIMESTAMP(5, STAMPED_TS), NOP),
	  SEGMENT(ACK, NOP, TIMESTAMP(5, PLAIN_TS), NOP), .outer_ecn = AS_INNER,
	  COUNTED2(decapsulated, restored) },
	{ "a SYN is bared", SEGMENT(TCP_SYN, SYN_OPTIONS), SEGMENT(TCP_SYN, SYN_OPTIONS),
	  .outer_ecn = AS_INNER, COUNTED(decapsulated) },
	{ "a segment with 40 bytes of options is bared",
	  SEGMENT(ACK, NOP28, NOP, NOP, TIMESTAMP(5, STAMPED_TS)),
	  SEGMENT(ACK, NOP28, NOP, NOP, TIMESTAMP(5, PLAIN_TS)), .outer_ecn = AS_INNER,
	  COUNTED2(decapsulated, restored) },
	{ "a segment with IPv4 options is bared",
	  { .flags = ACK, .ipv4_options = 40, OPTIONS(NOP, NOP, TIMESTAMP(5, STAMPED_TS)) },
	  { .flags = ACK, .ipv4_options = 40, OPTIONS(NOP, NOP, TIMESTAMP(5, PLAIN_TS)) },
	  .outer_ecn = AS_INNER,
	  COUNTED2(decapsulated, restored) },
	{ "a segment with bytes behind the outer packet is bared",
	  { .flags = TCP_SYN, .padding = 6 },
	  { .flags = TCP_SYN, .padding = 6 },
	  .outer_ecn = AS_INNER,
	  COUNTED(decapsulated) },
	{ "a segment with malformed options is bared", SEGMENT(ACK, TCPOPT_WINDOW, 1, NOP, NOP),
	  SEGMENT(ACK, TCPOPT_WINDOW, 1, NOP, NOP), .outer_ecn = AS_INNER,
	  COUNTED2(decapsulated, malformed) },
	{ "a segment of 1400 bytes is bared",
	  { .flags = ACK, .payload = 1400 },
	  { .flags = ACK, .payload = 1400 },
	  .outer_ecn = AS_INNER,
	  COUNTED(decapsulated) },

	{ "an ICMP error about a segment of the service is bared", ERROR(service_segment, 32),
	  ERROR(service_segment, 32), .outer_ecn = AS_INNER, COUNTED(decapsulated) },
	{ "one that quotes 8 bytes of TCP is bared", ERROR(service_segment, 8),
	  ERROR(service_segment, 8), .outer_ecn = AS_INNER, COUNTED(decapsulated) },
	{ "one that quotes less than the port is left alone", ERROR(service_segment, 1),
	  .outer_ecn = AS_INNER },
	{ "one about a segment from another port is left alone", ERROR(other_segment, 32),
	  .outer_ecn = AS_INNER },
	{ "one about another protocol is left alone", ERROR(service_datagram, 32),
	  .outer_ecn = AS_INNER },
	{ "ICMP that is no error is left alone",
	  { .protocol = IPPROTO_ICMP, .icmp_type = 200 },
	  .outer_ecn = AS_INNER },

	{ "a segment for another port is left alone",
	  { .flags = ACK, .dport = PORT_OTHER, OPTIONS(NOP, NOP, TIMESTAMP(5, STAMPED_TS)) },
	  .outer_ecn = AS_INNER },
	{ "a fragment in a tunnel is left alone",
	  { .flags = ACK, .fragment = 0x2000, .protocol = IPPROTO_FRAGMENT },
	  .outer_ecn = AS_INNER },
	{ "UDP in a tunnel is left alone",
	  { .flags = ACK, .protocol = IPPROTO_UDP },
	  .outer_ecn = AS_INNER },
	{ "a tunnel that ends elsewhere is left alone", STAMPED, .elsewhere = true,
	  .outer_ecn = AS_INNER },

	{ "the first fragment of a tunnelled packet is left alone", LEFT_ALONE(OUTER_V4, 6, 0x20) },
	{ "the last fragment of a tunnelled packet is left alone", LEFT_ALONE(OUTER_V4, 7, 0x20) },
	{ "outer IPv4 options are left alone", LEFT_ALONE(OUTER_V4, 0, 0x03) },
	{ "an outer IPv4 header of 16 bytes is left alone", LEFT_ALONE(OUTER_V4, 0, 0x01) },
	{ "an outer header of another version is left alone", LEFT_ALONE(OUTER_V4, 0, 0x10) },
	{ "a wrong outer IPv4 checksum is left alone", LEFT_ALONE(OUTER_V4, 8, 0x01, true) },
	{ "another protocol over IPv4 is left alone", LEFT_ALONE(OUTER_V4, 9, 0x80) },
	{ "an outer IPv6 header of another version is left alone", LEFT_ALONE(OUTER_V6, 0, 0x20) },
	{ "another protocol over IPv6 is left alone", LEFT_ALONE(OUTER_V6, 6, 0x80) },
	{ "another UDP port is left alone", LEFT_ALONE(UDP, 3, 0x01) },
	{ "GUE version 1 is left alone", LEFT_ALONE(GUE, 0, 0x40) },
	{ "a control message of GUE is left alone", LEFT_ALONE(GUE, 0, 0x20) },
	{ "GUE options are left alone", LEFT_ALONE(GUE, 0, 0x01) },
	{ "GUE flags are left alone", LEFT_ALONE(GUE, 3, 0x01) },
	{ "another protocol over GUE is left alone", LEFT_ALONE(GUE, 1, 0x80) },

	{ "an outer IPv4 packet beyond the frame is malformed", MALFORMED(OUTER_V4, 2, 0x08) },
	{ "an outer IPv4 packet shorter than its header is malformed",
	  MALFORMED(OUTER_V4, 3, 0xff) },
	{ "an outer IPv6 packet beyond the frame is malformed", MALFORMED(OUTER_V6, 4, 0x08) },
	{ "an outer IPv6 packet shorter than the inner one is malformed",
	  MALFORMED(OUTER_V6, 5, 0x80) },
	{ "a UDP length that contradicts IP is malformed", MALFORMED(UDP, 5, 0x01) },
	{ "an inner IPv4 packet of another version is malformed", MALFORMED(INNER_V4, 0, 0x20) },
	{ "an inner IPv4 packet beyond the outer one is malformed", MALFORMED(INNER_V4, 2, 0x01) },
	{ "an inner IPv6 packet of another version is malformed", MALFORMED(INNER_V6, 0, 0x20) },
	{ "an inner IPv6 packet beyond the outer one is malformed", MALFORMED(INNER_V6, 4, 0x01) },

	{ "ECT(0) stays what it is without a mark", ECN(ECT_0, NOT_ECT, ECT_0) },
	{ "ECT(1) stays what it is without a mark", ECN(ECT_1, ECT_1, ECT_1) },
	{ "a mark of before the tunnel stays", ECN(CE, ECT_0, CE) },
	{ "a mark on ECT(0) is carried over and the checksum is right", ECN(ECT_0, CE, CE) },
	{ "a mark on ECT(1) is carried over and the checksum is right", ECN(ECT_1, CE, CE) },
	{ "a mark on a marked packet changes nothing", ECN(CE, CE, CE) },
	{ "a packet that can't be marked stays so without a mark", ECN(NOT_ECT, ECT_0, NOT_ECT) },
	{ "a mark on a packet that can't be marked drops it", .inner = WITH_TOS(NOT_ECT),
	  .outer_ecn = CE, COUNTED(tunnel_congested), .verdict = TC_ACT_SHOT },
	{ "a marked packet for another port is left alone",
	  .inner = WITH_TOS(NOT_ECT, .dport = PORT_OTHER, ), .outer_ecn = CE },
};

struct tunnel {
	const char *name;
	bool outer_v6, inner_v6, gue;
};

static const struct tunnel tunnels[] = {
	{ "IPv4 in IPv4", false, false, false },    { "IPv6 in IPv4", false, true, false },
	{ "IPv4 in IPv6", true, false, false },     { "IPv6 in IPv6", true, true, false },
	{ "IPv4 by GUE/IPv4", false, false, true }, { "IPv6 by GUE/IPv4", false, true, true },
	{ "IPv4 by GUE/IPv6", true, false, true },  { "IPv6 by GUE/IPv6", true, true, true },
};

static size_t room_of(const struct tunnel *tunnel)
{
	return (tunnel->outer_v6 ? 40 : 20) + (tunnel->gue ? 12 : 0);
}

static size_t build(uint8_t *frame, struct segment segment, const struct tunnel *tunnel)
{
	struct segment quote;

	segment.v6 = tunnel->inner_v6;
	if (segment.quote) {
		quote = *segment.quote;
		quote.source = segment.v6 ? SERVICE_V6 : SERVICE_V4;
		quote.destination = segment.v6 ? CLIENT_V6 : CLIENT_V4;
		segment.quote = &quote;
	}
	if (segment.v6 && segment.protocol == IPPROTO_ICMP)
		segment.protocol = IPPROTO_ICMPV6;
	if (segment.v6)
		segment.ipv4_options = 0;
	else if (segment.protocol == IPPROTO_FRAGMENT)
		segment.protocol = 0;
	return packet_build(frame, &segment);
}

static size_t wrap(uint8_t *frame, size_t length, const struct tunnel *tunnel, bool elsewhere,
		   size_t padding)
{
	struct segment segment = { .v6 = tunnel->inner_v6, .padding = padding };
	struct outer outer = { .gue = tunnel->gue, .flow = 0x12345678 };

	outer.source = tunnel->outer_v6 ? BALANCER_V6 : BALANCER_V4;
	outer.destination = tunnel->outer_v6 ? OWN_V6 : OWN_V4;
	if (elsewhere)
		outer.destination = tunnel->outer_v6 ? BALANCER_V6 : BALANCER_V4;
	return packet_wrap(frame, length, &segment, &outer);
}

static void sum_outer(uint8_t *frame, const struct tunnel *tunnel)
{
	struct iphdr *ip = (struct iphdr *)(frame + ETH_HLEN);

	if (tunnel->outer_v6)
		return;
	ip->check = 0;
	ip->check = packet_checksum(ip, sizeof(*ip), 0);
}

static void set_outer_ecn(uint8_t *frame, const struct tunnel *tunnel, uint8_t ecn)
{
	uint8_t *ip = frame + ETH_HLEN;

	if (ecn == AS_INNER)
		return;
	if (tunnel->outer_v6)
		ip[1] = (ip[1] & ~(CE << 4)) | ecn << 4;
	else
		ip[1] = (ip[1] & ~CE) | ecn;
	sum_outer(frame, tunnel);
}

/* The header that a flaw is in; NULL if the tunnel has none such. */
static uint8_t *header(uint8_t *frame, const struct tunnel *tunnel, const struct flaw *flaw)
{
	uint8_t *outer = frame + ETH_HLEN, *inner = outer + room_of(tunnel);

	switch (flaw->where) {
	case NO_FLAW:
		break;
	case OUTER_V4:
		return tunnel->outer_v6 ? NULL : outer;
	case OUTER_V6:
		return tunnel->outer_v6 ? outer : NULL;
	case UDP:
		return tunnel->gue ? inner - 12 : NULL;
	case GUE:
		return tunnel->gue ? inner - 12 + UDP_BYTES : NULL;
	case INNER_V4:
		return tunnel->inner_v6 ? NULL : inner;
	case INNER_V6:
		return tunnel->inner_v6 ? inner : NULL;
	}
	return frame;
}

/* False if the row is not one for this tunnel. */
static bool damage(uint8_t *frame, const struct tunnel *tunnel, const struct flaw *flaw)
{
	uint8_t *at = header(frame, tunnel, flaw);

	if (!at)
		return false;
	at[flaw->offset] ^= flaw->flip;
	if (flaw->where == OUTER_V4 && !flaw->wrong_sum)
		sum_outer(frame, tunnel);
	return true;
}

/* What comes out has the Ethernet header of before, with the inner packet's type. */
static bool run_packet(const uint8_t *in, size_t in_length, const uint8_t *want, size_t want_length,
		       uint32_t counters, int verdict)
{
	uint64_t before[SERVER_COUNTER_COUNT], after[SERVER_COUNTER_COUNT];
	uint8_t out[FRAME_MAX];
	size_t out_length;
	int said;
	bool good;

	server_maps_counters(maps, before);
	out_length = run_frame(SERVER_INGRESS, in, in_length, out, &said);
	server_maps_counters(maps, after);
	good = check_frame(want, want_length, out, out_length);
	good &= check_counters(counters, before, after);
	if (said != verdict)
		diag("the program said %d, not %d", said, verdict);
	return good && said == verdict;
}

static void set_own(const struct tunnel *tunnel)
{
	address_parse(tunnel->outer_v6 ? OWN_V6 : OWN_V4, &server_maps_state(maps)->address);
}

static void run_row(const struct row *row, const struct tunnel *tunnel)
{
	uint8_t in[FRAME_MAX], want[FRAME_MAX];
	size_t in_length = build(in, row->inner, tunnel), want_length;
	int verdict = row->verdict ? row->verdict : TC_ACT_UNSPEC;

	in_length = wrap(in, in_length, tunnel, row->elsewhere, row->inner.padding);
	set_outer_ecn(in, tunnel, row->outer_ecn);
	if (!damage(in, tunnel, &row->flaw))
		return;
	if (row->bare.flags) {
		want_length = build(want, row->bare, tunnel);
	} else {
		memcpy(want, in, sizeof(want));
		want_length = in_length;
	}
	ok(run_packet(in, in_length, want, want_length, row->counters, verdict), "%s: %s",
	   tunnel->name, row->sentence);
}

/* From the outer IP header on, which BPF_PROG_TEST_RUN insists on. */
static void run_truncated(const struct tunnel *tunnel)
{
	size_t first = ETH_HLEN + (tunnel->outer_v6 ? 40 : 20);
	size_t recognised = first + (tunnel->gue ? 12 : 0);
	uint8_t in[FRAME_MAX];
	size_t length = build(in, (struct segment)STAMPED, tunnel);
	bool good = true;

	length = wrap(in, length, tunnel, false, 0);
	for (size_t cut = first; cut < length; cut++) {
		uint32_t counters = cut < recognised ? 0 : 1u << SERVER_tunnel_malformed;

		good &= run_packet(in, cut, in, cut, counters, TC_ACT_UNSPEC);
	}
	ok(good, "%s: a packet cut off at whichever byte is left alone", tunnel->name);
}

static void subtract(uint8_t *at, size_t bytes)
{
	uint16_t value = ntohs(*(uint16_t *)at) - bytes;

	*(uint16_t *)at = htons(value);
}

/* Every length of the packet says so much less, and those of the inner one if asked. */
static void shorten(uint8_t *frame, const struct tunnel *tunnel, size_t bytes, bool with_inner)
{
	uint8_t *outer = frame + ETH_HLEN, *inner = outer + room_of(tunnel);

	subtract(outer + (tunnel->outer_v6 ? 4 : 2), bytes);
	sum_outer(frame, tunnel);
	if (tunnel->gue)
		subtract(inner - 12 + 4, bytes);
	if (with_inner)
		subtract(inner + (tunnel->inner_v6 ? 4 : 2), bytes);
}

static void run_shortened(const struct tunnel *tunnel)
{
	uint8_t whole[FRAME_MAX], in[FRAME_MAX];
	size_t length = build(whole, (struct segment)STAMPED, tunnel);
	size_t inner = ETH_HLEN + room_of(tunnel);
	bool good = true;

	length = wrap(whole, length, tunnel, false, 0);
	for (size_t cut = inner; cut < length; cut++) {
		memcpy(in, whole, sizeof(in));
		shorten(in, tunnel, length - cut, false);
		good &= run_packet(in, cut, in, cut, 1u << SERVER_tunnel_malformed, TC_ACT_UNSPEC);
	}
	ok(good, "%s: an inner packet cut off at whichever byte is left alone", tunnel->name);
}

/* Inner packets that are whole, and end within TCP. The others' checksums are TCP's matter. */
static void run_without_tcp(const struct tunnel *tunnel)
{
	size_t tcp = ETH_HLEN + room_of(tunnel) + (tunnel->inner_v6 ? 40 : 20);
	uint8_t whole[FRAME_MAX], in[FRAME_MAX];
	size_t length = build(whole, (struct segment)STAMPED, tunnel);
	bool good = true;

	length = wrap(whole, length, tunnel, false, 0);
	for (size_t cut = tcp; cut < tcp + TCP_HEADER_MIN + 12; cut++) {
		memcpy(in, whole, sizeof(in));
		shorten(in, tunnel, length - cut, true);
		good &= run_packet(in, cut, in, cut, 0, TC_ACT_UNSPEC);
	}
	ok(good, "%s: a packet that ends within the TCP header is left alone", tunnel->name);
}

int main(void)
{
	set_up();
	server_maps_state(maps)->stamping = 1;
	server_maps_state(maps)->constant = CONSTANT;
	server_maps_state(maps)->switched_ms = long_ago_ms();
	for (size_t i = 0; i < sizeof(tunnels) / sizeof(tunnels[0]); i++) {
		set_own(&tunnels[i]);
		for (size_t j = 0; j < sizeof(rows) / sizeof(rows[0]); j++)
			run_row(&rows[j], &tunnels[i]);
		run_truncated(&tunnels[i]);
		run_shortened(&tunnels[i]);
		run_without_tcp(&tunnels[i]);
	}
	return tap_end();
}
