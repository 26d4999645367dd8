// SPDX-License-Identifier: GPL-2.0-only
/* The TUN device, and which segment is whose: by its flow, by its token, or a new connection's. */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "peer.h"
#include "searched_key.h"

uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void draw_random(void *bytes, size_t length)
{
	if (getrandom(bytes, length, 0) != (ssize_t)length)
		abort();
}

static int open_tun(const char *device)
{
	struct ifreq request = { .ifr_flags = IFF_TUN | IFF_NO_PI };
	int tun = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", device);
	if (tun >= 0 && ioctl(tun, TUNSETIFF, &request)) {
		close(tun);
		tun = -1;
	}
	return tun;
}

struct peer *peer_open(const struct settings *settings)
{
	struct peer *peer = calloc(1, sizeof(*peer));

	if (!peer)
		abort();
	peer->settings = *settings;
	peer->tun = open_tun(settings->device);
	for (int version = 0; settings->is_server && version < 2; version++)
		peer->searches[version] = searched_key_open(&settings->issuer, version);
	peer->recording = settings->write ? recording_open(settings->write) : NULL;
	if (peer->tun >= 0 && !peer->recording == !settings->write)
		return peer;
	free(peer);
	return NULL;
}

/* What a new connection brings along: everything random, but for what a server's token says. */
static struct mptcp_end new_end(struct peer *peer, uint8_t version)
{
	struct mptcp_end end = {
		.speaks = peer->settings.speaks,
		.key_sources = channel_key_source(peer),
	};
	uint32_t random;

	draw_random(&end.key, sizeof(end.key));
	draw_random(&end.ciphered_key, sizeof(end.ciphered_key));
	draw_random(&end.token, sizeof(end.token));
	if (!peer->settings.is_server)
		return end;
	draw_random(&random, sizeof(random));
	end.token = mptcp_issue_wide(&peer->settings.issuer, random);
	end.ciphered_key = mptcp_key_of_token((uint32_t)(end.token >> 32), random);
	end.key = searched_key_next(peer->searches[version]);
	return end;
}

/* As on a bad network; the recording has what was lost on the way out, not on the way in. */
static bool is_lost(struct peer *peer)
{
	return peer->settings.lose && ++peer->packets % peer->settings.lose == 0;
}

void peer_transmit(struct peer *peer, const struct segment *segment)
{
	uint8_t packet[PACKET_MAX];
	size_t size = segment_write(segment, packet);

	recording_packet(peer->recording, packet, size);
	if (is_lost(peer))
		return;
	/* A full queue loses packets, as networks do. */
	if (write(peer->tun, packet, size) < 0 && errno != EAGAIN && errno != ENOBUFS)
		perror("mptcp-peer: cannot send");
}

/* Answers what is nobody's, so that the sender gives up. */
static void reject(struct peer *peer, const struct segment *segment)
{
	struct segment reset = {
		.flow = segment->flow,
		.sequence = segment->acknowledgement,
		.acknowledgement = segment->sequence + (uint32_t)segment->length +
				   !!(segment->flags & TCP_SYN),
		.flags = TCP_RST | TCP_ACK,
	};

	if (segment_option(segment, MPTCPOPT_MP_JOIN)) {
		reset.option_count = 1;
		reset.options[0] = (struct mptcp_option){ .subtype = MPTCPOPT_RST,
							  .segment = MPTCP_ACK,
							  .reset = { .reason = 1 } };
	}
	if (!(segment->flags & TCP_RST))
		peer_transmit(peer, &reset);
}

static struct subflow *find_subflow(struct peer *peer, const struct flow *flow)
{
	for (struct connection *c = peer->connections; c; c = c->next)
		for (int i = 0; i < c->subflow_count; i++)
			if (!memcmp(&c->subflows[i]->flow, flow, sizeof(*flow)) &&
			    c->subflows[i]->state != CLOSED)
				return c->subflows[i];
	return NULL;
}

/* Its connection answers; where nobody has the token it is a reset, and silence without keys. */
static void receive_join(struct peer *peer, const struct segment *syn,
			 const struct mptcp_option *join)
{
	enum mptcp_reason reason = MPTCP_REASON_token_unknown;
	struct mptcp_option synack;
	struct connection *owner = peer->connections;

	for (; owner; owner = owner->next) {
		struct mptcp_join trial = { 0 };

		reason = mptcp_join_answer(&owner->handshake, &trial, join, &synack);
		if (reason != MPTCP_REASON_token_unknown)
			break;
	}
	if (!reason) {
		struct subflow *subflow = connection_add_subflow(owner, &syn->flow, true);

		if (subflow) {
			mptcp_join_answer(&owner->handshake, &subflow->join, join, &synack);
			subflow_accept(subflow, syn, &synack);
			return;
		}
		reason = MPTCP_REASON_token_unknown;
	}
	if (owner && reason)
		server_tell(owner, mptcp_reason_words(reason));
	if (mptcp_reason_action(reason) == MPTCP_RESET_SUBFLOW)
		reject(peer, syn);
}

static void receive_syn(struct peer *peer, const struct segment *syn)
{
	const struct mptcp_option *capable = segment_option(syn, MPTCPOPT_MP_CAPABLE);
	const struct mptcp_option *join = segment_option(syn, MPTCPOPT_MP_JOIN);
	struct connection *connection;
	struct mptcp_option synack;
	enum mptcp_reason reason;
	struct mptcp_end end;
	struct subflow *subflow;

	if (!peer->settings.is_server || syn->flow.here_port != peer->settings.port ||
	    syn->flow.here != peer->settings.address) {
		reject(peer, syn);
		return;
	}
	if (join) {
		receive_join(peer, syn, join);
		return;
	}
	connection = connection_new(peer);
	end = new_end(peer, capable && !capable->capable.version ? 0 : 1);
	mptcp_handshake_init(&connection->handshake, false, &end);
	subflow = connection_add_subflow(connection, &syn->flow, false);
	reason = mptcp_judge_offer(&connection->handshake, capable, &synack);
	subflow_accept(subflow, syn, reason ? NULL : &synack);
}

static void receive(struct peer *peer, const uint8_t *packet, size_t size)
{
	struct subflow *subflow;
	struct segment segment;

	if (!segment_read(packet, size, &segment) || is_lost(peer))
		return;
	recording_packet(peer->recording, packet, size);
	subflow = find_subflow(peer, &segment.flow);
	if (subflow)
		subflow_receive(subflow, &segment);
	else if ((segment.flags & (TCP_SYN | TCP_ACK)) == TCP_SYN)
		receive_syn(peer, &segment);
	else
		reject(peer, &segment);
}

struct connection *peer_connect(struct peer *peer, const struct flow *flow)
{
	struct connection *connection = connection_new(peer);
	struct mptcp_end end = new_end(peer, 1);
	struct subflow *subflow = connection_add_subflow(connection, flow, false);
	struct mptcp_option syn;

	mptcp_handshake_init(&connection->handshake, true, &end);
	subflow_connect(subflow, mptcp_offer(&connection->handshake, &syn) ? NULL : &syn);
	return connection;
}

/* Receives what there is, and lets each connection go on. */
void peer_turn(struct peer *peer, int timeout_ms)
{
	struct pollfd ready = { .fd = peer->tun, .events = POLLIN };
	struct connection *next;
	uint8_t packet[PACKET_MAX];
	ssize_t size;

	poll(&ready, 1, timeout_ms);
	while ((size = read(peer->tun, packet, sizeof(packet))) > 0)
		receive(peer, packet, (size_t)size);
	for (struct connection *c = peer->connections; c; c = next) {
		next = c->next;
		channel_turn(c);
		if (peer->settings.is_server)
			server_turn(c);
		connection_push(c);
		if (peer->settings.is_server && connection_is_over(c)) {
			server_tell(c, "closed");
			connection_free(c);
		}
	}
}
