// SPDX-License-Identifier: GPL-2.0-only
/*
 * A client takes over a TSval from any segment in its window. To an out-of-window ACK a server's
 * TCP answers with an ACK that is in the client's window (RFC 9293 section 3.10.7.4), so an ACK
 * with a random sequence number, given to this host's TCP as if the client had sent it, makes it
 * send the client a fresh stamp. It has no data, no timestamps and no options: whatever state the
 * connection is in, TCP discards it (RFC 5961).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "address.h"
#include "server_refresh.h"
#include "sockets.h"

#define AT_ONCE 256
#define SCANS_IN_PERIOD 16
#define HOPS 64

struct server_refresh {
	struct server_maps *maps;
	int v4, v6;         /* raw sockets */
	int64_t scanned_ms; /* 0: not yet */
	struct connection *due;
	uint32_t count, room;
	/* Of the scan at work: */
	uint64_t period_ms, since_ms;
};

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

/* A kernel without IPv6 has no connections over it. */
static bool open_sockets(struct server_refresh *refresh)
{
	refresh->v4 = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
	refresh->v6 = socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
	return refresh->v4 >= 0 && (refresh->v6 >= 0 || errno == EAFNOSUPPORT);
}

enum status refresh_open(struct server_maps *maps, struct server_refresh **refresh)
{
	struct server_refresh *r = calloc(1, sizeof(*r));
	int error;

	if (!r)
		return fail(FAILED, "there is no memory to refresh stamps with");
	r->maps = maps;
	*refresh = r;
	if (open_sockets(r))
		return DONE;
	error = errno;
	refresh_close(r);
	return fail(FAILED, "can't refresh stamps: %s", strerror(error));
}

void refresh_close(struct server_refresh *refresh)
{
	if (refresh->v4 >= 0)
		close(refresh->v4);
	if (refresh->v6 >= 0)
		close(refresh->v6);
	free(refresh->due);
	free(refresh);
}

/* Once in a period, counted from when it fell idle, so that nothing has to be remembered. */
static bool is_due(const struct server_refresh *refresh, uint64_t idle_ms)
{
	uint64_t since_ms = refresh->since_ms < idle_ms ? refresh->since_ms : idle_ms;

	return idle_ms / refresh->period_ms != (idle_ms - since_ms) / refresh->period_ms;
}

/* What finds no memory is due again in the next period. */
static void add_due(struct server_refresh *refresh, const struct connection *connection)
{
	uint32_t room = refresh->room ? 2 * refresh->room : AT_ONCE;
	struct connection *more;

	if (refresh->count == refresh->room) {
		more = realloc(refresh->due, room * sizeof(*more));
		if (!more)
			return;
		refresh->due = more;
		refresh->room = room;
	}
	refresh->due[refresh->count++] = *connection;
}

static void look_at(const struct connection *connection, uint32_t idle_ms, void *context)
{
	struct server_refresh *refresh = context;
	enum treatment treatment;

	if (!is_due(refresh, idle_ms) ||
	    !server_maps_is_service(refresh->maps, &connection->local, connection->local_port))
		return;
	treatment = server_maps_treatment(refresh->maps, connection);
	if (!treatment || treatment == TREAT_STAMPED)
		add_due(refresh, connection);
}

static void scan(struct server_refresh *refresh, uint64_t period_ms)
{
	int64_t now = now_ms();

	refresh->period_ms = period_ms;
	refresh->since_ms = refresh->scanned_ms ? now - refresh->scanned_ms : (int64_t)period_ms;
	refresh->scanned_ms = now;
	sockets_each_idle(look_at, refresh);
}

static uint32_t add_words(uint32_t sum, const void *words, size_t bytes)
{
	for (size_t i = 0; i < bytes / 2; i++)
		sum += ((const uint16_t *)words)[i];
	return sum;
}

/* With a pseudo-header, of which the addresses weigh the same in either order of bytes. */
static uint16_t checksum(const struct connection *connection, const struct tcphdr *tcp)
{
	bool v4 = address_is_v4(&connection->local);
	size_t skip = v4 ? 12 : 0;
	uint32_t sum = htons(IPPROTO_TCP) + htons(sizeof(*tcp));

	sum = add_words(sum, connection->local.bytes + skip, 16 - skip);
	sum = add_words(sum, connection->remote.bytes + skip, 16 - skip);
	sum = add_words(sum, tcp, sizeof(*tcp));
	sum = (sum & 0xffff) + (sum >> 16);
	return ~((sum & 0xffff) + (sum >> 16));
}

static struct tcphdr forge_ack(const struct connection *connection)
{
	struct tcphdr tcp = {
		.source = connection->remote_port,
		.dest = connection->local_port,
		.doff = sizeof(tcp) / 4,
		.ack = 1,
	};

	getrandom(&tcp.seq, sizeof(tcp.seq), 0);
	getrandom(&tcp.ack_seq, sizeof(tcp.ack_seq), 0);
	tcp.check = checksum(connection, &tcp);
	return tcp;
}

/* The kernel fills in the checksum and the length of IPv4 headers. */
static void send_v4(int fd, const struct connection *connection)
{
	const struct sockaddr_in to = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = connection->local.words[3],
	};
	const struct {
		struct iphdr ip;
		struct tcphdr tcp;
	} packet = {
		.ip = {
			.version = 4,
			.ihl = sizeof(struct iphdr) / 4,
			.ttl = HOPS,
			.protocol = IPPROTO_TCP,
			.saddr = connection->remote.words[3],
			.daddr = connection->local.words[3],
		},
		.tcp = forge_ack(connection),
	};

	sendto(fd, &packet, sizeof(packet), MSG_DONTWAIT, (const struct sockaddr *)&to, sizeof(to));
}

static void send_v6(int fd, const struct connection *connection)
{
	struct sockaddr_in6 to = { .sin6_family = AF_INET6 };
	struct {
		struct ipv6hdr ip;
		struct tcphdr tcp;
	} packet = {
		.ip = {
			.version = 6,
			.payload_len = htons(sizeof(struct tcphdr)),
			.nexthdr = IPPROTO_TCP,
			.hop_limit = HOPS,
		},
		.tcp = forge_ack(connection),
	};

	memcpy(&to.sin6_addr, &connection->local, sizeof(to.sin6_addr));
	memcpy(&packet.ip.saddr, &connection->remote, sizeof(packet.ip.saddr));
	memcpy(&packet.ip.daddr, &connection->local, sizeof(packet.ip.daddr));
	sendto(fd, &packet, sizeof(packet), MSG_DONTWAIT, (const struct sockaddr *)&to, sizeof(to));
}

uint32_t refresh_turn(struct server_refresh *refresh, uint64_t period_ms)
{
	int64_t scan_ms = period_ms / SCANS_IN_PERIOD;

	if (!refresh->count && (!refresh->scanned_ms || now_ms() - refresh->scanned_ms >= scan_ms))
		scan(refresh, period_ms);
	for (int sent = 0; refresh->count && sent < AT_ONCE; sent++) {
		const struct connection *connection = &refresh->due[--refresh->count];

		if (address_is_v4(&connection->local))
			send_v4(refresh->v4, connection);
		else if (refresh->v6 >= 0)
			send_v6(refresh->v6, connection);
	}
	return refresh->count;
}
