// SPDX-License-Identifier: GPL-2.0-only
/* Fuzzer: the walk over TCP options, over any bytes, and compared with a second walk. */
#include <string.h>

#include "../../include/tcpopt.h"
#include "../dissect.h"
#include "claim.h"

/* A walk ends by itself: each step moves on, and stays before the header's end. */
static struct tcpopt_walk walk_all(const uint8_t *data, const uint8_t *data_end,
				   struct tcpopt_walk walk)
{
	enum tcpopt_verdict verdict;
	uint32_t at;

	do {
		at = walk.at;
		verdict = tcpopt_step(data, data_end, &walk);
		claim(verdict == TCPOPT_WALK_ENDS || (walk.at > at && walk.at <= walk.end),
		      "a step does not move on, or moves out of the header");
	} while (verdict == TCPOPT_WALK_ON);
	return walk;
}

/* What was noted begins in the header and, by its own length, ends there. */
static void check_place(const uint8_t *data, const uint8_t *data_end, uint32_t place,
			uint32_t start, uint32_t end, uint8_t kind)
{
	if (!place)
		return;
	claim(place >= start && data + place + 2 <= data_end, "an option is not there");
	claim(data[place] == kind, "an option is of another kind");
	claim(place + data[place + 1] <= end, "an option is not all in the header");
}

static void compare(const uint8_t *data, const uint8_t *data_end, const struct tcpopt_walk *walk,
		    uint32_t start)
{
	struct dissected_options want = dissect_options(data + start, data + walk->end, data_end);

	claim(walk->malformed == want.malformed, "the two walks differ: malformed");
	if (want.malformed || data + walk->end > data_end)
		return;
	claim(!!walk->capable == want.capable, "the two walks differ: MP_CAPABLE");
	claim(!!walk->timestamp == want.stamped, "the two walks differ: timestamps");
	claim(!!walk->join == want.joins, "the two walks differ: MP_JOIN");
	claim(!want.joins || dissect_number(data + walk->join + 4, 4) == want.token,
	      "the two walks differ: token");
}

/* Two bytes of where the header starts and ends, then a frame. */
int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
	struct tcpopt_walk walk = { 0 };
	uint32_t start, length;
	uint8_t *data;

	if (size < 2)
		return 0;
	start = 1 + input[0] % 64; /* 0 means not found */
	length = size - 2;
	data = malloc(length ? length : 1);
	memcpy(data, input + 2, length);
	walk.at = start;
	walk.end = start + input[1] % (TCP_OPTIONS_MAX + 1);
	walk = walk_all(data, data + length, walk);
	check_place(data, data + length, walk.timestamp, start, walk.end, TCPOPT_TIMESTAMP);
	check_place(data, data + length, walk.mss, start, walk.end, TCPOPT_MSS);
	check_place(data, data + length, walk.join, start, walk.end, TCPOPT_MPTCP);
	check_place(data, data + length, walk.capable, start, walk.end, TCPOPT_MPTCP);
	compare(data, data + length, &walk, start);
	free(data);
	return 0;
}
