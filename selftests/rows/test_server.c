// SPDX-License-Identifier: GPL-2.0-only
/* Every byte that the server side's tc programs leave, by BPF_PROG_TEST_RUN. Needs root. */
#include <linux/pkt_cls.h>
#include <sys/stat.h>

#include "../../loader/netns.h"
#include "server_fixture.h"

struct options options;

#define OFFSET_MS 0x01020340u
#define CONSTANT (OFFSET_MS + (7u << 24)) /* index 7 of 8 bits */
#define PLAIN_TS 0x12345678u
#define STAMPED_TS 0x1a3659b8u /* the sum, worked out by hand */

#define MSS_OF(value) TCPOPT_MSS, 4, (value) >> 8, (value)&0xff
#define MP_CAPABLE_SYN_ACK TCPOPT_MPTCP, 12, 0x01, 0x01, 1, 2, 3, 4, 5, 6, 7, 8

enum { PORT_OTHER = 8443 };
#define OTHER_V4 "192.0.2.2" /* a destination that is not the service */
#define OTHER_V6 "2001:db8:1::2"

/* What a row finds, and what must be there after it. 0 in `known` and `then`: no entry. */
struct row {
	const char *sentence;
	enum server_program program;
	struct segment before;
	struct segment after; /* no flags: as before */
	uint32_t off;         /* 1: new connections are plain */
	uint32_t recording;
	enum treatment known, then;
	uint32_t counters;
	uint32_t overhead;
};

#define SENT .program = SERVER_EGRESS, .before =
#define RECEIVED .program = SERVER_INGRESS, .before =
#define BECOMES .after =
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

/* Each is run over each family; what has extension headers of its own, over IPv6. */
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
	{ "a segment behind one short extension header is stamped",
	  SENT{ .flags = ACK, .extensions = 1, OPTIONS(NOP, NOP, TIMESTAMP(PLAIN_TS, 9)) },
	  BECOMES{ .flags = ACK, .extensions = 1, OPTIONS(NOP, NOP, TIMESTAMP(STAMPED_TS, 9)) },
	  COUNTED(stamped) },
	{ "a segment behind five extension headers stays as it is", SENT UNUSUAL(.extensions = 5) },
	{ "a segment behind too long an extension header stays as it is",
	  SENT UNUSUAL(.extensions = 1, .extension_units = 8) },
	{ "a frame with its VLAN tag in it stays as it is", SENT UNUSUAL(.vlans = 1) },
	{ "what another port answers an unknown segment stays as it is",
	  SENT{ .flags = TCP_RST, .dport = PORT_OTHER } },
	{ "what another port answers in TIME_WAIT or SYN_RECV stays as it is",
	  SENT{ .flags = ACK, .dport = PORT_OTHER, OPTIONS(NOP, NOP, TIMESTAMP(PLAIN_TS, 9)) } },
	{ "what another address sends from the port stays as it is",
	  SENT UNUSUAL(.destination = "elsewhere") },
	{ "a RST for an unknown segment, which has no options, stays as it is",
	  SENT{ .flags = TCP_RST } },
	{ "the key of a SYN/ACK that has a socket stays, and it is stamped",
	  SENT SEGMENT(SYN_ACK, MSS, SACK_PERMITTED, TIMESTAMP(PLAIN_TS, 9), MP_CAPABLE_SYN_ACK),
	  BECOMES SEGMENT(SYN_ACK, MSS, SACK_PERMITTED, TIMESTAMP(STAMPED_TS, 9),
			  MP_CAPABLE_SYN_ACK),
	  COUNTED2(not_a_cookie, stamped) },

	{ "the MSS of a SYN/ACK is lowered by what the tunnel adds",
	  SENT SEGMENT(SYN_ACK, MSS, SACK_PERMITTED, TIMESTAMP(PLAIN_TS, 9)),
	  BECOMES SEGMENT(SYN_ACK, MSS_OF(1460 - 32), SACK_PERMITTED, TIMESTAMP(STAMPED_TS, 9)),
	  .overhead = 32, COUNTED2(stamped, mss_lowered) },
	{ "an MSS at an odd offset is lowered and the checksum is right",
	  SENT SEGMENT(SYN_ACK, NOP, MSS_OF(1025), NOP, NOP, NOP),
	  BECOMES SEGMENT(SYN_ACK, NOP, MSS_OF(1025 - 40), NOP, NOP, NOP), .overhead = 40,
	  COUNTED(mss_lowered) },
	{ "an MSS that ends with the header is lowered",
	  SENT SEGMENT(SYN_ACK, NOP28, NOP4, NOP4, MSS),
	  BECOMES SEGMENT(SYN_ACK, NOP28, NOP4, NOP4, MSS_OF(1460 - 20)), .overhead = 20,
	  COUNTED(mss_lowered) },
	{ "the MSS of an exempt connection is lowered as well",
	  SENT SEGMENT(SYN_ACK, MSS, TIMESTAMP(PLAIN_TS, 9), NOP, NOP),
	  BECOMES SEGMENT(SYN_ACK, MSS_OF(1460 - 20), TIMESTAMP(PLAIN_TS, 9), NOP, NOP), .off = 1,
	  .overhead = 20, COUNTED2(plain, mss_lowered) },
	{ "an MSS that a tunnel would leave nothing of stays", SENT SEGMENT(SYN_ACK, MSS_OF(52)),
	  .overhead = 52 },
	{ "an MSS option of a wrong length stays",
	  SENT SEGMENT(SYN_ACK, TCPOPT_MSS, 6, 5, 0xb4, 0, 0, NOP, NOP), .overhead = 20 },
	{ "the MSS of a SYN stays", SENT SEGMENT(TCP_SYN, MSS), .overhead = 20 },
	{ "the MSS of an ACK stays", SENT SEGMENT(ACK, MSS), .overhead = 20 },
	{ "a SYN/ACK without an MSS stays", SENT SEGMENT(SYN_ACK, SACK_PERMITTED, NOP, NOP),
	  .overhead = 20 },
	{ "what another port sends keeps its MSS",
	  SENT{ .flags = SYN_ACK, .dport = PORT_OTHER, OPTIONS(MSS) }, .overhead = 20 },
	{ "without a tunnel the MSS stays", SENT SEGMENT(SYN_ACK, MSS) },

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
	{ "what another address receives at the port stays as it is",
	  RECEIVED UNUSUAL(.destination = "elsewhere") },
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

/* A segment of an unknown connection, when echoes began to be judged so long ago. */
struct birth {
	const char *sentence;
	uint32_t off;
	enum judging judging; /* JUDGE_HANDSHAKES if left out */
	int switched_s;       /* ago */
	int age_s;            /* of its echo; 1 if left out */
	bool stamped;         /* its echo; else as the server's own clock has it */
	enum treatment known, then;
	uint32_t counters;
};

static const struct birth births[] = {
	{ "a third ACK with a plain echo just after stamping began is exempt", .switched_s = 5,
	  .then = TREAT_PLAIN_JUDGED },
	{ "a third ACK with a stamped echo just after stamping began is as all others",
	  .switched_s = 5, .stamped = true, COUNTED(restored) },
	{ "a third ACK with a stamped echo just after stamping ended is draining", .off = 1,
	  .switched_s = 5, .stamped = true, .then = TREAT_STAMPED, COUNTED(restored) },
	{ "a third ACK with a plain echo just after stamping ended is as all others", .off = 1,
	  .switched_s = 5 },
	{ "no echo is judged once the cookies of before the switch have died", .switched_s = 129,
	  COUNTED(restored) },
	{ "a connection with a plain echo, born while the programs were away, is exempt",
	  .judging = JUDGE_CONNECTIONS, .switched_s = 5, .then = TREAT_PLAIN_JUDGED },
	{ "so is one that has been silent for an hour", .judging = JUDGE_CONNECTIONS,
	  .switched_s = 5, .age_s = 3600, .then = TREAT_PLAIN_JUDGED },
	{ "a stamped one from before is as all others, silent for an hour",
	  .judging = JUDGE_CONNECTIONS, .switched_s = 5, .age_s = 3600, .stamped = true,
	  COUNTED(restored) },
	{ "what was judged by a segment from before the programs came back is judged again",
	  .judging = JUDGE_CONNECTIONS, .switched_s = 5, .stamped = true,
	  .known = TREAT_PLAIN_JUDGED, .then = TREAT_STAMPED, COUNTED(restored) },
	{ "what was judged to be exempt stays so", .judging = JUDGE_CONNECTIONS, .switched_s = 5,
	  .known = TREAT_PLAIN_JUDGED, .then = TREAT_PLAIN_JUDGED },
	{ "also when nothing is judged any more", .switched_s = 129, .known = TREAT_PLAIN_JUDGED,
	  .then = TREAT_PLAIN_JUDGED },
	{ "what was exempt from the start is not judged again", .judging = JUDGE_CONNECTIONS,
	  .switched_s = 5, .stamped = true, .known = TREAT_PLAIN, .then = TREAT_PLAIN },
};

enum family { V4, V4_WITH_OPTIONS, V6, V6_WITH_EXTENSIONS, FAMILIES };
static const char *const family_names[] = { "IPv4", "IPv4 with options", "IPv6",
					    "IPv6 with extension headers" };

static bool is_v6(enum family family)
{
	return family == V6 || family == V6_WITH_EXTENSIONS;
}

/* packet_build() writes segments of clients; both checksums stay right when it is turned. */
static void turn(uint8_t *frame, const struct segment *segment)
{
	size_t length = segment->v6 ? 16 : 4;
	size_t extensions = segment->extensions * (8 + 8 * segment->extension_units);
	size_t tcp = ETH_HLEN + (segment->v6 ? sizeof(struct ipv6hdr) + extensions
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

	segment.v6 = is_v6(family);
	if (family == V6_WITH_EXTENSIONS && !segment.extensions) {
		segment.extensions = 4; /* as many and as long as are stepped over */
		segment.extension_units = 7;
	}
	segment.ipv4_options = family == V4_WITH_OPTIONS ? 12 : 0;
	if (segment.destination)
		segment.destination = segment.v6 ? OTHER_V6 : OTHER_V4;
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

	address_parse(is_v6(family) ? SERVICE_V6 : SERVICE_V4, &connection.local);
	address_parse(is_v6(family) ? CLIENT_V6 : CLIENT_V4, &connection.remote);
	return connection;
}

static void set_state(const struct row *row, uint32_t constant, uint64_t switched_ms)
{
	struct server_state *state = server_maps_state(maps);

	state->stamping = !row->off;
	state->recording = row->recording;
	state->replacing = 1;
	state->overhead = row->overhead;
	state->constant = constant;
	state->switched_ms = switched_ms;
	state->judging = JUDGE_HANDSHAKES;
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
	size_t out_length;
	int verdict;
	bool good;

	if (row->known)
		server_maps_add_connection(maps, connection, row->known);
	server_maps_counters(maps, before);
	out_length = run_frame(row->program, in, length, out, &verdict);
	server_maps_counters(maps, after);
	good = check_frame(want, length, out, out_length);
	good &= check_counters(row->counters, before, after);
	good &= check_treatment(connection, row->then);
	good &= verdict == TC_ACT_UNSPEC && server_maps_keys_queued(maps) == 1;
	server_maps_delete_connection(maps, connection);
	return good;
}

static void run_row(const struct row *row, enum family family)
{
	struct connection connection = connection_of(family, row->before.dport);
	const struct segment *after = row->after.flags ? &row->after : &row->before;
	uint8_t in[FRAME_MAX], want[FRAME_MAX];
	size_t length = build(in, row->before, family, row->program);

	if (row->before.extensions && family != V6)
		return;
	build(want, *after, family, row->program);
	set_state(row, CONSTANT, long_ago_ms());
	ok(run_program(row, &connection, in, want, length), "%s: %s", family_names[family],
	   row->sentence);
}

static struct segment third_ack(uint32_t tsecr)
{
	return (struct segment)WITH_TSECR(ACK, tsecr);
}

/* The constant is chosen so that the stamped clock, or a plain one, said STAMPED_TS then. */
static void run_birth(const struct birth *birth, enum family family)
{
	uint64_t now = monotonic_ms();
	uint32_t age_ms = 1000 * (birth->age_s ? birth->age_s : 1);
	uint32_t constant = birth->stamped ? STAMPED_TS + age_ms - now : CONSTANT;
	uint32_t echo = birth->stamped ? STAMPED_TS : now - age_ms;
	struct row row = { .program = SERVER_INGRESS,
			   .off = birth->off,
			   .known = birth->known,
			   .then = birth->then,
			   .counters = birth->counters };
	struct connection connection = connection_of(family, 0);
	uint8_t in[FRAME_MAX], want[FRAME_MAX];
	size_t length = build(in, third_ack(echo), family, SERVER_INGRESS);

	build(want, third_ack(birth->counters ? echo - constant : echo), family, SERVER_INGRESS);
	set_state(&row, constant, now - birth->switched_s * 1000);
	if (birth->judging)
		server_maps_state(maps)->judging = birth->judging;
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
	server_maps_push_key(maps, &(struct server_key){ .key = 0x1122334455667788, .token = 1 });
	run_namespace();
	for (int family = 0; family < FAMILIES; family++) {
		for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
			run_row(&rows[i], family);
		for (size_t i = 0; i < sizeof(births) / sizeof(births[0]); i++)
			run_birth(&births[i], family);
	}
	return tap_end();
}
