// SPDX-License-Identifier: GPL-2.0-only
/*
 * A wire between two devices: frames arrive late by DELAY_MS, or, LOSS in 1000 of them, never.
 * `spoil`: the first third ACK of each join gets a wrong HMAC, and the RST for it is lost.
 * Usage: wire DEV DEV DELAY_MS LOSS [spoil]. Ends with its input, and prints what it saw as JSON.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "../include/wire.h"

#define FRAME_MAX 2048 /* devices at its ends leave neither segments nor checksums to it */
#define PORTS 65536
#define RECEIVE_BYTES (64 << 20)

struct frame {
	struct frame *next;
	uint64_t due_ns;
	size_t length;
	uint8_t bytes[];
};

struct direction {
	int from, to; /* sockets */
	struct frame *first, **last;
};

static struct direction directions[2];
static uint64_t delay_ns;
static uint32_t loss;
static bool spoils;

/* By the client's port. */
static uint32_t third_acks[PORTS];
static bool rst_lost[PORTS];

static uint64_t frames, lost;

static void die(const char *what)
{
	fprintf(stderr, "wire: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ull + now.tv_nsec;
}

static int open_device(const char *name)
{
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, htons(ETH_P_ALL));
	struct sockaddr_ll address = { .sll_family = AF_PACKET,
				       .sll_protocol = htons(ETH_P_ALL),
				       .sll_ifindex = if_nametoindex(name) };
	int bytes = RECEIVE_BYTES;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) ||
	    bind(fd, (struct sockaddr *)&address, sizeof(address)))
		die(name);
	return fd;
}

/* The TCP header of a frame without VLAN tags or extension headers; NULL if there is none. */
static uint8_t *tcp_of(uint8_t *frame, size_t length)
{
	uint8_t *ip = frame + ETH_HLEN;
	size_t header = 0;

	if (length > ETH_HLEN + 40 && ip[0] >> 4 == 4 && ip[9] == IPPROTO_TCP)
		header = (ip[0] & 15) * 4;
	else if (length > ETH_HLEN + 60 && ip[0] >> 4 == 6 && ip[6] == IPPROTO_TCP)
		header = 40;
	return header && length >= ETH_HLEN + header + TCP_HEADER_MIN ? ip + header : NULL;
}

/* The MP_JOIN of a third ACK, where Linux has it: behind the timestamps. */
static uint8_t *join_of(uint8_t *tcp, const uint8_t *end)
{
	uint8_t *option = tcp + TCP_HEADER_MIN + 2 + TCPOLEN_TIMESTAMP;

	if (option + TCPOLEN_MPTCP_MPJ_ACK > end || tcp[TCP_FLAGS_OFFSET] & (TCP_SYN | TCP_RST) ||
	    option[0] != TCPOPT_MPTCP || option[1] != TCPOLEN_MPTCP_MPJ_ACK ||
	    option[2] >> 4 != MPTCPOPT_MP_JOIN)
		return NULL;
	return option;
}

/* Flips a byte of the HMAC and as much in the sum; RFC 1624, equation 3. */
static void spoil(uint8_t *tcp, uint8_t *option)
{
	uint16_t *word = (uint16_t *)(option + 4), *check = (uint16_t *)(tcp + TCP_CHECK_OFFSET);
	uint32_t sum = (uint16_t) ~*check + (uint16_t) ~*word;

	*word ^= 0x5a5a;
	sum += *word;
	sum = (sum & 0xffff) + (sum >> 16);
	*check = ~((sum & 0xffff) + (sum >> 16));
}

static bool survives(struct frame *frame, bool from_client)
{
	uint8_t *tcp = tcp_of(frame->bytes, frame->length), *option;
	uint16_t port;

	if (!tcp)
		return true;
	port = ntohs(*(uint16_t *)(from_client ? tcp : tcp + 2));
	option = from_client ? join_of(tcp, frame->bytes + frame->length) : NULL;
	if (option && !third_acks[port]++ && spoils)
		spoil(tcp, option);
	if (spoils && !from_client && tcp[TCP_FLAGS_OFFSET] & TCP_RST && third_acks[port] &&
	    !rst_lost[port]) {
		rst_lost[port] = true;
		return false;
	}
	return (uint32_t)(random() % 1000) >= loss;
}

static void accept_frame(struct direction *direction, const uint8_t *bytes, size_t length)
{
	struct frame *frame = malloc(sizeof(*frame) + length);

	frames++;
	if (!frame)
		die("out of memory");
	*frame = (struct frame){ .due_ns = now_ns() + delay_ns, .length = length };
	memcpy(frame->bytes, bytes, length);
	if (!survives(frame, direction == &directions[0])) {
		lost++;
		free(frame);
		return;
	}
	*direction->last = frame;
	direction->last = &frame->next;
}

static void take_in(struct direction *direction)
{
	struct sockaddr_ll from;
	socklen_t from_length = sizeof(from);
	uint8_t bytes[FRAME_MAX];
	ssize_t length;

	while ((length = recvfrom(direction->from, bytes, sizeof(bytes), 0,
				  (struct sockaddr *)&from, &from_length)) > 0)
		if (from.sll_pkttype != PACKET_OUTGOING)
			accept_frame(direction, bytes, length);
}

/* Hands out what is due. Returns in how many nanoseconds the next frame is; a second if none. */
static uint64_t hand_out(struct direction *direction)
{
	uint64_t now = now_ns();

	while (direction->first && direction->first->due_ns <= now) {
		struct frame *frame = direction->first;

		if (send(direction->to, frame->bytes, frame->length, 0) < 0 && errno != ENOBUFS)
			die("can't send");
		direction->first = frame->next;
		if (!direction->first)
			direction->last = &direction->first;
		free(frame);
	}
	return direction->first ? direction->first->due_ns - now : 1000000000;
}

static void carry(void)
{
	struct pollfd ready[] = { { STDIN_FILENO, POLLIN },
				  { directions[0].from, POLLIN },
				  { directions[1].from, POLLIN } };

	while (!ready[0].revents) {
		uint64_t wait_ns = 1000000000;

		for (int i = 0; i < 2; i++) {
			uint64_t next_ns;

			take_in(&directions[i]);
			next_ns = hand_out(&directions[i]);
			wait_ns = next_ns < wait_ns ? next_ns : wait_ns;
		}
		ppoll(ready, 3, &(struct timespec){ wait_ns / 1000000000, wait_ns % 1000000000 },
		      NULL);
	}
}

int main(int argc, char **argv)
{
	uint32_t most = 0, repeated = 0;

	if (argc < 5)
		return 2;
	delay_ns = strtoull(argv[3], NULL, 10) * 1000000;
	loss = strtoul(argv[4], NULL, 10);
	spoils = argc > 5;
	for (int i = 0; i < 2; i++) {
		directions[i].from = open_device(argv[1 + i]);
		directions[i].last = &directions[i].first;
	}
	directions[0].to = directions[1].from;
	directions[1].to = directions[0].from;
	printf("ready\n");
	fflush(stdout);
	carry();
	for (int port = 0; port < PORTS; port++) {
		most = third_acks[port] > most ? third_acks[port] : most;
		repeated += third_acks[port] > 3;
	}
	printf("{\"frames\": %llu, \"lost\": %llu, \"most_third_acks\": %u, \"repeated\": %u}\n",
	       (unsigned long long)frames, (unsigned long long)lost, most, repeated);
	return 0;
}
