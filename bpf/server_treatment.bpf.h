/* SPDX-License-Identifier: GPL-2.0-only */
/* Which connections are stamped: those that were born when stamping was on. */
#ifndef SERVER_TREATMENT_BPF_H
#define SERVER_TREATMENT_BPF_H

#include "server_segment.bpf.h"

/* A cookie's timestamp is rounded down by 63 ms, and two clocks are compared. */
#define ECHO_SLACK_MS 1000
#define STAMP_AGE_MAX_MS (COOKIE_LIFETIME_S * 1000 + 2 * ECHO_SLACK_MS)

static __always_inline uint64_t monotonic_ms(void)
{
	return bpf_ktime_get_ns() / 1000000;
}

static __always_inline enum treatment treatment_of_new(const struct server_state *state)
{
	return state->stamping ? TREAT_STAMPED : TREAT_PLAIN;
}

/* Nobody looks into an empty map, unless connections are being noted. */
static __always_inline uint32_t *find_note(const struct server_state *state,
					   const struct connection *connection)
{
	if (!state->noted && !state->recording)
		return NULL;
	return bpf_map_lookup_elem(&connections, connection);
}

static __always_inline void note(struct server_state *state, const struct connection *connection,
				 uint32_t treatment)
{
	int error = bpf_map_update_elem(&connections, connection, &treatment, BPF_NOEXIST);

	if (!error)
		state->noted = 1;
	else if (error != -EEXIST)
		count(SERVER_connections_full);
}

/*
 * Handshakes by cookie leave nothing behind that the loader could find, so a third ACK may
 * answer a SYN/ACK of before the last switch: its stamp is no older than cookies get. Those
 * that were born while no program was on the device may be of any age: the echo is of that
 * clock, stamped or plain, that makes it the younger.
 */
static __always_inline bool looks_stamped(const struct server_state *state, uint32_t tsecr,
					  uint64_t now)
{
	uint32_t plain_age = now - tsecr + ECHO_SLACK_MS;
	uint32_t stamped_age = plain_age + state->constant;

	if (state->judging == JUDGE_HANDSHAKES)
		return stamped_age < STAMP_AGE_MAX_MS;
	return stamped_age < plain_age;
}

/* For the time that a cookie lives. */
static __always_inline bool is_judging(struct server_state *state, uint64_t now)
{
	if (now - state->switched_ms < COOKIE_LIFETIME_S * 1000)
		return true;
	state->judging = JUDGE_NOTHING;
	return false;
}

static __always_inline enum treatment treatment_at_birth(struct server_state *state, uint32_t tsecr)
{
	uint64_t now;

	if (!state->judging)
		return treatment_of_new(state);
	now = monotonic_ms();
	if (!is_judging(state, now))
		return treatment_of_new(state);
	return looks_stamped(state, tsecr, now) ? TREAT_STAMPED : TREAT_PLAIN_JUDGED;
}

/*
 * What was on its way when the programs came back may tell of the time before; a stamped echo
 * tells that the client has taken a stamp over, and will not go back.
 */
static __always_inline enum treatment judge_again(struct server_state *state, uint32_t *known,
						  uint32_t tsecr)
{
	if (*known == TREAT_PLAIN_JUDGED && state->judging &&
	    looks_stamped(state, tsecr, monotonic_ms()))
		*known = TREAT_STAMPED;
	return *known;
}

static __always_inline bool is_as_new(const struct server_state *state, enum treatment treatment)
{
	return (treatment == TREAT_STAMPED) == !!state->stamping;
}

static __always_inline enum treatment treat_ingress(const struct segment *segment,
						    struct server_state *state, uint32_t tsecr)
{
	uint32_t *known = find_note(state, &segment->connection);
	enum treatment treatment;

	if (known)
		return judge_again(state, known, tsecr);
	treatment = treatment_at_birth(state, tsecr);
	if (state->recording || !is_as_new(state, treatment))
		note(state, &segment->connection, treatment);
	return treatment;
}

static __always_inline enum treatment
treat_syn_ack(const struct segment *segment, struct server_state *state, const uint32_t *known)
{
	if (known && (state->recording || *known == TREAT_PLAIN_HANDSHAKE))
		return *known;
	if (known)
		bpf_map_delete_elem(&connections, &segment->connection);
	if (state->recording)
		note(state, &segment->connection,
		     state->stamping ? TREAT_STAMPED : TREAT_PLAIN_HANDSHAKE);
	return treatment_of_new(state);
}

static __always_inline enum treatment treat_egress(const struct segment *segment,
						   struct server_state *state)
{
	uint32_t *known = find_note(state, &segment->connection);

	if (is_syn_ack(segment))
		return treat_syn_ack(segment, state, known);
	if (known && *known == TREAT_PLAIN_HANDSHAKE)
		*known = TREAT_PLAIN;
	if (known)
		return *known;
	if (state->recording)
		note(state, &segment->connection, treatment_of_new(state));
	return treatment_of_new(state);
}

#endif
