// SPDX-License-Identifier: GPL-2.0-only
/* What the server side makes of joins' third ACKs, before a real listener. Needs root. */
#define _GNU_SOURCE
#include <linux/pkt_cls.h>
#include <sched.h>
#include <sys/socket.h>

#include "server_fixture.h"

struct options options;

#define CONSTANT 0x08020340u
#define PLAIN_TS 0x12345678u
#define STAMPED_TS 0x1a3659b8u
#define SPOILT_SEQ (SEQ ^ 0x80000000u)

/* What a row sends, and what becomes of it; rows follow upon each other. */
struct row {
	const char *sentence;
	struct segment before, after; /* no flags: as before */
	uint32_t counters;
};

#define THIRD_ACK(tsecr, ...) \
	{ \
		.flags = TCP_ACK, OPTIONS(NOP, NOP, TIMESTAMP(5, tsecr), MP_JOIN_ACK), __VA_ARGS__ \
	}
#define PLAIN_THIRD_ACK(...) \
	{ \
		.flags = TCP_ACK, OPTIONS(MP_JOIN_ACK), __VA_ARGS__ \
	}
#define RESTORED .after = THIRD_ACK(PLAIN_TS)
#define AGAIN 0x55660000u /* another connection's SYN/ACK of the same 4-tuple */

static const struct row with_listener[] = {
	{ "the first third ACK of a join passes", THIRD_ACK(STAMPED_TS), RESTORED,
	  COUNTED(restored) },
	{ "the second one's cookie is spoilt", THIRD_ACK(STAMPED_TS),
	  THIRD_ACK(PLAIN_TS, .seq = SPOILT_SEQ), COUNTED2(restored, join_reset) },
	{ "and the third one's", THIRD_ACK(STAMPED_TS), THIRD_ACK(PLAIN_TS, .seq = SPOILT_SEQ),
	  COUNTED2(restored, join_reset) },
	{ "one with data passes", THIRD_ACK(STAMPED_TS, .payload = 1),
	  THIRD_ACK(PLAIN_TS, .payload = 1), COUNTED(restored) },
	{ "the first of a later join of the same 4-tuple passes",
	  THIRD_ACK(STAMPED_TS, .ack_seq = AGAIN), THIRD_ACK(PLAIN_TS, .ack_seq = AGAIN),
	  COUNTED(restored) },
	{ "its second one's cookie is spoilt", THIRD_ACK(STAMPED_TS, .ack_seq = AGAIN),
	  THIRD_ACK(PLAIN_TS, .seq = SPOILT_SEQ, .ack_seq = AGAIN),
	  COUNTED2(restored, join_reset) },
	{ "a first one without timestamps passes", PLAIN_THIRD_ACK(.sport = 4711) },
	{ "a second one without timestamps is spoilt", PLAIN_THIRD_ACK(.sport = 4711),
	  PLAIN_THIRD_ACK(.sport = 4711, .seq = SPOILT_SEQ), COUNTED(join_reset) },
	{ "an ACK of a length that no join has passes",
	  { .flags = TCP_ACK,
	    .sport = 4711,
	    OPTIONS(TCPOPT_MPTCP, 20, 0x10, 0, NOP4, NOP4, NOP4, NOP4) } },
	{ "one to another port passes", PLAIN_THIRD_ACK(.sport = 4711, .dport = 8443) },
};

static const struct row repeated[] = {
	{ "passes", THIRD_ACK(STAMPED_TS), RESTORED, COUNTED(restored) },
	{ "passes again", THIRD_ACK(STAMPED_TS), RESTORED, COUNTED(restored) },
	{ "passes once more", THIRD_ACK(STAMPED_TS), RESTORED, COUNTED(restored) },
};

static void run_row(const struct row *row, bool v6, const char *when)
{
	uint64_t before[SERVER_COUNTER_COUNT], after[SERVER_COUNTER_COUNT];
	struct segment in = row->before, want = row->after.flags ? row->after : row->before;
	uint8_t in_frame[FRAME_MAX], want_frame[FRAME_MAX], out[FRAME_MAX];
	size_t length, out_length;
	int verdict;
	bool good;

	in.v6 = want.v6 = v6;
	length = packet_build(in_frame, &in);
	packet_build(want_frame, &want);
	server_maps_counters(maps, before);
	out_length = run_frame(SERVER_INGRESS, in_frame, length, out, &verdict);
	server_maps_counters(maps, after);
	good = check_frame(want_frame, length, out, out_length);
	good &= check_counters(row->counters, before, after);
	ok(good && verdict == TC_ACT_UNSPEC, "IPv%d%s: %s", v6 ? 6 : 4, when, row->sentence);
}

static socklen_t address_of(bool v6, const char *host, uint16_t port, struct sockaddr_in6 *address)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)address;

	*address = (struct sockaddr_in6){ .sin6_family = v6 ? AF_INET6 : AF_INET,
					  .sin6_port = htons(port) };
	inet_pton(v6 ? AF_INET6 : AF_INET, host, v6 ? (void *)&address->sin6_addr : &v4->sin_addr);
	return v6 ? sizeof(*address) : sizeof(*v4);
}

static int bound_socket(bool v6, const char *host, uint16_t port)
{
	struct sockaddr_in6 address;
	socklen_t length = address_of(v6, host, port, &address);
	int fd = socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM, 0), one = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&address, length))
		die("bind");
	return fd;
}

static const char *service_of(bool v6)
{
	return v6 ? SERVICE_V6 : SERVICE_V4;
}

/* A connection of the 4-tuple that the rows' segments have. */
static int connect_client(bool v6)
{
	int fd = bound_socket(v6, v6 ? CLIENT_V6 : CLIENT_V4, CLIENT_PORT);
	struct sockaddr_in6 address;
	socklen_t length = address_of(v6, service_of(v6), SERVICE_PORT, &address);

	if (connect(fd, (struct sockaddr *)&address, length))
		die("connect");
	return fd;
}

static void run_repeated(bool v6, const char *when)
{
	for (size_t i = 0; i < sizeof(repeated) / sizeof(repeated[0]); i++)
		run_row(&repeated[i], v6, when);
}

static void run_family(bool v6)
{
	int listener = bound_socket(v6, service_of(v6), SERVICE_PORT), client;

	if (listen(listener, 1))
		die("listen");
	for (size_t i = 0; i < sizeof(with_listener) / sizeof(with_listener[0]); i++)
		run_row(&with_listener[i], v6, "");
	client = connect_client(v6);
	run_repeated(v6, ", with a connection");
	close(client);
	server_maps_state(maps)->joins_max = 0;
	run_repeated(v6, ", where joins are left alone");
	server_maps_state(maps)->joins_max = SERVER_JOINS_MAX;
	close(listener);
}

int main(void)
{
	if (unshare(CLONE_NEWNET) ||
	    system("ip link set lo up && ip addr add " SERVICE_V4 "/32 dev lo && "
		   "ip addr add " CLIENT_V4 "/32 dev lo && "
		   "ip addr add " SERVICE_V6 "/128 dev lo nodad && "
		   "ip addr add " CLIENT_V6 "/128 dev lo nodad"))
		die("can't make the network");
	set_up();
	server_maps_state(maps)->stamping = 1;
	server_maps_state(maps)->constant = CONSTANT;
	server_maps_state(maps)->switched_ms = long_ago_ms();
	server_maps_state(maps)->joins_max = SERVER_JOINS_MAX;
	for (int v6 = 0; v6 < 2; v6++) {
		run_repeated(v6, ", without a listener");
		run_family(v6);
	}
	return tap_end();
}
