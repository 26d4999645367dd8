// SPDX-License-Identifier: GPL-2.0-only
/* Every byte that the server side's tc programs leave, by BPF_PROG_TEST_RUN. Needs root. */
#define _GNU_SOURCE
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../../loader/address.h"
#include "../../loader/bpffs.h"
#include "../../loader/netns.h"
#include "../../loader/server_maps.h"
#include "../../loader/server_programs.h"
#include "packet.h"
#include "tap.h"

struct options options;

#define OFFSET_MS 0x01020340u
#define CONSTANT (OFFSET_MS + (7u << 24)) /* index 7 of 8 bits */
#define PLAIN_TS 0x12345678u
#define STAMPED_TS 0x1a3659b8u /* the sum, worked out by hand */

#define MP_CAPABLE_SYN_ACK TCPOPT_MPTCP, 12, 0x01, 0x01, 1, 2, 3, 4, 5, 6, 7, 8

enum { PORT_OTHER = 8443 };

/* What a row finds, and what must be there after it. 0 in `known` and `then`: no entry. */
struct row {
	const char *sentence;
	enum server_program program;
	struct segment before;
	struct segment after; /* no flags: as before */
	uint32_t off;         /* 1: new connections are plain */
	uint32_t recording;
	enum treatment known, then;
	int counter; /* that must move, less one place: 0 for none */
};

#define SENT .program = SERVER_EGRESS, .before =
#define RECEIVED .program = SERVER_INGRESS, .before =
#define BECOMES .after =
#define COUNTED(name) .counter = SERVER_##name + 1
#define SEGMENT(f, ...) \
	{ \
		.flags = (f), .payload = 77, OPTIONS(__VA_ARGS__) \
	}
#define ACK TCP_ACK
#define SYN_ACK (TCP_SYN | TCP_ACK)

/* A segment with its TSval or its TSecr as given, in the place where Linux has it. */
#define WITH_TSVAL(flags, value) SEGMENT(flags, NOP, NOP, TIMESTAMP(value, 9))
#define WITH_TSECR(flags, echo) SEGMENT(flags, NOP, NOP, TIMESTAMP(5, echo))

/* One that must not be touched though it has both. */
#define UNUSUAL(...) \
	{ \
		.flags = ACK, __VA_ARGS__, OPTIONS(NOP, NOP, TIMESTAMP(PLAIN_TS, STAMPED_TS)) \
	}

/* Each is run over IPv4, IPv4 with options, and IPv6. */
static const struct row rows[] = {
	{ "a segment sent is stamped", SENT WITH_TSVAL(ACK, PLAIN_TS),
	  BECOMES WITH_TSVAL(ACK, STAMPED_TS), COUNTED(stamped) },
	{ "a stamp wraps at 2^32", SENT WITH_TSVAL(ACK, 0xffffffff),
	  BECOMES WITH_TSVAL(ACK, CONSTANT - 1), COUNTED(stamped) },
	{ "a FIN is stamped", SENT WITH_TSVAL(ACK | TCP_FIN, PLAIN_TS),
	  BECOMES WITH_TSVAL(ACK | TCP_FIN, STAMPED_TS), COUNTED(stamped) },
	{ "a RST is stamped", SENT WITH_TSVAL(ACK | TCP_RST, PLAIN_TS),
	  BECOMES WITH_TSVAL(ACK | TCP_RST, STAMPED_TS), COUNTED(stamped) },
	{ "a SYN/ACK is stamped",
	  SENT SEGMENT(SYN_ACK, MSS, SACK_PERMITTED, TIMESTAMP(PLAIN_TS, 9), NOP, WINDOW_SCALE),
	  BECOMES SEGMENT(SYN_ACK, MSS, SACK_PERMITTED, TIMESTAMP(STAMPED_TS, 9), NOP,
			  WINDOW_SCALE),
	  COUNTED(stamped) },
	{ "a timestamp at an odd offset is stamped and the checksum is right",
	  SENT SEGMENT(ACK, NOP, TIMESTAMP(PLAIN_TS, 9), NOP),
	  BECOMES SEGMENT(ACK, NOP, TIMESTAMP(STAMPED_TS, 9), NOP), COUNTED(stamped) },
	{ "a timestamp behind 28 NOPs is stamped",
	  SENT SEGMENT(ACK, NOP28, TIMESTAMP(PLAIN_TS, 9), NOP, NOP),
	  BECOMES SEGMENT(ACK, NOP28, TIMESTAMP(STAMPED_TS, 9), NOP, NOP), COUNTED(stamped) },
	{ "a timestamp that ends with the header is stamped",
	  SENT SEGMENT(ACK, NOP28, NOP, NOP, TIMESTAMP(PLAIN_TS, 9)),
	  BECOMES SEGMENT(ACK, NOP28, NOP, NOP, TIMESTAMP(STAMPED_TS, 9)), COUNTED(stamped) },
	{ "a segment sent without a timestamp stays as it is",
	  SENT SEGMENT(ACK, SACK_PERMITTED, NOP, NOP) },
	{ "a timestamp behind the end of the options stays as it is",
	  SENT SEGMENT(ACK, EOL, NOP, TIMESTAMP(PLAIN_TS, 9)) },
	{ "an option of length 0 leaves the segment as it is",
	  SENT SEGMENT(ACK, MSS, SACK_PERMITTED, TCPOPT_WINDOW, 0, TIMESTAMP(PLAIN_TS, 9)),
	  COUNTED(malformed) },
	{ "an option that overruns the header leaves the segment as it is",
	  SENT SEGMENT(ACK, NOP, NOP, NOP, NOP, TIMESTAMP(PLAIN_TS, 9), TCPOPT_SACK_PERM, 5),
	  COUNTED(malformed) },
	{ "what another port sends stays as it is", SENT UNUSUAL(.dport = PORT_OTHER) },
	{ "a fragment stays as it is",
	  SENT UNUSUAL(.fragment = 0x2000, .protocol = IPPROTO_FRAGMENT) },
	{ "UDP stays as it is", SENT UNUSUAL(.protocol = IPPROTO_UDP) },
	{ "the key of a SYN/ACK that has a socket stays, and it is stamped",
	  SENT SEGMENT(SYN_ACK, MSS, SACK_PERMITTED, TIMESTAMP(PLAIN_TS, 9), MP_CAPABLE_SYN_ACK),
	  BECOMES SEGMENT(SYN_ACK, MSS, SACK_PERMITTED, TIMESTAMP(STAMPED_TS, 9),
			  MP_CAPABLE_SYN_ACK),
	  COUNTED(not_a_cookie) },

	{ "an exempt connection is not stamped", SENT WITH_TSVAL(ACK, PLAIN_TS),
	  .known = TREAT_PLAIN, .then = TREAT_PLAIN, COUNTED(plain) },
	{ "a SYN/ACK ends an exemption", SENT WITH_TSVAL(SYN_ACK, PLAIN_TS),
	  BECOMES WITH_TSVAL(SYN_ACK, STAMPED_TS), .known = TREAT_PLAIN, COUNTED(stamped) },
	{ "the repeated SYN/ACK of an exempt handshake does not",
	  SENT WITH_TSVAL(SYN_ACK, PLAIN_TS), .known = TREAT_PLAIN_HANDSHAKE,
	  .then = TREAT_PLAIN_HANDSHAKE, COUNTED(plain) },
	{ "the first segment after it is exempt, and the handshake is over",
	  SENT WITH_TSVAL(ACK, PLAIN_TS), .known = TREAT_PLAIN_HANDSHAKE, .then = TREAT_PLAIN,
	  COUNTED(plain) },
	{ "nothing is stamped where stamping is off", SENT WITH_TSVAL(ACK, PLAIN_TS), .off = 1,
	  COUNTED(plain) },
	{ "a draining connection is stamped", SENT WITH_TSVAL(ACK, PLAIN_TS),
	  BECOMES WITH_TSVAL(ACK, STAMPED_TS), .off = 1, .known = TREAT_STAMPED,
	  .then = TREAT_STAMPED, COUNTED(stamped) },
	{ "a SYN/ACK ends a draining connection", SENT WITH_TSVAL(SYN_ACK, PLAIN_TS), .off = 1,
	  .known = TREAT_STAMPED, COUNTED(plain) },

	{ "before stamping begins, a segment notes its connection as exempt",
	  SENT WITH_TSVAL(ACK, PLAIN_TS), .off = 1, .recording = 1, .then = TREAT_PLAIN,
	  COUNTED(plain) },
	{ "before stamping begins, a SYN/ACK notes an exempt handshake",
	  SENT WITH_TSVAL(SYN_ACK, PLAIN_TS), .off = 1, .recording = 1,
	  .then = TREAT_PLAIN_HANDSHAKE, COUNTED(plain) },
	{ "while connections are noted, a SYN/ACK ends no exemption",
	  SENT WITH_TSVAL(SYN_ACK, PLAIN_TS), .recording = 1, .known = TREAT_PLAIN,
	  .then = TREAT_PLAIN, COUNTED(plain) },
	{ "before stamping ends, a segment notes its connection as draining",
	  SENT WITH_TSVAL(ACK, PLAIN_TS), BECOMES WITH_TSVAL(ACK, STAMPED_TS), .recording = 1,
	  .then = TREAT_STAMPED, COUNTED(stamped) },
	{ "before stamping ends, a SYN/ACK notes its connection as draining",
	  SENT WITH_TSVAL(SYN_ACK, PLAIN_TS), BECOMES WITH_TSVAL(SYN_ACK, STAMPED_TS),
	  .recording = 1, .then = TREAT_STAMPED, COUNTED(stamped) },

	{ "the stamp of a segment received is taken off", RECEIVED WITH_TSECR(ACK, STAMPED_TS),
	  BECOMES WITH_TSECR(ACK, PLAIN_TS), COUNTED(restored) },
	{ "an echo at an odd offset is restored and the checksum is right",
	  RECEIVED SEGMENT(ACK, NOP, TIMESTAMP(5, STAMPED_TS), NOP),
	  BECOMES SEGMENT(ACK, NOP, TIMESTAMP(5, PLAIN_TS), NOP), COUNTED(restored) },
	{ "an echo of 0 stays 0", RECEIVED WITH_TSECR(ACK, 0) },
	{ "the echo of a segment without ACK stays as it is",
	  RECEIVED WITH_TSECR(TCP_RST, STAMPED_TS) },
	{ "a SYN stays as it is", RECEIVED WITH_TSECR(TCP_SYN, 7) },
	{ "what another port receives stays as it is",
	  RECEIVED{ .flags = ACK,
		    .dport = PORT_OTHER,
		    OPTIONS(NOP, NOP, TIMESTAMP(5, STAMPED_TS)) } },
	{ "malformed options of a segment received stay as they are",
	  RECEIVED SEGMENT(ACK, MSS, SACK_PERMITTED, TCPOPT_WINDOW, 1, TIMESTAMP(5, STAMPED_TS)),
	  COUNTED(malformed) },
	{ "an exempt connection's echo stays as it is", RECEIVED WITH_TSECR(ACK, PLAIN_TS),
	  .known = TREAT_PLAIN, .then = TREAT_PLAIN },
	{ "an exempt handshake's echo stays as it is", RECEIVED WITH_TSECR(ACK, PLAIN_TS),
	  .known = TREAT_PLAIN_HANDSHAKE, .then = TREAT_PLAIN_HANDSHAKE },
	{ "no echo is touched where stamping is off", RECEIVED WITH_TSECR(ACK, PLAIN_TS),
	  .off = 1 },
	{ "a draining connection's echo is restored", RECEIVED WITH_TSECR(ACK, STAMPED_TS),
	  BECOMES WITH_TSECR(ACK, PLAIN_TS), .off = 1, .known = TREAT_STAMPED,
	  .then = TREAT_STAMPED, COUNTED(restored) },
	{ "before stamping begins, a segment received notes its connection as exempt",
	  RECEIVED WITH_TSECR(ACK, PLAIN_TS), .off = 1, .recording = 1, .then = TREAT_PLAIN },
	{ "before stamping ends, a segment received notes its connection as draining",
	  RECEIVED WITH_TSECR(ACK, STAMPED_TS), BECOMES WITH_TSECR(ACK, PLAIN_TS), .recording = 1,
	  .then = TREAT_STAMPED, COUNTED(restored) },
};

/* A third ACK that answers a cookie, when stamping was switched so long ago. */
struct birth {
	const char *sentence;
	uint32_t off;
	int switched_s; /* ago */
	bool stamped;   /* its echo, 1 s old; else as the server's own clock has it */
	enum treatment then;
	int counter;
};

static const struct birth births[] = {
	{ "a third ACK with a plain echo just after stamping began is exempt", .switched_s = 5,
	  .then = TREAT_PLAIN },
	{ "a third ACK with a stamped echo just after stamping began is as all others",
	  .switched_s = 5, .stamped = true, COUNTED(restored) },
	{ "a third ACK with a stamped echo just after stamping ended is draining", .off = 1,
	  .switched_s = 5, .stamped = true, .then = TREAT_STAMPED, COUNTED(restored) },
	{ "a third ACK with a plain echo just after stamping ended is as all others", .off = 1,
	  .switched_s = 5 },
	{ "no echo is judged once the cookies of before the switch have died", .switched_s = 129,
	  COUNTED(restored) },
};

enum family { V4, V4_WITH_OPTIONS, V6, FAMILIES };
static const char *const family_names[] = { "IPv4", "IPv4 with options", "IPv6" };

static char pin_dir[64];
static struct server_maps *maps;
static int programs[2];

static void die(const char *what)
{
	printf("Bail out! %s: %m\n", what);
	exit(1);
}

static void set_up(void)
{
	static const char *const names[] = {
		[SERVER_INGRESS] = "ingress", [SERVER_EGRESS] = "egress"
	};
	struct address address;
	char path[128];

	snprintf(pin_dir, sizeof(pin_dir), "/sys/fs/bpf/mptcp-lb-rows-%d", getpid());
	snprintf(path, sizeof(path), "%s/server", pin_dir);
	if (bpffs_prepare(path) || programs_load(pin_dir) || server_maps_open_new(pin_dir, &maps))
		die("can't load");
	for (int i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/server/%s", pin_dir, names[i]);
		programs[i] = bpf_obj_get(path);
		if (programs[i] < 0)
			die("can't open a program");
	}
	address_parse(SERVICE_V4, &address);
	server_maps_add_service(maps, &address, htons(SERVICE_PORT));
	address_parse(SERVICE_V6, &address);
	server_maps_add_service(maps, &address, htons(SERVICE_PORT));
	server_maps_state(maps)->abi = SERVER_ABI;
	server_maps_push_key(maps, &(struct server_key){ .key = 0x1122334455667788, .token = 1 });
}

static void tear_down(void)
{
	server_maps_close(maps);
	programs_unpin(pin_dir);
	rmdir(pin_dir);
}

/* packet_build() writes segments of clients; both checksums stay right when it is turned. */
static void turn(uint8_t *frame, const struct segment *segment)
{
	size_t length = segment->v6 ? 16 : 4;
	size_t tcp = ETH_HLEN + (segment->v6 ? sizeof(struct ipv6hdr)
					     : sizeof(struct iphdr) + segment->ipv4_options);
	uint8_t *addresses = frame + ETH_HLEN + (segment->v6 ? 8 : 12), kept[16];

	memcpy(kept, addresses, length);
	memcpy(addresses, addresses + length, length);
	memcpy(addresses + length, kept, length);
	memcpy(kept, frame + tcp, 2);
	memcpy(frame + tcp, frame + tcp + 2, 2);
	memcpy(frame + tcp + 2, kept, 2);
}

static size_t build(uint8_t *frame, struct segment segment, enum family family,
		    enum server_program program)
{
	size_t length;

	segment.v6 = family == V6;
	segment.ipv4_options = family == V4_WITH_OPTIONS ? 12 : 0;
	if (!segment.v6 && segment.protocol == IPPROTO_FRAGMENT)
		segment.protocol = 0;
	length = packet_build(frame, &segment);
	if (program == SERVER_EGRESS)
		turn(frame, &segment);
	return length;
}

static struct connection connection_of(enum family family, uint16_t local_port)
{
	struct connection connection = { .local_port =
						 htons(local_port ? local_port : SERVICE_PORT),
					 .remote_port = htons(CLIENT_PORT) };

	address_parse(family == V6 ? SERVICE_V6 : SERVICE_V4, &connection.local);
	address_parse(family == V6 ? CLIENT_V6 : CLIENT_V4, &connection.remote);
	return connection;
}

static void set_state(const struct row *row, uint32_t constant, uint64_t switched_ms)
{
	struct server_state *state = server_maps_state(maps);

	state->stamping = !row->off;
	state->recording = row->recording;
	state->replacing = 1;
	state->constant = constant;
	state->switched_ms = switched_ms;
}

static bool check_frame(const uint8_t *want, size_t want_length, const uint8_t *got,
			size_t got_length)
{
	if (want_length == got_length && !memcmp(want, got, want_length))
		return true;
	for (size_t i = 0; i < want_length && i < got_length; i++)
		if (want[i] != got[i])
			diag("byte %zu is %02x, not %02x", i, got[i], want[i]);
	if (want_length != got_length)
		diag("%zu bytes came out, not %zu", got_length, want_length);
	return false;
}

/* not_a_cookie goes together with what becomes of the timestamp. */
static bool check_counters(int counter, const uint64_t *before, const uint64_t *after)
{
	bool good = true;

	for (int i = 0; i < SERVER_COUNTER_COUNT; i++) {
		bool wanted = i + 1 == counter ||
			      (i == SERVER_stamped && counter == SERVER_not_a_cookie + 1);

		if (after[i] - before[i] == wanted)
			continue;
		diag("counter %d moved by %llu", i, (unsigned long long)(after[i] - before[i]));
		good = false;
	}
	return good;
}

static bool check_treatment(const struct connection *connection, enum treatment want)
{
	enum treatment got = server_maps_treatment(maps, connection);

	if (got != want)
		diag("the connection is noted with %d, not %d", got, want);
	return got == want;
}

/* Whether the program makes `want` of `in`, and counts and notes what the row says. */
static bool run_program(const struct row *row, const struct connection *connection,
			const uint8_t *in, const uint8_t *want, size_t length)
{
	uint64_t before[SERVER_COUNTER_COUNT], after[SERVER_COUNTER_COUNT];
	uint8_t out[FRAME_MAX];
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = in, .data_size_in = length, .data_out = out,
		    .data_size_out = sizeof(out));
	bool good;

	if (row->known)
		server_maps_add_connection(maps, connection, row->known);
	server_maps_counters(maps, before);
	if (bpf_prog_test_run_opts(programs[row->program], &run))
		die("BPF_PROG_TEST_RUN");
	server_maps_counters(maps, after);
	good = check_frame(want, length, out, run.data_size_out);
	good &= check_counters(row->counter, before, after);
	good &= check_treatment(connection, row->then);
	good &= (int)run.retval == -1 && server_maps_keys_queued(maps) == 1;
	server_maps_delete_connection(maps, connection);
	return good;
}

static void run_row(const struct row *row, enum family family)
{
	struct connection connection = connection_of(family, row->before.dport);
	const struct segment *after = row->after.flags ? &row->after : &row->before;
	uint8_t in[FRAME_MAX], want[FRAME_MAX];
	size_t length = build(in, row->before, family, row->program);

	build(want, *after, family, row->program);
	set_state(row, CONSTANT, 0);
	ok(run_program(row, &connection, in, want, length), "%s: %s", family_names[family],
	   row->sentence);
}

static uint64_t monotonic_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ull + now.tv_nsec / 1000000;
}

static struct segment third_ack(uint32_t tsecr)
{
	return (struct segment)WITH_TSECR(ACK, tsecr);
}

/* The constant is chosen so that 1 s ago the stamped clock, or a plain one, said STAMPED_TS. */
static void run_birth(const struct birth *birth, enum family family)
{
	uint64_t now = monotonic_ms();
	uint32_t constant = birth->stamped ? STAMPED_TS + 1000 - now : CONSTANT;
	uint32_t echo = birth->stamped ? STAMPED_TS : now - 1000;
	struct row row = { .program = SERVER_INGRESS,
			   .off = birth->off,
			   .then = birth->then,
			   .counter = birth->counter };
	struct connection connection = connection_of(family, 0);
	uint8_t in[FRAME_MAX], want[FRAME_MAX];
	size_t length = build(in, third_ack(echo), family, SERVER_INGRESS);

	build(want, third_ack(birth->counter ? echo - constant : echo), family, SERVER_INGRESS);
	set_state(&row, constant, now - birth->switched_s * 1000);
	ok(run_program(&row, &connection, in, want, length), "%s: %s", family_names[family],
	   birth->sentence);
}

static bool opens(uint64_t netns)
{
	struct server_maps *again;

	server_maps_state(maps)->netns = netns;
	if (server_maps_open(pin_dir, &again))
		return false;
	server_maps_close(again);
	return true;
}

/* A later namespace gets the inode of one that is gone. */
static void run_namespace(void)
{
	uint64_t here = netns_cookie();
	struct stat inode;

	stat("/proc/self/ns/net", &inode);
	ok(here && opens(here), "what is attached in this network namespace opens");
	ok(!opens(inode.st_ino), "a network namespace is not told by its inode");
}

int main(void)
{
	set_up();
	run_namespace();
	for (int family = 0; family < FAMILIES; family++) {
		for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
			run_row(&rows[i], family);
		for (size_t i = 0; i < sizeof(births) / sizeof(births[0]); i++)
			run_birth(&births[i], family);
	}
	tear_down();
	return tap_end();
}
