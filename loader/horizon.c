// SPDX-License-Identifier: GPL-2.0-only
/* Gaps between indices, and the time that they are worth. */
#include <stdio.h>

#include "horizon.h"

/* Steps from index to the next assigned one; step is 1 or, for downwards, -1. */
static uint32_t distance(const struct config *config, uint32_t index, uint32_t step)
{
	uint32_t slots = 1u << config->index_bits, far = 1;

	while (far < slots && !config->backends[(index + far * step) % slots].assigned)
		far++;
	return far;
}

uint32_t horizon_gap(const struct config *config, uint32_t index)
{
	return distance(config, index, -1u);
}

uint32_t horizon_even_gap(uint32_t backends, uint32_t index_bits)
{
	uint32_t gap = 1u << index_bits;

	while (gap > 1 && (1u << index_bits) / gap < backends)
		gap /= 2;
	return gap;
}

static uint32_t reverse_bits(uint32_t index, uint32_t index_bits)
{
	uint32_t reversed = 0;

	for (uint32_t bit = 0; bit < index_bits; bit++)
		reversed |= (index >> bit & 1) << (index_bits - 1 - bit);
	return reversed;
}

bool horizon_best_free(const struct config *config, uint32_t *index)
{
	uint32_t best_gap = 0;

	/* In bit-reversed order, so that the first of equals stays. */
	for (uint32_t turn = 0; turn < 1u << config->index_bits; turn++) {
		uint32_t candidate = reverse_bits(turn, config->index_bits), below, above;

		if (config->backends[candidate].assigned)
			continue;
		below = distance(config, candidate, -1u);
		above = distance(config, candidate, 1);
		if (below > above)
			below = above;
		if (below > best_gap) {
			best_gap = below;
			*index = candidate;
		}
	}
	return best_gap > 0;
}

void horizon_print(uint64_t ms, char text[static HORIZON_TEXT_MAX])
{
	static const struct {
		uint64_t from_s, unit_s;
		const char *unit;
	} units[] = { { 5 * 86400, 86400, "days" },
		      { 2 * 3600, 3600, "hours" },
		      { 2 * 60, 60, "minutes" },
		      { 0, 1, "seconds" } };
	uint64_t seconds = ms / 1000;
	size_t i = 0;

	while (seconds < units[i].from_s)
		i++;
	snprintf(text, HORIZON_TEXT_MAX, "%llu %s", (unsigned long long)(seconds / units[i].unit_s),
		 units[i].unit);
}
