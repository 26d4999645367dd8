/* SPDX-License-Identifier: GPL-2.0-only */
/* What was aimed at, as ratios within one run, and whether it is met. Nothing fails by it. */
#ifndef LB_GOALS_H
#define LB_GOALS_H

#include "lb_rows.h"

/* A row of a group, over IPv4, relative to what. */
enum relative {
	TO_ENCAP,
	TO_TIGHT,
	TO_ONE_FLOW, /* the same row with one flow */
	TO_V4,       /* the row is the one over IPv6 */
	TO_BASE,     /* the same row of the group "ipip" */
};

struct goal {
	const char *sentence;
	const char *group;
	enum class class;
	uint32_t flows;
	enum relative relative;
	double at_most;
};

static const struct goal goals[] = {
	{ "stamped, IPIP", "ipip", STAMPED, ONE, TO_ENCAP, 1.4 },
	{ "stamped, IPIP", "ipip", STAMPED, ONE, TO_TIGHT, 4 },
	{ "stamped, IPIP, 1M flows", "ipip", STAMPED, MILLION, TO_ONE_FLOW, 1.1 },
	{ "stamped, IPIP, 16M flows", "growth", STAMPED, MILLIONS_16, TO_ONE_FLOW, 1.1 },
	{ "stamped, l2", "l2", STAMPED, ONE, TO_ENCAP, 1.0 },
	{ "new connection by the ring, l2", "l2", RING, ONE, TO_ENCAP, 2.5 },
	{ "new connection by the ring, IPIP", "ipip", RING, ONE, TO_ENCAP, 2.5 },
	{ "join by its token, l2", "l2", JOIN, ONE, TO_ENCAP, 2.5 },
	{ "join by its token, IPIP", "ipip", JOIN, ONE, TO_ENCAP, 2.5 },
	{ "join by its token, l2, 1M flows", "l2", JOIN, MILLION, TO_ENCAP, 3.5 },
	{ "join by its token, IPIP, 1M flows", "ipip", JOIN, MILLION, TO_ENCAP, 3.5 },
	{ "stamped, behind 28 NOPs, l2", "l2", STAMPED_BEHIND_NOPS, ONE, TO_ENCAP, 5 },
	{ "stamped, behind 28 NOPs, IPIP", "ipip", STAMPED_BEHIND_NOPS, ONE, TO_ENCAP, 5 },
	{ "join, behind 28 NOPs, l2", "l2", JOIN_BEHIND_NOPS, ONE, TO_ENCAP, 5 },
	{ "join, behind 28 NOPs, IPIP", "ipip", JOIN_BEHIND_NOPS, ONE, TO_ENCAP, 5 },
	{ "not for a service", "l2", OTHER_PORT, ONE, TO_ENCAP, 0.4 },
	{ "IPv6: stamped, l2", "l2", STAMPED, ONE, TO_V4, 1.2 },
	{ "IPv6: stamped, IPIP", "ipip", STAMPED, ONE, TO_V4, 1.2 },
	{ "IPv6: new connection by the ring, l2", "l2", RING, ONE, TO_V4, 1.2 },
	{ "IPv6: join by its token, l2", "l2", JOIN, ONE, TO_V4, 1.2 },
	{ "IPv6: not for a service", "l2", OTHER_PORT, ONE, TO_V4, 1.2 },
	{ "4,096 backends: stamped, 1M flows", "backends-4096", STAMPED, MILLION, TO_BASE, 1.3 },
	{ "4,096 backends: join, 1M flows", "backends-4096", JOIN, MILLION, TO_BASE, 1.3 },
	{ "4,096 backends: ring, 1M flows", "backends-4096", RING, MILLION, TO_BASE, 1.3 },
	{ "512 services: stamped, 1M flows", "services-512", STAMPED, MILLION, TO_BASE, 1.3 },
	{ "512 services: join, 1M flows", "services-512", JOIN, MILLION, TO_BASE, 1.3 },
	{ "512 services: ring, 1M flows", "services-512", RING, MILLION, TO_BASE, 1.3 },
};

/* By the medians, which count, and by the minima. */
struct reached {
	double median, min; /* 0: something of it was not measured */
};

static inline struct reached ratio_to(const struct row *row, const struct row *other)
{
	if (!row || !other)
		return (struct reached){};
	return (struct reached){ row->net_ns / other->net_ns, row->net_min_ns / other->net_min_ns };
}

static inline struct reached reached(const struct goal *goal)
{
	const struct group *group = find_group(goal->group);
	const struct row *row = find_row(group, goal->class, goal->relative == TO_V4, goal->flows);

	switch (goal->relative) {
	case TO_ENCAP:
		return ratio_to(row, find_row(group, ENCAP, false, ONE));
	case TO_TIGHT:
		return ratio_to(row, find_row(group, TIGHT, false, ONE));
	case TO_ONE_FLOW:
		return ratio_to(row, find_row(group, goal->class, false, ONE));
	case TO_V4:
		return ratio_to(row, find_row(group, goal->class, false, goal->flows));
	default:
		return ratio_to(row, find_row(find_group("ipip"), goal->class, false, goal->flows));
	}
}

static inline void print_goals(FILE *out)
{
	static const char *const units[] = { "E", "T", "one flow", "IPv4",
					     "100 backends, 2 services" };

	fprintf(out, "| %-38s | %-24s | %7s | %7s | %7s | %-7s |\n", "packet", "times", "at most",
		"medians", "minima", "");
	fprintf(out, "|---|---|--:|--:|--:|---|\n");
	for (size_t i = 0; i < sizeof(goals) / sizeof(*goals); i++) {
		const struct goal *goal = &goals[i];
		struct reached here = reached(goal);

		if (here.median)
			fprintf(out, "| %-38s | %-24s | %7.1f | %7.2f | %7.2f | %-7s |\n",
				goal->sentence, units[goal->relative], goal->at_most, here.median,
				here.min, here.median <= goal->at_most ? "met" : "not met");
	}
}

#endif
