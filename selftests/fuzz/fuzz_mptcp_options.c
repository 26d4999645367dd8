// SPDX-License-Identifier: GPL-2.0-only
/* libFuzzer: whatever is accepted of a TCP header's options survives being written and read. */
#include <stdlib.h>
#include <string.h>

#include "../../include/mptcp_handshake.h"

static void round_trip(const struct mptcp_option *option)
{
	struct mptcp_option again;
	uint8_t bytes[MPTCP_OPTION_MAX];
	size_t length = mptcp_option_encode(option, bytes);

	if (length > MPTCP_OPTION_MAX || bytes[1] != length)
		abort();
	if (mptcp_option_parse(bytes, length, option->segment, &again) ||
	    memcmp(option, &again, sizeof(again)))
		abort();
}

/* Each judge must take any option that the parser lets through. */
static void judge(const struct mptcp_option *option, bool is_client)
{
	static const struct mptcp_end own = {
		.speaks = ~1u, .key_sources = 7, .key = 1, .token = 2
	};
	struct mptcp_join join = { 0 };
	struct mptcp_handshake handshake;
	struct mptcp_option answer;

	mptcp_handshake_init(&handshake, is_client, &own);
	if (is_client)
		mptcp_offer(&handshake, &answer);
	else
		mptcp_judge_offer(&handshake, option, &answer);
	mptcp_judge_answer(&handshake, option, &answer);
	mptcp_judge_ack(&handshake, option);
	mptcp_give_keys(&handshake, 3, 4);
	mptcp_judge_new_key(&handshake, option);
	mptcp_join_answer(&handshake, &join, option, &answer);
	mptcp_join_confirm(&handshake, &join, option, &answer);
	mptcp_join_finish(&handshake, &join, option);
	if (option->subtype == MPTCPOPT_ADD_ADDR)
		mptcp_add_addr_check(&handshake, &option->add_addr);
}

/* The first byte says which segment; at most 40 follow it in a TCP header, and all are tried. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mptcp_tcp_option found;
	struct mptcp_option option;
	size_t at = 0;

	if (!size)
		return 0;
	while (!mptcp_options_next(data + 1, size - 1, &at, &found) && found.kind != TCPOPT_EOL) {
		if (found.kind != TCPOPT_MPTCP ||
		    mptcp_option_parse(found.bytes, found.length, data[0] % 3, &option))
			continue;
		round_trip(&option);
		judge(&option, data[0] & 0x80);
	}
	return 0;
}
