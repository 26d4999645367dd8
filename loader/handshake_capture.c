// SPDX-License-Identifier: GPL-2.0-only
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "../include/stamp.h"
#include "../include/tcpopt.h"
#include "address.h"
#include "handshake_capture.h"
#include "keyhash.h"

#define FRAME_BYTES 160 /* Ethernet, IPv6 and TCP with all its options */
#define ROOM_BYTES (16 << 20)
#define ECHO_AGE_MAX_MS 10000

struct segment {
	struct address from, to;
	__be16 from_port, to_port;
	uint8_t flags;
	const uint8_t *frame;
	struct tcpopt_walk options;
};

static int open_packet_socket(uint16_t protocol, uint32_t ifindex)
{
	const struct sockaddr_ll here = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(protocol),
		.sll_ifindex = ifindex,
	};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0), room = ROOM_BYTES;

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
	if (!bind(fd, (const struct sockaddr *)&here, sizeof(here)))
		return fd;
	close(fd);
	return -1;
}

/*
 * A packet socket of all protocols sees what comes before tc ingress and what goes after tc
 * egress; one of a single protocol only sees what comes, and after tc ingress.
 */
bool capture_open(struct capture *capture, uint32_t ifindex)
{
	uint16_t protocol = address_is_v4(&capture->service) ? ETH_P_IP : ETH_P_IPV6;

	capture->sent = open_packet_socket(ETH_P_ALL, ifindex);
	capture->received = open_packet_socket(protocol, ifindex);
	if (capture->sent >= 0 && capture->received >= 0)
		return true;
	capture_close(capture);
	return false;
}

void capture_close(struct capture *capture)
{
	if (capture->sent >= 0)
		close(capture->sent);
	if (capture->received >= 0)
		close(capture->received);
}

/* The offset of the TCP header; 0 if there is none. */
static size_t parse_ip(const uint8_t *frame, struct segment *segment)
{
	const struct ethhdr *ethernet = (const void *)frame;
	const struct iphdr *v4 = (const void *)(ethernet + 1);
	const struct ipv6hdr *v6 = (const void *)(ethernet + 1);

	if (ethernet->h_proto == htons(ETH_P_IP) && v4->protocol == IPPROTO_TCP) {
		segment->from = segment->to =
			(struct address){ .words = { 0, 0, htonl(0xffff), 0 } };
		segment->from.words[3] = v4->saddr;
		segment->to.words[3] = v4->daddr;
		return sizeof(*ethernet) + v4->ihl * 4;
	}
	if (ethernet->h_proto != htons(ETH_P_IPV6) || v6->nexthdr != IPPROTO_TCP)
		return 0;
	memcpy(&segment->from, &v6->saddr, sizeof(segment->from));
	memcpy(&segment->to, &v6->daddr, sizeof(segment->to));
	return sizeof(*ethernet) + sizeof(*v6);
}

/* frame: FRAME_BYTES of them, zeros behind the last that came. */
static bool parse(const uint8_t *frame, struct segment *segment)
{
	size_t tcp = parse_ip(frame, segment);
	uint16_t end;

	if (!tcp || tcp + TCP_HEADER_MIN + TCP_OPTIONS_MAX > FRAME_BYTES)
		return false;
	end = tcp + (frame[tcp + 12] >> 4) * 4;
	segment->frame = frame;
	segment->flags = frame[tcp + TCP_FLAGS_OFFSET];
	memcpy(&segment->from_port, frame + tcp, sizeof(segment->from_port));
	memcpy(&segment->to_port, frame + tcp + 2, sizeof(segment->to_port));
	segment->options = (struct tcpopt_walk){ .at = tcp + TCP_HEADER_MIN, .end = end };
	while (tcpopt_step(frame, frame + FRAME_BYTES, &segment->options) == TCPOPT_WALK_ON)
		;
	return !segment->options.malformed;
}

static uint32_t word_at(const struct segment *segment, size_t offset)
{
	uint32_t word;

	memcpy(&word, segment->frame + offset, sizeof(word));
	return ntohl(word);
}

static uint64_t clock_ms(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * 1000ull + now.tv_nsec / 1000000;
}

/* The one for this port; a new one, if there is room. */
static struct captured_key *key_of_port(struct capture_tally *tally, __be16 client_port)
{
	for (uint32_t i = 0; i < tally->count; i++)
		if (tally->keys[i].client_port == client_port)
			return &tally->keys[i];
	return tally->count < tally->room ? &tally->keys[tally->count++] : NULL;
}

/* The last one counts: a SYN is repeated when the answer was lost. */
static void note_key(const struct segment *segment, struct capture_tally *tally)
{
	struct captured_key *key;
	uint64_t wire;

	if ((segment->flags & (TCP_SYN | TCP_ACK)) != (TCP_SYN | TCP_ACK) ||
	    segment->options.capable_length != TCPOLEN_MPTCP_MPC_SYNACK)
		return;
	key = key_of_port(tally, segment->to_port);
	if (!key)
		return;
	memcpy(&wire, segment->frame + segment->options.capable + MPTCP_KEY_OFFSET, sizeof(wire));
	*key = (struct captured_key){ segment->to_port, keyhash_token(wire, MPTCP_V1) };
}

static void note_sent(const struct segment *segment, const struct server_state *state,
		      struct capture_tally *tally)
{
	uint32_t tsval;

	note_key(segment, tally);
	if (!segment->options.timestamp)
		return;
	tsval = word_at(segment, segment->options.timestamp + TSVAL_OFFSET);
	tally->sent++;
	tally->sent_right +=
		stamp_slot(tsval, clock_ms(CLOCK_REALTIME), state->index_bits) == state->index;
}

/* net.ipv4.tcp_timestamps=2: TCP's timestamps are the monotonic clock. */
static void note_received(const struct segment *segment, struct capture_tally *tally)
{
	uint32_t tsecr, now = clock_ms(CLOCK_MONOTONIC);

	if (!segment->options.timestamp || !(segment->flags & TCP_ACK))
		return;
	tsecr = word_at(segment, segment->options.timestamp + TSECR_OFFSET);
	tally->received++;
	tally->received_right += now - tsecr < ECHO_AGE_MAX_MS;
}

static bool is_end(const struct address *address, __be16 port, const struct capture *capture)
{
	return port == capture->port && address_equal(address, &capture->service);
}

void capture_read(struct capture *capture, const struct server_state *state,
		  struct capture_tally *tally)
{
	struct sockaddr_ll link;
	socklen_t length = sizeof(link);
	uint8_t frame[FRAME_BYTES] = {};
	struct segment segment;

	while (recvfrom(capture->sent, frame, sizeof(frame), MSG_DONTWAIT, (struct sockaddr *)&link,
			&length) > 0) {
		if (link.sll_pkttype == PACKET_OUTGOING && parse(frame, &segment) &&
		    is_end(&segment.from, segment.from_port, capture) &&
		    address_equal(&segment.to, &capture->client))
			note_sent(&segment, state, tally);
		memset(frame, 0, sizeof(frame));
	}
	while (recv(capture->received, frame, sizeof(frame), MSG_DONTWAIT) > 0) {
		if (parse(frame, &segment) && is_end(&segment.to, segment.to_port, capture) &&
		    address_equal(&segment.from, &capture->client))
			note_received(&segment, tally);
		memset(frame, 0, sizeof(frame));
	}
}
