/* SPDX-License-Identifier: GPL-2.0-only */
/* A TCP segment in an IPv4 packet, taken apart and put together. */
#ifndef LAB_SEGMENT_H
#define LAB_SEGMENT_H

#include "../include/mptcp_options.h"

#define SEGMENT_MSS 1380 /* leaves room for 40 bytes of TCP options and for tunnels */
#define PACKET_MAX 2048
#define SEGMENT_OPTIONS 3

/* Where a segment belongs, as seen from this end; host order. */
struct flow {
	uint32_t here, there;
	uint16_t here_port, there_port;
};

struct segment {
	struct flow flow;
	uint32_t sequence;
	uint32_t acknowledgement;
	uint8_t flags;
	uint16_t window;
	bool has_timestamp;
	uint32_t tsval, tsecr;
	uint8_t option_count;
	struct mptcp_option options[SEGMENT_OPTIONS];
	const uint8_t *data;
	size_t length;
};

/* False for what is no whole TCP segment, or has a wrong checksum. */
bool segment_read(const uint8_t *packet, size_t size, struct segment *segment);

/* The size of the packet written to packet[PACKET_MAX]. */
size_t segment_write(const struct segment *segment, uint8_t *packet);

/* The segment's option of this subtype, or NULL. */
const struct mptcp_option *segment_option(const struct segment *segment, uint8_t subtype);

#endif
