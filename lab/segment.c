// SPDX-License-Identifier: GPL-2.0-only
/* IPv4 and TCP headers to and from bytes. */
#include <netinet/in.h>
#include <string.h>

#include "../handshake/bytes.h"
#include "segment.h"

#define IP_HEADER 20
#define TTL 64

static uint32_t add_words(const uint8_t *bytes, size_t length, uint32_t sum)
{
	for (; length > 1; bytes += 2, length -= 2)
		sum += (uint32_t)get_number(bytes, 2);
	return length ? sum + (uint32_t)(*bytes << 8) : sum;
}

/* length: below 64 KiB, so that the sum does not overflow. */
static uint16_t fold(uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t) ~((sum & 0xffff) + (sum >> 16));
}

/* 0 over a segment whose checksum is right. */
static uint16_t tcp_checksum(const uint8_t *packet, const uint8_t *tcp, size_t length)
{
	uint32_t pseudo = add_words(packet + 12, 8, IPPROTO_TCP + (uint32_t)length);

	return fold(add_words(tcp, length, pseudo));
}

static enum mptcp_segment kind_of(uint8_t flags)
{
	if (!(flags & TCP_SYN))
		return MPTCP_ACK;
	return flags & TCP_ACK ? MPTCP_SYNACK : MPTCP_SYN;
}

/* What the library refuses counts as not there. */
static void read_options(const uint8_t *options, size_t length, struct segment *segment)
{
	struct mptcp_tcp_option option;
	size_t at = 0;

	while (!mptcp_options_next(options, length, &at, &option) && option.kind != TCPOPT_EOL) {
		if (option.kind == TCPOPT_TIMESTAMP && option.length == TCPOLEN_TIMESTAMP) {
			segment->has_timestamp = true;
			segment->tsval = (uint32_t)get_number(option.bytes + 2, 4);
			segment->tsecr = (uint32_t)get_number(option.bytes + 6, 4);
		} else if (option.kind == TCPOPT_MPTCP && segment->option_count < SEGMENT_OPTIONS &&
			   !mptcp_option_parse(option.bytes, option.length, kind_of(segment->flags),
					       &segment->options[segment->option_count])) {
			segment->option_count++;
		}
	}
}

static void read_header(const uint8_t *tcp, struct segment *segment)
{
	segment->flow.there_port = (uint16_t)get_number(tcp, 2);
	segment->flow.here_port = (uint16_t)get_number(tcp + 2, 2);
	segment->sequence = (uint32_t)get_number(tcp + 4, 4);
	segment->acknowledgement = (uint32_t)get_number(tcp + 8, 4);
	segment->flags = tcp[TCP_FLAGS_OFFSET];
	segment->window = (uint16_t)get_number(tcp + 14, 2);
}

bool segment_read(const uint8_t *packet, size_t size, struct segment *segment)
{
	size_t ip_header, total, header;
	const uint8_t *tcp;

	memset(segment, 0, sizeof(*segment));
	if (size < IP_HEADER || packet[0] >> 4 != 4 || packet[9] != IPPROTO_TCP)
		return false;
	ip_header = (packet[0] & 0x0f) * 4;
	total = get_number(packet + 2, 2);
	if (ip_header < IP_HEADER || total > size || total < ip_header + TCP_HEADER_MIN)
		return false;
	tcp = packet + ip_header;
	header = (tcp[12] >> 4) * 4;
	if (header < TCP_HEADER_MIN || ip_header + header > total ||
	    tcp_checksum(packet, tcp, total - ip_header))
		return false;
	segment->flow.there = (uint32_t)get_number(packet + 12, 4);
	segment->flow.here = (uint32_t)get_number(packet + 16, 4);
	read_header(tcp, segment);
	read_options(tcp + TCP_HEADER_MIN, header - TCP_HEADER_MIN, segment);
	segment->data = tcp + header;
	segment->length = total - ip_header - header;
	return true;
}

static uint8_t *pad(uint8_t *start, uint8_t *at)
{
	while ((at - start) % 4)
		*at++ = TCPOPT_NOP;
	return at;
}

static uint8_t *write_options(const struct segment *segment, uint8_t *start)
{
	uint8_t *at = start;

	if (segment->has_timestamp) { /* first, where fast paths look for them */
		at = put_number(at, TCPOPT_NOP << 8 | TCPOPT_NOP, 2);
		at = put_number(at, TCPOPT_TIMESTAMP << 8 | TCPOLEN_TIMESTAMP, 2);
		at = put_number(at, segment->tsval, 4);
		at = put_number(at, segment->tsecr, 4);
	}
	if (segment->flags & TCP_SYN) {
		at = put_number(at, TCPOPT_MSS << 8 | TCPOLEN_MSS, 2);
		at = put_number(at, SEGMENT_MSS, 2);
	}
	for (int i = 0; i < segment->option_count; i++) {
		uint8_t bytes[MPTCP_OPTION_MAX];
		size_t length = mptcp_option_encode(&segment->options[i], bytes);

		memcpy(at, bytes, length);
		at = pad(start, at + length);
	}
	return at;
}

static void write_ip(const struct segment *segment, size_t total, uint8_t *packet)
{
	memset(packet, 0, IP_HEADER);
	packet[0] = 0x45;
	put_number(packet + 2, total, 2);
	packet[6] = 0x40; /* don't fragment */
	packet[8] = TTL;
	packet[9] = IPPROTO_TCP;
	put_number(packet + 12, segment->flow.here, 4);
	put_number(packet + 16, segment->flow.there, 4);
	put_number(packet + 10, fold(add_words(packet, IP_HEADER, 0)), 2);
}

size_t segment_write(const struct segment *segment, uint8_t *packet)
{
	uint8_t *tcp = packet + IP_HEADER, *at;
	size_t total;

	put_number(tcp, segment->flow.here_port, 2);
	put_number(tcp + 2, segment->flow.there_port, 2);
	put_number(tcp + 4, segment->sequence, 4);
	put_number(tcp + 8, segment->flags & TCP_ACK ? segment->acknowledgement : 0, 4);
	put_number(tcp + 14, segment->window, 2);
	put_number(tcp + TCP_CHECK_OFFSET, 0, 4);
	at = write_options(segment, tcp + TCP_HEADER_MIN);
	tcp[12] = (uint8_t)((at - tcp) / 4 << 4);
	tcp[TCP_FLAGS_OFFSET] = segment->flags;
	if (segment->length)
		memcpy(at, segment->data, segment->length);
	total = (size_t)(at - packet) + segment->length;
	write_ip(segment, total, packet);
	put_number(tcp + TCP_CHECK_OFFSET, tcp_checksum(packet, tcp, total - IP_HEADER), 2);
	return total;
}

const struct mptcp_option *segment_option(const struct segment *segment, uint8_t subtype)
{
	for (int i = 0; i < segment->option_count; i++)
		if (segment->options[i].subtype == subtype)
			return &segment->options[i];
	return NULL;
}
