/* SPDX-License-Identifier: GPL-2.0-only */
/* What a frame says by its own bytes, read slowly and with nothing taken from bpf/ or include/. */
#ifndef SELFTESTS_DISSECT_H
#define SELFTESTS_DISSECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct dissected {
	bool v6;
	bool has_tcp;                            /* 20 bytes and the ports, flags; lengths agree */
	bool is_whole;                           /* all of the IP packet is in the frame */
	const uint8_t *ip, *tcp, *options, *end; /* end: of the options; it may not be there */
	const uint8_t *stop;                     /* the frame's end */
	const uint8_t *source, *destination;     /* addresses */
	uint16_t sport, dport;
	uint8_t flags;
};

/* What a walk over the options finds. */
struct dissected_options {
	bool malformed, capable;
	bool joins;   /* MP_JOIN as in a SYN: the last counts */
	bool stamped; /* timestamps: the first count, whatever follows them */
	uint32_t token;
	uint32_t tsval, tsecr;
};

enum { DISSECT_SYN = 2, DISSECT_ACK = 16 };

/*
 * An MP_JOIN in a SYN has 12 bytes (RFC 8684 section 3.2), or four more where tokens have 64 bits
 * (draft-paasch-mptcp-application-authentication-00). That of a SYN/ACK has 16, too.
 */
static inline bool dissect_is_join_length(uint8_t length)
{
	return length == 12 || length == 16;
}

static inline uint32_t dissect_number(const uint8_t *at, int bytes)
{
	uint32_t number = 0;

	while (bytes-- > 0)
		number = number << 8 | *at++;
	return number;
}

/* Returns the Ethernet type behind up to two tags, or 0 where the frame ends before. */
static inline uint32_t dissect_link(const uint8_t *frame, size_t length, size_t *at)
{
	uint32_t type;

	for (int tags = 0; *at = 14 + 4 * tags, *at <= length; tags++) {
		type = dissect_number(frame + *at - 2, 2);
		if ((type != 0x8100 && type != 0x88a8) || tags == 2)
			return type;
	}
	return 0;
}

/* Returns the TCP header's place, or NULL. *end may lie behind the frame's. */
static inline const uint8_t *dissect_ipv4(const uint8_t *ip, size_t left, const uint8_t **end)
{
	size_t header = left < 20 ? 0 : ip[0] % 16 * 4;

	if (left < 20 || ip[0] / 16 != 4 || header < 20 || ip[9] != 6 ||
	    dissect_number(ip + 6, 2) % 0x2000)
		return NULL;
	*end = ip + dissect_number(ip + 2, 2);
	return ip + header;
}

/* Four extension headers of 64 bytes each at most, and then perhaps that of a first fragment. */
static inline const uint8_t *dissect_ipv6(const uint8_t *ip, size_t left, const uint8_t **end)
{
	size_t at = 40;
	uint8_t next;

	if (left < 40 || ip[0] / 16 != 6)
		return NULL;
	next = ip[6];
	for (int i = 0; i < 4 && (next == 0 || next == 43 || next == 60); i++) {
		if (at + 2 > left || ip[at + 1] > 7)
			return NULL;
		next = ip[at];
		at += 8 * (ip[at + 1] + 1);
	}
	if (next == 44) {
		if (at + 8 > left || dissect_number(ip + at + 2, 2) >= 8)
			return NULL;
		next = ip[at];
		at += 8;
	}
	*end = ip + 40 + dissect_number(ip + 4, 2);
	return next == 6 ? ip + at : NULL;
}

static inline struct dissected dissect(const uint8_t *frame, size_t length)
{
	struct dissected found = { .stop = frame + length };
	size_t at = 0;
	uint32_t type = dissect_link(frame, length, &at);
	const uint8_t *end;

	found.v6 = type == 0x86dd;
	found.ip = frame + at;
	if (type == 0x0800)
		found.tcp = dissect_ipv4(found.ip, length - at, &end);
	else if (found.v6)
		found.tcp = dissect_ipv6(found.ip, length - at, &end);
	if (!found.tcp || found.tcp + 20 > found.stop)
		return found;
	found.options = found.tcp + 20;
	found.end = found.tcp + found.tcp[12] / 16 * 4;
	found.has_tcp = found.end >= found.options && found.end <= end;
	found.is_whole = end <= found.stop;
	found.source = found.ip + (found.v6 ? 8 : 12);
	found.destination = found.source + (found.v6 ? 16 : 4);
	found.sport = dissect_number(found.tcp, 2);
	found.dport = dissect_number(found.tcp + 2, 2);
	found.flags = found.tcp[13];
	return found;
}

/* Notes one option, if what counts of it is there. */
static inline void dissect_option(const uint8_t *option, const uint8_t *stop,
				  struct dissected_options *found)
{
	if (option[0] == 8 && option[1] == 10 && !found->stamped && option + 10 <= stop) {
		found->stamped = true;
		found->tsval = dissect_number(option + 2, 4);
		found->tsecr = dissect_number(option + 6, 4);
	} else if (option[0] == 30 && option[1] >= 3 && option + 3 <= stop && option[2] / 16 == 0) {
		found->capable = true;
	} else if (option[0] == 30 && dissect_is_join_length(option[1]) && option + 8 <= stop &&
		   option[2] / 16 == 1) {
		found->joins = true;
		found->token = dissect_number(option + 4, 4);
	}
}

/* Options between two places; stop: where the bytes that are there end. */
static inline struct dissected_options dissect_options(const uint8_t *at, const uint8_t *end,
						       const uint8_t *stop)
{
	struct dissected_options found = { 0 };

	for (; at < end && (at >= stop || *at); at += *at == 1 ? 1 : at[1]) {
		found.malformed = at >= stop || (*at != 1 && (at + 2 > end || at + 2 > stop ||
							      at[1] < 2 || at + at[1] > end));
		if (found.malformed)
			break;
		if (*at != 1)
			dissect_option(at, stop, &found);
	}
	return found;
}

/* The remainder of all 16-bit words: 0 where the checksum among them is right. */
static inline uint32_t dissect_sum(const uint8_t *bytes, size_t length)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < length; i++)
		sum += i % 2 ? bytes[i] : bytes[i] << 8;
	return sum % 0xffff;
}

#endif
