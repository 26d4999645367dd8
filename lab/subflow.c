// SPDX-License-Identifier: GPL-2.0-only
/* One TCP connection: three-way handshake, data in order, acknowledgement, repetition, end. */
#include <string.h>

#include "peer.h"

#define WINDOW 65535
#define RESEND_MS 400
#define RESEND_MAX_MS 5000
#define MPTCP_RESET_REASON 1 /* MP_TCPRST: MPTCP-specific error */

static bool is_before(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0;
}

static uint32_t span(const struct segment *segment)
{
	return (uint32_t)segment->length + !!(segment->flags & (TCP_SYN | TCP_FIN));
}

static struct unacked *unacked_at(struct subflow *subflow, int i)
{
	return &subflow->unacked[(subflow->first + i) % UNACKED_MAX];
}

/* What changes each time that it is sent. */
static void transmit(struct subflow *subflow, struct segment *segment)
{
	struct peer *peer = subflow->connection->peer;

	segment->flow = subflow->flow;
	segment->acknowledgement = subflow->expected;
	segment->window = WINDOW;
	segment->has_timestamp = true;
	segment->tsval = (uint32_t)now_ms() + peer->settings.stamp;
	segment->tsecr = segment->flags & TCP_ACK ? subflow->ts_recent : 0;
	peer_transmit(peer, segment);
}

void subflow_send(struct subflow *subflow, uint8_t flags, const struct mptcp_option *option,
		  const uint8_t *data, size_t length)
{
	struct segment bare = { 0 }, *segment = &bare;

	if (length || flags & (TCP_SYN | TCP_FIN)) {
		struct unacked *unacked = unacked_at(subflow, subflow->count++);

		segment = &unacked->segment;
		memset(segment, 0, sizeof(*segment));
		segment->data = unacked->data;
		if (length)
			memcpy(unacked->data, data, length);
		if (subflow->count == 1)
			subflow->resend_at = now_ms() + subflow->resend_after;
	}
	segment->sequence = subflow->next;
	segment->flags = flags;
	segment->length = length;
	if (option)
		segment->options[segment->option_count++] = *option;
	subflow->next += span(segment);
	subflow->sent += length;
	transmit(subflow, segment);
}

bool subflow_may_send(const struct subflow *subflow)
{
	return subflow->state == ESTABLISHED && !subflow->fin_sent &&
	       subflow->count < UNACKED_MAX - 1 && /* one is left for FIN */
	       (!subflow->joins || subflow->confirmed) &&
	       (uint32_t)(subflow->count + 1) * SEGMENT_MSS <= subflow->peer_window;
}

/* Until the peer has heard our third segment, each ACK is that segment again. */
void subflow_acknowledge(struct subflow *subflow)
{
	struct mptcp_option option = connection_ack(subflow->connection);

	if (subflow->has_third && !subflow->confirmed)
		option = subflow->third;
	subflow_send(subflow, TCP_ACK, subflow->connection->handshake.dialect ? &option : NULL,
		     NULL, 0);
}

void subflow_reset(struct subflow *subflow, uint8_t why)
{
	struct mptcp_option option = { .subtype = MPTCPOPT_RST, .segment = MPTCP_ACK };

	option.reset.reason = why;
	subflow_send(subflow, TCP_RST | TCP_ACK, &option, NULL, 0);
	subflow->state = CLOSED;
}

void subflow_connect(struct subflow *subflow, const struct mptcp_option *option)
{
	subflow->state = SYN_SENT;
	subflow_send(subflow, TCP_SYN, option, NULL, 0);
}

static void synchronise(struct subflow *subflow, const struct segment *segment)
{
	subflow->peer_initial = segment->sequence;
	subflow->expected = segment->sequence + 1;
	subflow->peer_window = segment->window;
	subflow->ts_recent = segment->tsval;
}

void subflow_accept(struct subflow *subflow, const struct segment *syn,
		    const struct mptcp_option *option)
{
	subflow->state = SYN_RECEIVED;
	synchronise(subflow, syn);
	subflow_send(subflow, TCP_SYN | TCP_ACK, option, NULL, 0);
}

static void refuse(struct subflow *subflow, enum mptcp_reason reason)
{
	subflow->reason = reason;
	subflow_reset(subflow, MPTCP_RESET_REASON);
}

static enum mptcp_reason judge_join(struct subflow *subflow, const struct segment *segment)
{
	const struct mptcp_option *join = segment_option(segment, MPTCPOPT_MP_JOIN);
	struct connection *connection = subflow->connection;
	enum mptcp_reason reason = MPTCP_REASON_out_of_turn;

	if (join)
		reason = mptcp_join_confirm(&connection->handshake, &subflow->join, join,
					    &subflow->third);
	if (reason == MPTCP_REASON_hmac_wrong && connection->forges) {
		attacker_forge(subflow, join, &subflow->third);
		reason = MPTCP_REASON_ok;
	}
	return reason;
}

/* Our SYN was answered. A wrong HMAC ends the subflow, a wrong MP_CAPABLE only MPTCP. */
static void take_synack(struct subflow *subflow, const struct segment *segment)
{
	struct connection *connection = subflow->connection;
	enum mptcp_reason reason;

	synchronise(subflow, segment);
	subflow->state = ESTABLISHED;
	if (subflow->joins) {
		reason = judge_join(subflow, segment);
		if (reason) {
			refuse(subflow, reason);
			return;
		}
	} else {
		reason = mptcp_judge_answer(&connection->handshake,
					    segment_option(segment, MPTCPOPT_MP_CAPABLE),
					    &subflow->third);
	}
	subflow->has_third = !reason;
	subflow_acknowledge(subflow);
	if (!subflow->joins)
		connection_begin(connection);
}

/* False while the third segment has not come: a later one may have overtaken it. */
static bool take_third(struct subflow *subflow, const struct segment *segment)
{
	struct connection *connection = subflow->connection;
	const struct mptcp_option *option;

	if (!subflow->joins) {
		option = segment_option(segment, MPTCPOPT_MP_CAPABLE);
		if (!option && segment->option_count)
			return false;
		if (connection->handshake.progress != MPTCP_DONE)
			mptcp_judge_ack(&connection->handshake, option);
		subflow->state = ESTABLISHED;
		connection_begin(connection);
		return true;
	}
	option = segment_option(segment, MPTCPOPT_MP_JOIN);
	if (!option)
		return false;
	subflow->reason = mptcp_join_finish(&connection->handshake, &subflow->join, option);
	if (subflow->reason) {
		refuse(subflow, subflow->reason);
		server_tell(connection, "refused");
		return false;
	}
	subflow->state = ESTABLISHED;
	subflow_acknowledge(subflow);
	server_tell(connection, "joined");
	return true;
}

static void take_acknowledgement(struct subflow *subflow, const struct segment *segment)
{
	while (subflow->count) {
		struct segment *first = &unacked_at(subflow, 0)->segment;

		if (is_before(segment->acknowledgement, first->sequence + span(first)))
			break;
		subflow->first = (subflow->first + 1) % UNACKED_MAX;
		subflow->count--;
		subflow->resend_after = RESEND_MS;
		subflow->resend_at = now_ms() + RESEND_MS;
	}
	subflow->peer_window = segment->window;
}

/* Data that begins with what is expected, or before it. Returns whether to acknowledge. */
static bool take_data(struct subflow *subflow, const struct segment *segment)
{
	uint32_t known = subflow->expected - segment->sequence;
	size_t fresh;

	if (!segment->length && !(segment->flags & TCP_FIN))
		return false;
	if (is_before(subflow->expected, segment->sequence))
		return true;
	subflow->ts_recent = segment->has_timestamp ? segment->tsval : subflow->ts_recent;
	if (known <= segment->length && !subflow->fin_received) {
		fresh = segment->length - known;
		if (fresh &&
		    !connection_take_data(subflow, subflow->expected - subflow->peer_initial,
					  segment->data + known, fresh))
			return true;
		subflow->expected += (uint32_t)fresh;
		subflow->received += fresh;
		if (segment->flags & TCP_FIN) {
			subflow->expected++;
			subflow->fin_received = true;
		}
	}
	return true;
}

static void receive_established(struct subflow *subflow, const struct segment *segment)
{
	bool answer;

	take_acknowledgement(subflow, segment);
	subflow->confirmed = true;
	connection_take_options(subflow, segment);
	/* A join's third segment comes again while the peer has not heard that we have it. */
	answer = take_data(subflow, segment) || segment_option(segment, MPTCPOPT_MP_JOIN);
	if (subflow->fin_sent && subflow->fin_received && !subflow->count)
		subflow->state = CLOSED;
	if (answer)
		subflow_acknowledge(subflow);
}

void subflow_receive(struct subflow *subflow, const struct segment *segment)
{
	bool is_synack = (segment->flags & (TCP_SYN | TCP_ACK)) == (TCP_SYN | TCP_ACK);

	if (segment->flags & TCP_RST) {
		subflow->state = CLOSED;
		return;
	}
	if (subflow->state == SYN_SENT) {
		if (is_synack && segment->acknowledgement == subflow->next) {
			take_acknowledgement(subflow, segment);
			take_synack(subflow, segment);
		}
		return;
	}
	if (is_synack) { /* our third segment was lost */
		subflow_acknowledge(subflow);
		return;
	}
	if (segment->flags & TCP_SYN || !(segment->flags & TCP_ACK))
		return;
	if (subflow->state == SYN_RECEIVED &&
	    (segment->acknowledgement != subflow->initial + 1 || !take_third(subflow, segment)))
		return;
	if (subflow->state == ESTABLISHED)
		receive_established(subflow, segment);
}

void subflow_tick(struct subflow *subflow)
{
	uint64_t now = now_ms();

	if (subflow->state == CLOSED || now < subflow->resend_at)
		return;
	if (subflow->count)
		transmit(subflow, &unacked_at(subflow, 0)->segment);
	else if (subflow->state == ESTABLISHED && subflow->joins && !subflow->confirmed)
		subflow_acknowledge(subflow);
	if (subflow->resend_after < RESEND_MAX_MS)
		subflow->resend_after *= 2;
	subflow->resend_at = now + subflow->resend_after;
}
