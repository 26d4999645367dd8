// SPDX-License-Identifier: GPL-2.0-only
/* Packets of every length: too big and answered, jumbo and sent on; and tunnels in the field. */
#define _GNU_SOURCE
#include <linux/bpf.h>
#include <time.h>

#include "../../loader/cmd.h"
#include "counter_rows.h"
#include "packet.h"
#include "poison.skel.h"
#include "tap.h"

struct options options;

#define WALL_MS 0xc4653601u /* frozen */
#define SLOT_MS (1u << 24)  /* at index bits 8 */
#define ONE_BUFFER 3000     /* a longer packet needs xdp.frags */
#define HEADERS_V4 (20 + 32)
#define HEADERS_V6 (40 + 32)
#define LEAST_V6 1280

#define TUNNEL_SOURCE "100.64.7.9"
#define TUNNEL_SOURCE_V6 "2001:db8:64::9"

/* By index. Those of lo, whose MTU is 65536, are sent to by XDP_TX. */
enum {
	ON_LINK = 7, /* l2 by a route of 1400 bytes, which does not matter */
	ON_OUT,      /* l2 by another device, of 1500 bytes */
	SMALL = 16,  /* and 7 more: each kind of tunnel by a route of 1400 bytes */
	WIDE = 32,   /* and 7 more: each kind by lo as it is */
	LEAST = 48,  /* and 7 more: each kind by a route of 1280 bytes */
	OUTSIDE = 64 /* IPIP over IPv4 by the other device and a route of 1400 bytes */
};

enum kind { IPIP_V4, GUE_V4, IPIP_V6, GUE_V6, KINDS };

static const char *const kinds[] = { "IPIP over IPv4", "GUE over IPv4", "IPIP over IPv6",
				     "GUE over IPv6" };
static const int overheads[] = { 20, 32, 40, 52 };

static struct tables *tables;
static int program, program_frags, poisoned, poisoned_frags;

/* What came out of one run. */
struct result {
	uint8_t frame[FRAME_MAX];
	size_t length;
	uint32_t verdict;
	int reason; /* the one that was counted; -1: none or several */
};

enum { ROWS = 3 }; /* of no service, and of the two that there are */

#define FEW_COUNTERS (ROWS * COUNTER_REASONS)

static int counted(const uint64_t *before, const uint64_t *after)
{
	int reason = -1, moved = 0;

	for (uint32_t i = 0; i < FEW_COUNTERS; i++) {
		if (after[i] == before[i])
			continue;
		reason = i % COUNTER_REASONS;
		moved += after[i] - before[i];
	}
	return moved == 1 ? reason : -1;
}

static void run_uncounted(int program, const uint8_t *in, size_t length, struct result *result)
{
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = in, .data_size_in = length,
		    .data_out = result->frame, .data_size_out = sizeof(result->frame));

	if (bpf_prog_test_run_opts(program, &run))
		fixture_die("BPF_PROG_TEST_RUN");
	result->length = run.data_size_out;
	result->verdict = run.retval;
}

static void run_once(int program, const uint8_t *in, size_t length, struct result *result)
{
	uint64_t before[FEW_COUNTERS], after[FEW_COUNTERS];

	counter_rows_read(before, ROWS);
	run_uncounted(program, in, length, result);
	counter_rows_read(after, ROWS);
	result->reason = counted(before, after);
}

/* Errors are sent again, as if none had been of late. */
static void forget_errors(void)
{
	tables_state(tables)->error_turn_ns = 0;
}

/* The program that a device would have to run a packet of that length. */
static void run_segment(const struct segment *segment, bool poison, struct result *result)
{
	static uint8_t frame[FRAME_MAX];
	size_t length = packet_build(frame, segment);
	bool frags = length > ONE_BUFFER;

	forget_errors();
	run_once(poison ? (frags ? poisoned_frags : poisoned) : (frags ? program_frags : program),
		 frame, length, result);
}

static struct segment stamped(bool v6, uint32_t index, uint32_t ip_length)
{
	uint32_t tsecr = WALL_MS - 1 + index * SLOT_MS;
	struct segment segment = { .v6 = v6,
				   .flags = TCP_ACK,
				   .fragment = v6 ? 0 : 0x4000,
				   .payload = ip_length - (v6 ? HEADERS_V6 : HEADERS_V4),
				   OPTIONS(NOP, NOP, TIMESTAMP(5, tsecr)) };

	return segment;
}

static bool is_result(const struct result *result, enum reason reason, uint32_t verdict,
		      const uint8_t *want, size_t length)
{
	if (result->reason != (int)reason || result->verdict != verdict) {
		diag("reason %d, verdict %u", result->reason, result->verdict);
		return false;
	}
	if (result->length == length && !memcmp(result->frame, want, length))
		return true;
	for (size_t i = 0; i < length && i < result->length; i++)
		if (want[i] != result->frame[i]) {
			diag("byte %zu is %02x, not %02x", i, result->frame[i], want[i]);
			break;
		}
	diag("%zu bytes came out, %zu should", result->length, length);
	return false;
}

/* Outside: what an ICMP error looks like, written byte for byte after RFC 792 and RFC 4443. */

static size_t put_error_v4(uint8_t *ip, const uint8_t *packet, uint16_t mtu)
{
	const size_t quoted = 68, length = 20 + 8 + quoted;
	const uint8_t head[] = { 0x45, 0xc0, 0, length, 0, 0, 0x40, 0, 64, 1, 0, 0 };
	const uint8_t icmp[] = { 3, 4, 0, 0, 0, 0, mtu >> 8, mtu };
	uint16_t sum;

	memcpy(ip, head, sizeof(head));
	memcpy(ip + 12, packet + 16, 4);
	memcpy(ip + 16, packet + 12, 4);
	memcpy(ip + 20, icmp, sizeof(icmp));
	memcpy(ip + 28, packet, quoted);
	sum = packet_checksum(ip, 20, 0);
	memcpy(ip + 10, &sum, sizeof(sum));
	sum = packet_checksum(ip + 20, 8 + quoted, 0);
	memcpy(ip + 22, &sum, sizeof(sum));
	return length;
}

static size_t put_error_v6(uint8_t *ip, const uint8_t *packet, uint16_t mtu)
{
	const size_t message = LEAST_V6 - 40;
	const uint8_t head[] = { 0x60, 0, 0, 0, message >> 8, message & 0xff, 58, 64 };
	const uint8_t icmp[] = { 2, 0, 0, 0, 0, 0, mtu >> 8, mtu };
	uint16_t sum;

	memcpy(ip, head, sizeof(head));
	memcpy(ip + 8, packet + 24, 16);
	memcpy(ip + 24, packet + 8, 16);
	memcpy(ip + 40, icmp, sizeof(icmp));
	memcpy(ip + 48, packet, message - 8);
	sum = packet_checksum(ip + 40, message, packet_pseudo_sum(ip, true, 58, message));
	memcpy(ip + 42, &sum, sizeof(sum));
	return LEAST_V6;
}

static size_t expect_error(const struct segment *segment, uint16_t mtu, uint8_t *want)
{
	uint8_t frame[FRAME_MAX];
	size_t link = ETH_HLEN + 4 * segment->vlans;

	packet_build(frame, segment);
	memcpy(want, frame + ETH_ALEN, ETH_ALEN);
	memcpy(want + ETH_ALEN, frame, ETH_ALEN);
	memcpy(want + 2 * ETH_ALEN, frame + 2 * ETH_ALEN, link - 2 * ETH_ALEN);
	return link + (segment->v6 ? put_error_v6 : put_error_v4)(want + link, frame + link, mtu);
}

static bool is_answered(const struct segment *segment, uint16_t mtu)
{
	uint8_t want[FRAME_MAX];
	size_t length = expect_error(segment, mtu, want);
	struct result result;

	run_segment(segment, false, &result);
	if (!is_result(&result, REASON_too_big, XDP_TX, want, length))
		return false;
	run_segment(segment, true, &result);
	return is_result(&result, REASON_too_big, XDP_TX, want, length);
}

static bool is_untold(const struct segment *segment)
{
	struct result result;

	run_segment(segment, false, &result);
	if (result.reason == REASON_too_big_untold && result.verdict == XDP_DROP)
		return true;
	diag("reason %d, verdict %u", result.reason, result.verdict);
	return false;
}

/* As docs say and test_lb.c does: the balancer's spreading of flows. */
static uint32_t flow_of(const struct segment *s)
{
	uint16_t sport = s->sport ? s->sport : CLIENT_PORT;
	uint32_t words[4];
	uint64_t mix;

	if (s->v6)
		inet_pton(AF_INET6, CLIENT_V6, words);
	else
		memcpy(words, (uint32_t[]){ 0, 0, 0, inet_addr(CLIENT_V4) }, sizeof(words));
	mix = words[3] ^ words[1] ^ ((uint32_t)htons(sport) << 16 | htons(SERVICE_PORT));
	return mix * 0x9e3779b97f4a7c15 >> 32;
}

static void backend_address(uint32_t index, char text[static INET6_ADDRSTRLEN])
{
	bool v6 = index >= SMALL && index < OUTSIDE && index % KINDS >= IPIP_V6;
	bool by_out = index == ON_OUT || index == OUTSIDE;
	uint32_t net = index == ON_LINK ? 1 : index / 16;

	if (v6)
		snprintf(text, INET6_ADDRSTRLEN, "fd00:9:0:%u::%u", net, index);
	else
		snprintf(text, INET6_ADDRSTRLEN, "10.%u.%u.%u", by_out ? 8 : 9, net, index);
}

/* The frame as it goes to a backend; returns its length. */
static size_t expect_sent(const struct segment *segment, uint32_t index, uint8_t *want)
{
	static const uint8_t mac_lo[6], mac_out[6] = { 2, 0, 0, 0, 0, 0xcc };
	enum kind kind = index == OUTSIDE ? IPIP_V4 : index % KINDS;
	bool v6 = kind >= IPIP_V6;
	char address[INET6_ADDRSTRLEN];
	struct outer outer = { .gue = kind == GUE_V4 || kind == GUE_V6,
			       .source = v6 ? TUNNEL_SOURCE_V6 : TUNNEL_SOURCE,
			       .destination = address,
			       .flow = flow_of(segment) };
	size_t length = packet_build(want, segment);

	backend_address(index, address);
	if (index >= SMALL)
		length = packet_wrap(want, length, segment, &outer);
	fixture_lladdr(index, want);
	memcpy(want + ETH_ALEN, index == ON_OUT || index == OUTSIDE ? mac_out : mac_lo, ETH_ALEN);
	return length;
}

static bool is_sent(const struct segment *segment, uint32_t index)
{
	uint32_t verdict = index == ON_OUT || index == OUTSIDE ? XDP_REDIRECT : XDP_TX;
	uint8_t want[FRAME_MAX];
	size_t length = expect_sent(segment, index, want);
	struct result result;

	run_segment(segment, false, &result);
	if (!is_result(&result, REASON_stamp, verdict, want, length))
		return false;
	run_segment(segment, true, &result);
	return is_result(&result, REASON_stamp, verdict, want, length);
}

/* The fixture. */

static void add_backend(struct config *config, uint32_t index, enum forward forward)
{
	struct config_backend *backend = &config->backends[index];
	char text[INET6_ADDRSTRLEN];

	backend_address(index, text);
	backend->assigned = address_parse(text, &backend->address);
	backend->forward = forward;
	backend->lladdr_given = true;
	fixture_lladdr(index, backend->lladdr);
}

static struct config *make_config(void)
{
	struct config *config = config_new();

	fixture_secret(config, 1);
	prefix_parse(TUNNEL_SOURCE, &config->tunnel_source);
	prefix_parse(TUNNEL_SOURCE_V6, &config->tunnel_source_v6);
	add_backend(config, ON_LINK, FORWARD_L2);
	add_backend(config, ON_OUT, FORWARD_L2);
	add_backend(config, OUTSIDE, FORWARD_IPIP);
	for (enum kind kind = 0; kind < KINDS; kind++)
		for (uint32_t first = SMALL; first <= LEAST; first += 16)
			add_backend(config, first + kind,
				    kind == GUE_V4 || kind == GUE_V6 ? FORWARD_GUE : FORWARD_IPIP);
	for (int v6 = 0; v6 < 2; v6++) {
		struct config_service *service = &config->services[config->service_count++];

		address_parse(v6 ? SERVICE_V6 : SERVICE_V4, &service->address);
		service->port = SERVICE_PORT;
		service->stamps = true;
		for (uint32_t index = 0; index < MAX_BACKENDS; index++)
			service->weight[index] = config->backends[index].assigned ? 2 : 0;
	}
	return config;
}

static void load_poisoned(void)
{
	LIBBPF_OPTS(bpf_object_open_opts, open_options, .pin_root_path = fixture_pins);
	struct poison_bpf *skeleton = poison_bpf__open_opts(&open_options);

	if (!skeleton)
		fixture_die("can't open the program that poisons");
	fixture_share_devices(skeleton->maps.devices);
	if (poison_bpf__load(skeleton))
		fixture_die("can't load the program that poisons");
	poisoned = bpf_program__fd(skeleton->progs.lb_poisoned);
	poisoned_frags = bpf_program__fd(skeleton->progs.lb_frags_poisoned);
}

static void publish(enum df_clear df_clear)
{
	struct config *config = make_config();

	config->df_clear = df_clear;
	if (tables_publish(tables, config))
		fixture_die("can't publish");
	fixture_freeze_clock(tables, WALL_MS);
	config_free(config);
}

static void set_up(void)
{
	fixture_network("mtu");
	if (system("ip route add 10.9.1.0/24 dev lo mtu 1400 && "
		   "ip -6 route add fd00:9:0:1::/64 dev lo mtu 1400 && "
		   "ip route add 10.9.3.0/24 dev lo mtu 1280 && "
		   "ip -6 route add fd00:9:0:3::/64 dev lo mtu 1280 && "
		   "ip route add 10.8.4.0/24 dev out mtu 1400"))
		fixture_die("can't make the routes");
	if (cmd_load(&(struct words){}) || tables_open(fixture_pins, &tables))
		fixture_die("can't load");
	publish(DF_CLEAR_TOO_BIG);
	program = fixture_open_pin("lb");
	program_frags = fixture_open_pin("lb_frags");
	load_poisoned();
}

/* The tests. */

static void check_tunnels(bool v6)
{
	for (enum kind kind = 0; kind < KINDS; kind++) {
		int fits = 1400 - overheads[kind];
		struct segment just = stamped(v6, SMALL + kind, fits);
		struct segment over = stamped(v6, SMALL + kind, fits + 1);

		ok(is_sent(&just, SMALL + kind), "IPv%d: %d bytes fit into %s by a route of 1400",
		   v6 ? 6 : 4, fits, kinds[kind]);
		ok(is_answered(&over, fits), "IPv%d: one byte more is answered, MTU %d", v6 ? 6 : 4,
		   fits);
	}
}

static void check_shapes(bool v6)
{
	struct segment over = stamped(v6, SMALL, 1381), jumbo = stamped(v6, SMALL, 9000);
	int family = v6 ? 6 : 4;

	over.padding = 30;
	ok(is_answered(&over, 1380), "IPv%d: padding behind the packet is cut off", family);
	for (over.padding = 0, over.vlans = 1; over.vlans <= 2; over.vlans++)
		ok(is_answered(&over, 1380), "IPv%d: the answer has the packet's %u tags", family,
		   over.vlans);
	over.vlans = 0;
	if (v6)
		over.extensions = 4;
	else
		over.ipv4_options = 40;
	ok(is_answered(&over, 1380), "IPv%d: %s are quoted", family,
	   v6 ? "extension headers" : "40 bytes of options, and 8 of TCP,");
	ok(is_answered(&jumbo, 1380), "IPv%d: a packet of several buffers is answered", family);
}

static void check_l2(bool v6)
{
	struct segment jumbo = stamped(v6, ON_LINK, 9000), just = stamped(v6, ON_OUT, 1500);
	struct segment over = stamped(v6, ON_OUT, 1501);
	int family = v6 ? 6 : 4;

	ok(is_sent(&jumbo, ON_LINK), "IPv%d: 9000 bytes go back by the device that took them",
	   family);
	ok(is_sent(&just, ON_OUT), "IPv%d: 1500 bytes go by another device of that MTU", family);
	ok(is_answered(&over, 1500), "IPv%d: 1501 bytes to that device are answered", family);
	jumbo = stamped(v6, ON_OUT, 9000);
	ok(is_answered(&jumbo, 1500), "IPv%d: and so are 9000", family);
	for (enum kind kind = 0; kind < KINDS; kind++) {
		jumbo = stamped(v6, WIDE + kind, 9000);
		ok(is_sent(&jumbo, WIDE + kind), "IPv%d: 9000 bytes, in several buffers, go by %s",
		   family, kinds[kind]);
	}
}

/* 1280 bytes must go, whatever the path's MTU; over IPv4 routers may cut the outer packet. */
static void check_least_mtu(enum kind kind)
{
	struct segment least = stamped(true, LEAST + kind, LEAST_V6);
	struct segment over = stamped(true, LEAST + kind, LEAST_V6 + 1);
	uint8_t want[FRAME_MAX];
	size_t length = expect_sent(&least, LEAST + kind, want);
	struct iphdr *ip = (struct iphdr *)(want + ETH_HLEN), *got;
	struct result result;
	bool id_moves = false;

	for (int i = 0; i < 4; i++) {
		run_segment(&least, false, &result);
		got = (struct iphdr *)(result.frame + ETH_HLEN);
		if (kind < IPIP_V6) {
			id_moves |= ip->id && ip->id != got->id;
			ip->frag_off = 0;
			ip->id = got->id;
			ip->check = 0;
			ip->check = packet_checksum(ip, sizeof(*ip), 0);
		}
	}
	ok(is_result(&result, REASON_stamp, XDP_TX, want, length) && (kind >= IPIP_V6 || id_moves),
	   "IPv6: 1280 bytes by %s and a route of 1280 go%s", kinds[kind],
	   kind < IPIP_V6 ? " with the outer DF clear and a new ID" : " as they are");
	ok(is_answered(&over, LEAST_V6), "IPv6: one byte more is answered, MTU 1280");
}

static void check_senders(void)
{
	static const char *const v4[] = { "0.0.0.0", "0.1.2.3", "127.0.0.1", "224.0.0.1",
					  "255.255.255.255" };
	static const char *const v6[] = { "::", "::1", "ff02::1" };
	struct segment over = stamped(false, SMALL, 1381);

	for (size_t i = 0; i < sizeof(v4) / sizeof(v4[0]); i++) {
		over.source = v4[i];
		ok(is_untold(&over), "a sender at %s is not answered", v4[i]);
	}
	over = stamped(true, SMALL, 1381);
	for (size_t i = 0; i < sizeof(v6) / sizeof(v6[0]); i++) {
		over.source = v6[i];
		ok(is_untold(&over), "a sender at %s is not answered", v6[i]);
	}
}

/* Of an answer of the backend's, in a packet as long as no router should send. */
static void check_errors(bool v6)
{
	const uint32_t tsval = WALL_MS - 1 + SMALL * SLOT_MS;
	struct segment quote = { .source = v6 ? SERVICE_V6 : SERVICE_V4,
				 .destination = v6 ? CLIENT_V6 : CLIENT_V4,
				 .sport = SERVICE_PORT,
				 .dport = CLIENT_PORT,
				 .flags = TCP_ACK,
				 .payload = 1400,
				 OPTIONS(NOP, NOP, TIMESTAMP(tsval, 5)) };
	struct segment error = { .v6 = v6,
				 .protocol = v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP,
				 .icmp_type = v6 ? 2 : 11,
				 .source = v6 ? "2001:db8:f::1" : "203.0.113.1",
				 .quote = &quote,
				 .quoted = 1400 };

	ok(is_untold(&error), "IPv%d: an ICMP error that does not fit is dropped, not answered",
	   v6 ? 6 : 4);
}

static uint64_t monotonic_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ull + now.tv_nsec;
}

/* As many as the time that passed allows, and fifty; which may be many on a slow machine. */
static void check_rate(void)
{
	const struct segment over = stamped(false, SMALL, 1381);
	const int tries = 2000;
	static struct result result;
	static uint8_t frame[FRAME_MAX];
	size_t length = packet_build(frame, &over);
	int told = 0, untold = 0;
	uint64_t begun, passed_ms;
	uint64_t before[FEW_COUNTERS], after[FEW_COUNTERS];

	counter_rows_read(before, ROWS);
	tables_state(tables)->error_turn_ns = 0;
	begun = monotonic_ns();
	for (int i = 0; i < tries; i++) {
		run_uncounted(program, frame, length, &result);
		told += result.verdict == XDP_TX;
		untold += result.verdict == XDP_DROP;
	}
	passed_ms = (monotonic_ns() - begun) / 1000000;
	counter_rows_read(after, ROWS);
	ok(told >= 50 && told + untold == tries && (uint64_t)told <= 50 + passed_ms + 1,
	   "fifty errors are sent at once, then one a millisecond (%d in %llu ms)", told,
	   (unsigned long long)passed_ms);
	for (uint32_t i = REASON_too_big; i < FEW_COUNTERS; i += COUNTER_REASONS)
		told -= after[i] - before[i];
	for (uint32_t i = REASON_too_big_untold; i < FEW_COUNTERS; i += COUNTER_REASONS)
		untold -= after[i] - before[i];
	ok(!told && !untold, "and both kinds are counted");
	tables_state(tables)->error_turn_ns = monotonic_ns() + 3600ull * 1000000000;
	run_once(program, frame, length, &result);
	ok(result.reason == REASON_too_big_untold && result.verdict == XDP_DROP,
	   "none is sent while it is not the turn of any");
}

static void check_df_clear(void)
{
	struct segment over = stamped(false, SMALL + IPIP_V4, 1381);
	struct segment out = stamped(false, OUTSIDE, 1480);
	struct config *loaded = config_new();

	over.fragment = out.fragment = 0;
	ok(is_answered(&over, 1380), "with df-clear too-big a packet without DF is answered");
	publish(DF_CLEAR_FRAGMENT);
	ok(tables_read(tables, loaded) == DONE && loaded->df_clear == DF_CLEAR_FRAGMENT,
	   "df-clear is read back from what is loaded");
	config_free(loaded);
	ok(is_sent(&over, SMALL + IPIP_V4),
	   "with df-clear fragment it goes, and routers may cut the outer packet");
	ok(is_sent(&out, OUTSIDE), "up to what the device takes");
	out.payload++;
	ok(is_answered(&out, 1380), "but not beyond");
	over = stamped(false, SMALL + IPIP_V6, 1361);
	over.fragment = 0;
	ok(is_answered(&over, 1360), "nor over IPv6, which no router may cut");
	over = stamped(false, SMALL + IPIP_V4, 1381);
	ok(is_answered(&over, 1380), "and a packet with DF is answered as before");
	publish(DF_CLEAR_TOO_BIG);
}

/* An error about a tunnel, as a router on the way to a backend sends it. */
struct tunnel_error {
	const char *sentence;
	struct segment error;
	enum reason reason;
	size_t spoil; /* a byte of the quoted packet, counted from its IP header, or 0 */
	enum kind kind;
};

#define ROUTER_V4 .source = "10.0.0.254", .destination = TUNNEL_SOURCE, .protocol = IPPROTO_ICMP
#define ROUTER_V6 \
	.v6 = true, .source = "2001:db8:b::fe", .destination = TUNNEL_SOURCE_V6, \
	.protocol = IPPROTO_ICMPV6

static const struct tunnel_error tunnel_errors[] = {
	{ "unreachable about IPIP", { ROUTER_V4, .icmp_type = 3 }, REASON_tunnel_error },
	{ "unreachable about GUE", { ROUTER_V4, .icmp_type = 3 }, REASON_tunnel_error, 0, GUE_V4 },
	{ "time exceeded", { ROUTER_V4, .icmp_type = 11 }, REASON_tunnel_error },
	{ "unreachable", { ROUTER_V6, .icmp_type = 1 }, REASON_tunnel_error, 0, IPIP_V6 },
	{ "too big about IPIP", { ROUTER_V6, .icmp_type = 2 }, REASON_tunnel_too_big, 0, IPIP_V6 },
	{ "too big about GUE", { ROUTER_V6, .icmp_type = 2 }, REASON_tunnel_too_big, 0, GUE_V6 },
	{ "an echo request is no error", { ROUTER_V4, .icmp_type = 8 }, REASON_not_tcp },
	{ "an error about another source's packet is not about ours",
	  { ROUTER_V4, .icmp_type = 3 },
	  REASON_not_tcp,
	  15 },
	{ "an error about another protocol is not about a tunnel",
	  { ROUTER_V4, .icmp_type = 3 },
	  REASON_not_tcp,
	  9 },
	{ "an error about UDP to another port is not about GUE",
	  { ROUTER_V4, .icmp_type = 3 },
	  REASON_not_tcp,
	  23,
	  GUE_V4 },
	{ "an error to an address beside tunnel-source is not about ours",
	  { .source = "10.0.0.254",
	    .destination = "100.64.7.8",
	    .protocol = IPPROTO_ICMP,
	    .icmp_type = 3 },
	  REASON_not_tcp },
};

/* The error, with a packet on its way to a backend behind its eight bytes; returns the length. */
static size_t put_tunnel_error(uint8_t *frame, const struct tunnel_error *row, uint8_t code)
{
	struct segment inner = stamped(false, WIDE + row->kind, 600), empty = row->error;
	size_t ip = row->error.v6 ? 40 : 20, at = ETH_HLEN + ip + 8, quoted = 48;
	uint8_t outer[FRAME_MAX];

	expect_sent(&inner, WIDE + row->kind, outer);
	if (row->spoil)
		outer[ETH_HLEN + row->spoil] ^= 0x40;
	packet_build(frame, &empty);
	frame[ETH_HLEN + ip + 1] = code;
	memcpy(frame + at, outer + ETH_HLEN, quoted);
	if (row->error.v6)
		frame[ETH_HLEN + 5] = 8 + quoted;
	else
		frame[ETH_HLEN + 3] = ip + 8 + quoted;
	return at + quoted;
}

static void check_tunnel_error(const struct tunnel_error *row, const char *sentence, uint8_t code,
			       enum reason reason)
{
	static uint8_t frame[FRAME_MAX];
	static struct result result;
	size_t length = put_tunnel_error(frame, row, code);

	run_once(program, frame, length, &result);
	ok(is_result(&result, reason, XDP_PASS, frame, length), "IPv%d: %s", row->error.v6 ? 6 : 4,
	   sentence);
}

static void check_tunnel_errors(void)
{
	for (size_t i = 0; i < sizeof(tunnel_errors) / sizeof(tunnel_errors[0]); i++)
		check_tunnel_error(&tunnel_errors[i], tunnel_errors[i].sentence, 0,
				   tunnel_errors[i].reason);
	check_tunnel_error(&tunnel_errors[0], "fragmentation needed about IPIP", 4,
			   REASON_tunnel_too_big);
	check_tunnel_error(&tunnel_errors[2], "time exceeded of a code that ICMP lacks", 4,
			   REASON_tunnel_error);
	check_tunnel_error(&tunnel_errors[1], "fragmentation needed about GUE", 4,
			   REASON_tunnel_too_big);
}

/* RFC 6040 at the entry: the outer header repeats DSCP and ECN; and TTLs are nobody's. */
static void check_markings(bool v6)
{
	for (enum kind kind = 0; kind < KINDS; kind++) {
		bool good = true;

		for (int ecn = 0; ecn < 4; ecn++) {
			struct segment marked = stamped(v6, WIDE + kind, 600);

			marked.tos = 0xb8 | ecn;
			good &= is_sent(&marked, WIDE + kind);
		}
		ok(good, "IPv%d: %s repeats DSCP and each of the four ECN codepoints", v6 ? 6 : 4,
		   kinds[kind]);
	}
}

static void set_ttl(uint8_t *ip, bool v6, uint8_t ttl)
{
	struct iphdr *v4 = (struct iphdr *)ip;

	if (v6) {
		ip[7] = ttl;
		return;
	}
	v4->ttl = ttl;
	v4->check = 0;
	v4->check = packet_checksum(ip, sizeof(*v4), 0);
}

static void check_ttl(bool v6)
{
	for (enum kind kind = 0; kind < KINDS; kind++) {
		struct segment segment = stamped(v6, WIDE + kind, 600);
		size_t room = overheads[kind], ip = ETH_HLEN, length;
		static uint8_t frame[FRAME_MAX];
		static struct result result;
		uint8_t outer_ttl;

		length = packet_build(frame, &segment);
		set_ttl(frame + ip, v6, 1);
		run_once(program, frame, length, &result);
		outer_ttl = result.frame[ip + (kind < IPIP_V6 ? 8 : 7)];
		ok(result.verdict == XDP_TX && outer_ttl == 64 && result.length == length + room &&
			   !memcmp(result.frame + ip + room, frame + ip, length - ip),
		   "IPv%d: a TTL of 1 is left alone in %s, whose own is 64", v6 ? 6 : 4,
		   kinds[kind]);
	}
}

/* How many of 4096 flows share one of 16 values: 256 on average, sigma 15.5. */
static bool is_even(const int *shares)
{
	for (int i = 0; i < 16; i++)
		if (shares[i] < 256 - 93 || shares[i] > 256 + 93) {
			diag("%d of 4096 flows have value %d", shares[i], i);
			return false;
		}
	return true;
}

/* Consecutive ports of one client: the top bits of the source port, the last ones of the address.
 */
static void check_spreading(enum kind kind)
{
	int by_port[16] = {}, by_address[16] = {}, by_label[16] = {};
	static uint8_t frame[FRAME_MAX];
	static struct result result;
	bool v6 = kind >= IPIP_V6;

	for (int i = 0; i < 4096; i++) {
		struct segment segment = stamped(false, WIDE + kind, 600);
		const uint8_t *ip = result.frame + ETH_HLEN;

		segment.sport = 20000 + i;
		run_uncounted(program, frame, packet_build(frame, &segment), &result);
		by_port[ip[v6 ? 40 : 20] >> 2 & 15]++;
		by_address[ip[v6 ? 23 : 15] & 15]++;
		by_label[ip[3] & 15]++;
	}
	ok(is_even(by_address), "4096 flows spread evenly over the outer addresses of %s",
	   kinds[kind]);
	if (kind == GUE_V4 || kind == GUE_V6)
		ok(is_even(by_port), "and over the source ports of %s", kinds[kind]);
	if (v6)
		ok(is_even(by_label), "and over the flow labels of %s", kinds[kind]);
}

static void check_spreadings(void)
{
	struct config *config = make_config();

	prefix_parse("100.64.7.0/24", &config->tunnel_source);
	prefix_parse("2001:db8:64::/120", &config->tunnel_source_v6);
	if (tables_publish(tables, config))
		fixture_die("can't publish");
	config_free(config);
	for (enum kind kind = 0; kind < KINDS; kind++)
		check_spreading(kind);
}

int main(void)
{
	set_up();
	for (int v6 = 0; v6 < 2; v6++) {
		check_tunnels(v6);
		check_shapes(v6);
		check_l2(v6);
		check_errors(v6);
		check_markings(v6);
		check_ttl(v6);
	}
	for (enum kind kind = 0; kind < KINDS; kind++)
		check_least_mtu(kind);
	check_senders();
	check_rate();
	check_df_clear();
	check_tunnel_errors();
	check_spreadings();
	tables_close(tables);
	cmd_unload(&(struct words){});
	return tap_end();
}
