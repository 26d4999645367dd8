// SPDX-License-Identifier: GPL-2.0-only
/* The stamp codec and idle horizons, against golden vectors and the design's table. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "../../include/stamp.h"
#include "../../loader/horizon.h"
#include "../tap.h"
#include "../vectors.h"

struct options options;

#define SLOTS_MAX 4096

/* "0,64,128" as an array of flags by index. */
static void parse_assigned(const char *list, uint8_t assigned[static SLOTS_MAX])
{
	char *end;

	memset(assigned, 0, SLOTS_MAX);
	do {
		assigned[strtoul(list, &end, 10) % SLOTS_MAX] = 1;
		list = end + 1;
	} while (*end == ',');
}

static uint32_t owner_of(uint32_t index_bits, const char *list, uint32_t slot)
{
	uint8_t assigned[SLOTS_MAX];
	uint16_t owner[SLOTS_MAX];

	parse_assigned(list, assigned);
	stamp_fill_owners(assigned, index_bits, owner);
	return owner[slot];
}

static bool check_decode(const char *line)
{
	uint32_t index_bits, tsecr, index;
	uint64_t wall_ms;

	return sscanf(line, "%" SCNu32 " %" SCNu64 " %" SCNx32 " %" SCNu32, &index_bits, &wall_ms,
		      &tsecr, &index) == 4 &&
	       stamp_slot(tsecr, wall_ms, index_bits) == index;
}

static bool check_owner(const char *line)
{
	uint32_t index_bits, slot, index;
	char list[64];

	return sscanf(line, "%" SCNu32 " %63s %" SCNu32 " %" SCNu32, &index_bits, list, &slot,
		      &index) == 4 &&
	       owner_of(index_bits, list, slot) == index;
}

static bool check_encode(const char *line)
{
	uint32_t index_bits, index, tsval, stamped;
	uint64_t offset_ms;

	return sscanf(line, "%" SCNu32 " %" SCNu32 " %" SCNu64 " %" SCNx32 " %" SCNx32, &index_bits,
		      &index, &offset_ms, &tsval, &stamped) == 5 &&
	       tsval + stamp_constant(offset_ms, index, index_bits) == stamped &&
	       stamped - stamp_constant(offset_ms, index, index_bits) == tsval;
}

static bool check_age(const char *line)
{
	uint32_t index_bits, sent, tsecr, index;
	int64_t age_ms, wall_ms;
	char list[64];

	return sscanf(line,
		      "%" SCNu32 " %63s %" SCNu32 " %" SCNd64 " %" SCNd64 " %" SCNx32 " %" SCNu32,
		      &index_bits, list, &sent, &age_ms, &wall_ms, &tsecr, &index) == 7 &&
	       stamp_constant(wall_ms - age_ms, sent, index_bits) == tsecr &&
	       owner_of(index_bits, list, stamp_slot(tsecr, wall_ms, index_bits)) == index;
}

static const struct section {
	const char *title;
	bool (*check)(const char *line);
	int least; /* how many lines there must be */
} sections[] = {
	{ "stamp decode", check_decode, 7 },
	{ "slot owner", check_owner, 29 },
	{ "stamp encode", check_encode, 4 },
	{ "stamp age", check_age, 100 },
};

static void test_vectors(void)
{
	for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++) {
		int right = vectors_check(sections[i].title, sections[i].check);

		ok(right >= sections[i].least, "%s: %d vectors, and at least %d", sections[i].title,
		   right, sections[i].least);
	}
}

/* Design section 4: n backends in bit-reversed order, and what an idle connection survives. */
static const struct {
	uint32_t index_bits, backends;
	const char *survives, *clock_error;
} horizons[] = {
	{ 8, 4, "12 days", "17 minutes" },       { 8, 16, "74 hours", "17 minutes" },
	{ 8, 64, "18 hours", "17 minutes" },     { 8, 256, "4 hours", "17 minutes" },
	{ 10, 1024, "65 minutes", "4 minutes" }, { 12, 4096, "16 minutes", "65 seconds" },
};

static void test_horizons(void)
{
	for (size_t i = 0; i < sizeof(horizons) / sizeof(horizons[0]); i++) {
		uint32_t bits = horizons[i].index_bits, index = 0, least = 1 << bits;
		struct config *config = config_new();
		char survives[HORIZON_TEXT_MAX], clock_error[HORIZON_TEXT_MAX];

		config->index_bits = bits;
		for (uint32_t n = 0; n < horizons[i].backends; n++)
			if (horizon_best_free(config, &index))
				config->backends[index].assigned = true;
		for (index = 0; index < 1u << bits; index++)
			if (config->backends[index].assigned && horizon_gap(config, index) < least)
				least = horizon_gap(config, index);
		horizon_print(stamp_horizon_ms(least, bits), survives);
		horizon_print(stamp_clock_error_ms(bits), clock_error);
		ok(!strcmp(survives, horizons[i].survives) &&
			   !strcmp(clock_error, horizons[i].clock_error) &&
			   least == horizon_even_gap(horizons[i].backends, bits),
		   "%u backends at index bits %u: %s idle, clock error %s", horizons[i].backends,
		   bits, survives, clock_error);
		config_free(config);
	}
}

static void test_best_free(void)
{
	static const uint32_t wanted[] = { 0, 128, 64, 192, 32, 160, 96, 224, 16, 144 };
	struct config *config = config_new();
	uint32_t index = 0;
	bool same = true;

	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		same &= horizon_best_free(config, &index) && index == wanted[i];
		config->backends[wanted[i]].assigned = true;
	}
	ok(same, "free indices are proposed in bit-reversed order: 0, 128, 64, 192, 32, ...");

	memset(config->backends, 0, sizeof(config->backends));
	config->backends[3].assigned = config->backends[4].assigned = true;
	ok(horizon_best_free(config, &index) && index == 132,
	   "between 4 and 3 the best free index is the even one of the middle two, 132");
	ok(horizon_gap(config, 4) == 1 && horizon_gap(config, 3) == 255,
	   "the gap below an index goes round the corner");

	for (index = 0; index < 255; index++)
		config->backends[index].assigned = true;
	ok(horizon_best_free(config, &index) && index == 255, "the last free index is proposed");
	config->backends[255].assigned = true;
	ok(!horizon_best_free(config, &index), "where all are assigned, none is proposed");
	memset(config->backends, 0, sizeof(config->backends));
	config->backends[9].assigned = true;
	ok(horizon_gap(config, 9) == 256, "an index that is alone has all slots below it");
	config_free(config);
}

static void test_offset(void)
{
	ok(stamp_offset(1790000000063, 0) == (uint32_t)1790000000000 &&
		   stamp_offset(1790000000064, 0) == (uint32_t)1790000000064,
	   "the offset is rounded down to 64 ms");
	ok(!(stamp_constant(stamp_offset(1790000012345, 777), 4095, 12) & 63),
	   "the constant leaves the low 6 bits of a TSval, which SYN cookies use");
}

int main(void)
{
	vectors_locate();
	test_vectors();
	test_horizons();
	test_best_free();
	test_offset();
	return tap_end();
}
