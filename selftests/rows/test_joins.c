// SPDX-License-Identifier: GPL-2.0-only
/* What is a join: MPTCP versions, tokens of 32 and 64 bits, options in company. Needs root. */
#define _GNU_SOURCE
#include <linux/bpf.h>

#include "decision.h"

struct options options;

/* 1 has the whole ring; 7 and 9 have none of it, so that only a token leads there. */
enum { ON_RING = 1, SEVEN = 7, NINE = 9 };

#define TOKEN_OF_7 0x7dbb86edu
#define TOKEN_OF_9 0x69e35250u

#define SYN .flags = TCP_SYN
#define BY(why, index) REASON_##why, index
#define MPTCP(length, subtype) TCPOPT_MPTCP, length, (subtype) << 4
#define JOIN(token) MP_JOIN_SYN(token)
#define JOIN_64(token, more) MPTCP(16, 1), 1, BYTES4(token), BYTES4(more), 0xa1, 0xa2, 0xa3, 0xa4
#define LINUX_SYN MSS, SACK_PERMITTED, TIMESTAMP(5, 0), NOP, WINDOW_SCALE
#define CAPABLE_V0 MPTCP(12, 0), 0x81, 1, 2, 3, 4, 5, 6, 7, 8
#define FAST_OPEN 34, 10, 1, 2, 3, 4, 5, 6, 7, 8

static const struct {
	const char *sentence;
	struct segment in;
	enum reason reason;
	int backend;
} rows[] = {
	{ "a join of 16 bytes goes by the first half of its token",
	  { SYN, OPTIONS(JOIN_64(TOKEN_OF_7, TOKEN_OF_9)) },
	  BY(token, SEVEN) },
	{ "whatever the second half is",
	  { SYN, OPTIONS(JOIN_64(TOKEN_OF_7, 0)) },
	  BY(token, SEVEN) },
	{ "a join of 16 bytes behind what Linux sends",
	  { SYN, OPTIONS(LINUX_SYN, JOIN_64(TOKEN_OF_7, 1)) },
	  BY(token, SEVEN) },
	{ "a join of 16 bytes at an odd offset, to the last byte",
	  { SYN, OPTIONS(NOP, NOP, NOP, JOIN_64(TOKEN_OF_9, 1), NOP) },
	  BY(token, NINE) },
	{ "a join of 16 bytes whose token names nobody goes by the ring",
	  { SYN, OPTIONS(JOIN_64(0x48494cd6u, TOKEN_OF_7)) },
	  BY(ring_token_unroutable, ON_RING) },
	{ "the last of a short join and a long one counts",
	  { SYN, OPTIONS(JOIN(TOKEN_OF_9), JOIN_64(TOKEN_OF_7, 1)) },
	  BY(token, SEVEN) },
	{ "the last of a long join and a short one counts",
	  { SYN, OPTIONS(JOIN_64(TOKEN_OF_7, 1), JOIN(TOKEN_OF_9)) },
	  BY(token, NINE) },
	{ "MP_JOIN of 13 bytes is no join",
	  { SYN, OPTIONS(MPTCP(13, 1), 1, BYTES4(TOKEN_OF_7), 1, 2, 3, 4, 5) },
	  BY(ring_new, ON_RING) },
	{ "MP_JOIN of 15 bytes is no join",
	  { SYN, OPTIONS(MPTCP(15, 1), 1, BYTES4(TOKEN_OF_7), 1, 2, 3, 4, 5, 6, 7) },
	  BY(ring_new, ON_RING) },
	{ "MP_JOIN of 24 bytes, that of an ACK, is no join",
	  { SYN, OPTIONS(MPTCP(24, 1), 1, BYTES4(TOKEN_OF_7), NOP4, NOP4, NOP4, NOP4) },
	  BY(ring_new, ON_RING) },
	{ "a join of a SYN/ACK, of 16 bytes too, is none",
	  { .flags = TCP_SYN | TCP_ACK, OPTIONS(JOIN_64(TOKEN_OF_7, 1)) },
	  BY(ring_no_stamp, ON_RING) },
	{ "a join as a backup, with another address id, is a join",
	  { SYN, OPTIONS(LINUX_SYN, TCPOPT_MPTCP, 12, 0x11, 200, BYTES4(TOKEN_OF_7), NOP4) },
	  BY(token, SEVEN) },
	{ "a join with reserved bits set is a join",
	  { SYN, OPTIONS(LINUX_SYN, TCPOPT_MPTCP, 12, 0x1e, 0, BYTES4(TOKEN_OF_7), NOP4) },
	  BY(token, SEVEN) },
	{ "MP_CAPABLE of version 0 goes by the ring",
	  { SYN, OPTIONS(LINUX_SYN, CAPABLE_V0) },
	  BY(ring_new, ON_RING) },
	{ "a join before MP_CAPABLE is none, as in the kernel",
	  { SYN, OPTIONS(JOIN(TOKEN_OF_7), MP_CAPABLE_SYN) },
	  BY(ring_new, ON_RING) },
	{ "a join of 16 bytes behind MP_CAPABLE is none",
	  { SYN, OPTIONS(MP_CAPABLE_SYN, JOIN_64(TOKEN_OF_7, 1)) },
	  BY(ring_new, ON_RING) },
	{ "a join behind MP_CAPABLE of version 0 is none",
	  { SYN, OPTIONS(CAPABLE_V0, JOIN(TOKEN_OF_7)) },
	  BY(ring_new, ON_RING) },
	{ "a join behind MP_CAPABLE, where Linux puts options, is none",
	  { SYN, OPTIONS(LINUX_SYN, MP_CAPABLE_SYN, JOIN(TOKEN_OF_7)) },
	  BY(ring_new, ON_RING) },
	{ "a join behind MP_PRIO is a join",
	  { SYN, OPTIONS(MPTCP(3, 5), NOP, JOIN(TOKEN_OF_7)) },
	  BY(token, SEVEN) },
	{ "a join before MP_FASTCLOSE is a join",
	  { SYN, OPTIONS(JOIN(TOKEN_OF_7), MPTCP(12, 7), 0, 1, 2, 3, 4, 5, 6, 7, 8) },
	  BY(token, SEVEN) },
	{ "a join between two options of other subtypes is a join",
	  { SYN, OPTIONS(MPTCP(8, 3), 1, 10, 0, 0, 1, JOIN(TOKEN_OF_9), MPTCP(12, 15), 0, 1, 2, 3,
			 4, 5, 6, 7, 8) },
	  BY(token, NINE) },
	{ "another subtype of a join's length is no join",
	  { SYN, OPTIONS(MPTCP(12, 9), 1, BYTES4(TOKEN_OF_7), NOP4) },
	  BY(ring_new, ON_RING) },
	{ "a join behind an MPTCP option of two bytes, which has no subtype, is a join",
	  { SYN, OPTIONS(TCPOPT_MPTCP, 2, JOIN(TOKEN_OF_7)) },
	  BY(token, SEVEN) },
	{ "a fast open SYN with data goes by the ring",
	  { SYN, .payload = 100, OPTIONS(LINUX_SYN, FAST_OPEN) },
	  BY(ring_new, ON_RING) },
	{ "a fast open SYN with MP_CAPABLE and data goes by the ring",
	  { SYN, .payload = 1000, OPTIONS(LINUX_SYN, MP_CAPABLE_SYN, FAST_OPEN) },
	  BY(ring_new, ON_RING) },
	{ "a join with data goes by its token",
	  { SYN, .payload = 77, OPTIONS(LINUX_SYN, JOIN(TOKEN_OF_7)) },
	  BY(token, SEVEN) },
	{ "a fast open join with data goes by its token",
	  { SYN, .payload = 500, OPTIONS(FAST_OPEN, NOP, NOP, JOIN(TOKEN_OF_7)) },
	  BY(token, SEVEN) },
	{ "a fast open join by the experimental option goes by its token",
	  { SYN, .payload = 5,
	    OPTIONS(254, 12, 0xf9, 0x89, 1, 2, 3, 4, 5, 6, 7, 8, JOIN(TOKEN_OF_9)) },
	  BY(token, NINE) },
	{ "a SYN with PSH and URG is a SYN",
	  { .flags = TCP_SYN | 0x28, OPTIONS(JOIN(TOKEN_OF_7)) },
	  BY(token, SEVEN) },
};

int main(void)
{
	struct config *config = config_new();

	fixture_secret(config, 1);
	fixture_backend(config, ON_RING, false, BACKEND_UP);
	fixture_backend(config, SEVEN, false, BACKEND_UP);
	fixture_backend(config, NINE, false, BACKEND_UP);
	for (int v6 = 0; v6 < 2; v6++) {
		struct config_service *service = &config->services[config->service_count++];

		config_service_defaults(service);
		address_parse(v6 ? SERVICE_V6 : SERVICE_V4, &service->address);
		service->port = SERVICE_PORT;
		service->weight[ON_RING] = 101;
		service->weight[SEVEN] = service->weight[NINE] = 1;
	}
	decision_load("joins", config);
	for (int v6 = 0; v6 < 2; v6++)
		for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
			decides(&rows[i].in, v6, rows[i].reason, rows[i].backend, "%s",
				rows[i].sentence);
	decision_unload();
	config_free(config);
	return tap_end();
}
