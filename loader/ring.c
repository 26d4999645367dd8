// SPDX-License-Identifier: GPL-2.0-only
#include <stdlib.h>
#include <string.h>

#include "ring.h"

/* One member that takes new connections, and its walk over the slots. */
struct taker {
	uint16_t index;
	uint16_t weight;
	uint32_t at; /* the slot it wants next */
	uint32_t skip;
};

static uint64_t maglev_hash(uint64_t seed, uint32_t index, uint32_t which)
{
	struct siphash s = siphash_start(seed, which);

	return siphash_end(&s, (uint64_t)2 << 56 | index, 2, 4);
}

static size_t find_takers(const struct config *config, const struct config_service *service,
			  struct taker *takers)
{
	size_t count = 0;

	for (uint32_t i = 0; i < MAX_BACKENDS; i++) {
		if (service->weight[i] < 2 || config->backends[i].state != BACKEND_UP)
			continue;
		takers[count++] = (struct taker){
			.index = i,
			.weight = service->weight[i] - 1,
			.at = maglev_hash(config->ring_seed, i, 0) % RING_SLOTS,
			.skip = 1 + maglev_hash(config->ring_seed, i, 1) % (RING_SLOTS - 1),
		};
	}
	return count;
}

static void take_next_slot(struct taker *taker, uint16_t *slots)
{
	while (slots[taker->at])
		taker->at = (taker->at + taker->skip) % RING_SLOTS;
	slots[taker->at] = taker->index + 1;
}

/*
 * Maglev's population: in each round the members take a free slot each, in the order
 * of their indices; one whose weight is w of the greatest, g, in w of g rounds.
 */
static void fill_slots(struct taker *takers, size_t count, uint16_t *slots)
{
	uint64_t greatest = 0;
	uint32_t left = RING_SLOTS;

	for (size_t i = 0; i < count; i++)
		if (takers[i].weight > greatest)
			greatest = takers[i].weight;
	for (uint64_t round = 0; left && count; round++) {
		for (size_t i = 0; i < count && left; i++) {
			uint64_t weight = takers[i].weight;

			if ((round + 1) * weight / greatest == round * weight / greatest)
				continue;
			take_next_slot(&takers[i], slots);
			left--;
		}
	}
}

void ring_build(const struct config *config, const struct config_service *service,
		struct ring *ring)
{
	static struct taker takers[MAX_BACKENDS];
	size_t count = find_takers(config, service, takers);

	memset(ring, 0, sizeof(*ring));
	memcpy(ring->weight, service->weight, sizeof(ring->weight));
	fill_slots(takers, count, ring->slot);
}
