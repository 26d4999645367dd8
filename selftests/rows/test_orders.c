// SPDX-License-Identifier: GPL-2.0-only
/* TCP options in every order, with padding before and behind them. Needs root. */
#define _GNU_SOURCE
#include "outcome.h"

struct options options;

/* Options that one segment carries, in every order. */
struct option {
	const char *name;
	uint8_t length;
	uint8_t bytes[12];
};

#define OPTION(name, ...) \
	{ \
		name, sizeof((uint8_t[]){ __VA_ARGS__ }), \
		{ \
			__VA_ARGS__ \
		} \
	}
#define OPTION_MSS OPTION("the MSS", MSS)
#define OPTION_SACK_PERMITTED OPTION("SACK permitted", SACK_PERMITTED)
#define OPTION_WINDOW OPTION("the window scale", WINDOW_SCALE)
#define OPTION_JOIN OPTION("MP_JOIN", MP_JOIN_SYN(TOKEN_OF_7))
#define OPTION_CAPABLE OPTION("MP_CAPABLE", MP_CAPABLE_SYN)
#define OPTION_SACK OPTION("a SACK block", 5, 10, BYTES4(0x55667788), BYTES4(0x55667799))
#define OPTION_DSS OPTION("a DSS", TCPOPT_MPTCP, 8, 0x20, 0x01, BYTES4(0x01020304))
#define OPTION_UNKNOWN OPTION("an unknown option", 253, 5, 30, 12, 16)

static const struct variety {
	const char *sentence;
	uint8_t flags;
	struct option options[6];
	size_t count;
	enum reason reason;
	int backend;
} varieties[] = {
	{ "a join finds its token",
	  TCP_SYN,
	  { OPTION_MSS, OPTION_SACK_PERMITTED, OPTION("the timestamps", TIMESTAMP(5, 0)),
	    OPTION_WINDOW, OPTION_JOIN },
	  5,
	  BY(token, NAMED) },
	{ "a new connection goes by the ring",
	  TCP_SYN,
	  { OPTION_MSS, OPTION_SACK_PERMITTED, OPTION("the timestamps", TIMESTAMP(5, 0)),
	    OPTION_WINDOW, OPTION_CAPABLE },
	  5,
	  BY(ring_new, ON_RING) },
	{ "MP_JOIN with MP_CAPABLE is no join",
	  TCP_SYN,
	  { OPTION_MSS, OPTION_SACK_PERMITTED, OPTION("the timestamps", TIMESTAMP(5, 0)),
	    OPTION_WINDOW, OPTION_JOIN, OPTION_CAPABLE },
	  6,
	  BY(ring_new, ON_RING) },
	{ "a segment finds its stamp",
	  TCP_ACK,
	  { OPTION("the timestamps", TIMESTAMP(5, STAMP(7))), OPTION_SACK, OPTION_DSS,
	    OPTION_UNKNOWN },
	  4,
	  BY(stamp, NAMED) },
};

enum padding { NOPS_BEHIND, EOL_BEHIND, NOPS_BEFORE, PADDINGS };

static void put_options(struct segment *segment, const struct option *const *order, size_t count,
			enum padding padding)
{
	uint8_t *at = segment->options;
	size_t length = 0, filled;

	for (size_t i = 0; i < count; i++)
		length += order[i]->length;
	filled = padding == NOPS_BEFORE ? sizeof(segment->options) : (length + 3) / 4 * 4;
	memset(at, padding == EOL_BEHIND ? EOL : NOP, filled);
	at += padding == NOPS_BEFORE ? filled - length : 0;
	for (size_t i = 0; i < count; at += order[i++]->length)
		memcpy(at, order[i]->bytes, order[i]->length);
	segment->options_length = filled;
}

static bool run_order(const struct variety *variety, bool v6, const struct option *const *order)
{
	bool good = true;

	for (enum padding padding = 0; padding < PADDINGS; padding++) {
		struct segment segment = { .v6 = v6, .flags = variety->flags };
		struct outcome outcome;
		uint8_t frame[FRAME_MAX];

		put_options(&segment, order, variety->count, padding);
		good &= decision_run(frame, packet_build(frame, &segment), &outcome) &&
			outcome.reason == variety->reason && outcome.backend == variety->backend;
	}
	if (!good)
		for (size_t i = 0; i < variety->count; i++)
			diag("wrong in this order: %s", order[i]->name);
	return good;
}

/* All orders of what stands behind the first `fixed`. */
static bool run_orders(const struct variety *variety, bool v6, const struct option **order,
		       size_t fixed)
{
	bool good = true;

	if (fixed == variety->count)
		return run_order(variety, v6, order);
	for (size_t i = fixed; i < variety->count; i++) {
		const struct option *first = order[i];

		order[i] = order[fixed];
		order[fixed] = first;
		good &= run_orders(variety, v6, order, fixed + 1);
		order[fixed] = order[i];
		order[i] = first;
	}
	return good;
}

static void check_orders(const struct variety *variety, bool v6)
{
	const struct option *order[6];

	for (size_t first = 0; first < variety->count; first++) {
		for (size_t i = 0; i < variety->count; i++)
			order[i] = &variety->options[(first + i) % variety->count];
		ok(run_orders(variety, v6, order, 1),
		   "IPv%d: %s in every order that begins with %s", v6 ? 6 : 4, variety->sentence,
		   order[0]->name);
	}
}

int main(void)
{
	decision_begin_with_two();
	for (int v6 = 0; v6 < 2; v6++)
		for (size_t i = 0; i < sizeof(varieties) / sizeof(varieties[0]); i++)
			check_orders(&varieties[i], v6);
	decision_end();
	return tap_end();
}
