/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* One step of a walk over TCP options, the same for XDP, tc and the host's tests. */
#ifndef MPTCP_LB_TCPOPT_H
#define MPTCP_LB_TCPOPT_H

#include <stdint.h>

#include "wire.h"

/* Offsets from the start of the frame. What was not found stays 0. */
struct tcpopt_walk {
	uint16_t at;        /* the next option */
	uint16_t end;       /* first byte after the header */
	uint16_t timestamp; /* the timestamps option */
	uint16_t capable;   /* MP_CAPABLE; the last one, as in the kernel */
	uint16_t join;      /* MP_JOIN of a SYN; the last one, as in the kernel */
	uint16_t mss;
	uint8_t capable_length;
	uint8_t malformed;
	uint8_t join_length; /* of the last MP_JOIN, in whichever segment */
};

/* Each step moves on by a byte at least. */
#define TCPOPT_STEPS TCP_OPTIONS_MAX

/* No header ends so far into a frame; the verifier wants to be told. */
#define TCPOPT_END_MAX 0x3fff

enum tcpopt_verdict { TCPOPT_WALK_ON, TCPOPT_WALK_ENDS };

static inline __attribute__((always_inline)) enum tcpopt_verdict
tcpopt_malformed(struct tcpopt_walk *walk)
{
	walk->malformed = 1;
	return TCPOPT_WALK_ENDS;
}

/* option: at least `length` readable bytes. */
static inline __attribute__((always_inline)) void
tcpopt_note_mptcp(const uint8_t *option, uint8_t length, struct tcpopt_walk *walk)
{
	uint8_t subtype = option[2] >> 4;

	if (subtype == MPTCPOPT_MP_CAPABLE) {
		walk->capable = walk->at;
		walk->capable_length = length;
	} else if (subtype == MPTCPOPT_MP_JOIN) {
		walk->join_length = length;
		if (length == TCPOLEN_MPTCP_MPJ_SYN || length == TCPOLEN_MPTCP_MPJ_SYN_64)
			walk->join = walk->at;
	}
}

/*
 * Looks at the option that stands at walk->at, notes it if it is of use, and moves
 * on. data and data_end bound the frame; nothing outside them is read, whatever the
 * walk says.
 */
static inline __attribute__((always_inline)) enum tcpopt_verdict
tcpopt_step(const uint8_t *data, const uint8_t *data_end, struct tcpopt_walk *walk)
{
	uint32_t at = walk->at;
	const uint8_t *option = data + (at & TCPOPT_END_MAX);

	if (at >= walk->end)
		return TCPOPT_WALK_ENDS;
	if (at > TCPOPT_END_MAX || option + 1 > data_end)
		return tcpopt_malformed(walk);
	if (option[0] == TCPOPT_EOL)
		return TCPOPT_WALK_ENDS;
	if (option[0] == TCPOPT_NOP) {
		walk->at = at + 1;
		if (at + 4 <= walk->end && option + 4 <= data_end && option[1] == TCPOPT_NOP &&
		    option[2] == TCPOPT_NOP && option[3] == TCPOPT_NOP)
			walk->at = at + 4;
		return TCPOPT_WALK_ON;
	}
	if (at + 2 > walk->end || option + 2 > data_end)
		return tcpopt_malformed(walk);

	uint8_t length = option[1];

	if (length < 2 || at + length > walk->end)
		return tcpopt_malformed(walk);
	if (option[0] == TCPOPT_TIMESTAMP && length == TCPOLEN_TIMESTAMP)
		walk->timestamp = at;
	else if (option[0] == TCPOPT_MSS && length == TCPOLEN_MSS)
		walk->mss = at;
	else if (option[0] == TCPOPT_MPTCP && length >= 3 && option + 3 <= data_end)
		tcpopt_note_mptcp(option, length, walk);
	walk->at = at + length;
	return TCPOPT_WALK_ON;
}

#endif
