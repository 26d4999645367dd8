// SPDX-License-Identifier: GPL-2.0-only
/* What is counted for whom: every service and backend, and services that come and go. Needs root.
 */
#define _GNU_SOURCE
#include <linux/bpf.h>

#include "decision.h"
#include "../../loader/tables_layout.h"

struct options options;

enum { INDEX_BITS = 12, LAST = MAX_BACKENDS - 1 };

#define STAMP(index) (DECISION_WALL_MS - 1 + ((uint32_t)(index) << (32 - INDEX_BITS)))
#define TO(index, port) \
	{ \
		.dport = port, .flags = TCP_ACK, OPTIONS(NOP, NOP, TIMESTAMP(5, STAMP(index))) \
	}

static const uint32_t indices[] = {
	0, 1, STAMPED_BACKENDS - 1, STAMPED_BACKENDS, STAMPED_BACKENDS + 1, LAST
};

#define INDICES (sizeof(indices) / sizeof(indices[0]))

/* Services of one address, at so many ports from SERVICE_PORT on. */
static struct config *new_config(uint32_t services)
{
	struct config *config = config_new();

	config->index_bits = INDEX_BITS;
	fixture_secret(config, 1);
	for (uint32_t i = 0; i < INDICES; i++)
		fixture_backend(config, indices[i], false, BACKEND_UP);
	config->service_count = services;
	for (uint32_t i = 0; i < services; i++) {
		struct config_service *service = &config->services[i];

		address_parse(SERVICE_V4, &service->address);
		service->port = SERVICE_PORT + i;
		service->stamps = true;
		for (uint32_t j = 0; j < INDICES; j++)
			service->weight[indices[j]] = 1 + WEIGHT_DEFAULT;
	}
	return config;
}

static uint16_t id_of(uint16_t port)
{
	struct address address;

	address_parse(SERVICE_V4, &address);
	return tables_service_id(decision_tables, &address, port);
}

/* What a service has by the reason `stamp`, and a backend of all of them. */
static uint64_t count_of(uint32_t counter)
{
	uint64_t *counters, count;

	if (tables_counters(decision_tables, &counters))
		fixture_die("can't read the counters");
	count = counters[counter];
	free(counters);
	return count;
}

static uint64_t stamped_of(uint16_t port)
{
	return count_of(id_of(port) * COUNTER_REASONS + REASON_stamp);
}

static void check(uint32_t index, uint16_t port)
{
	const struct segment segment = TO(index, port);
	struct decision got = decide(&segment);

	ok(got.reason == REASON_stamp && got.service == id_of(port) && got.backend == (int)index &&
		   got.right_frame,
	   "stamped, index %u, port %u: counted for service %d, index %d", index, port, got.service,
	   got.backend);
}

static void check_all(void)
{
	const uint16_t last = SERVICE_PORT + MAX_SERVICES - 1;

	for (uint32_t i = 0; i < INDICES; i++)
		check(indices[i], SERVICE_PORT);
	ok(id_of(last) == MAX_SERVICES, "the last of %d services has the last id", MAX_SERVICES);
	check(1, last);
	check(LAST, last);
	ok(stamped_of(last) == 2, "it has what is its own");
}

/* The service at SERVICE_PORT gives way to one that gets its id. */
static void check_id_again(void)
{
	struct config *other = new_config(1);
	uint16_t id = id_of(SERVICE_PORT);

	other->services[0].port = 80;
	tables_clear_counters(decision_tables, &id, 1);
	ok(!stamped_of(SERVICE_PORT), "counters that are cleared are 0");
	ok(count_of(COUNTER_BACKENDS + LAST) == 2, "and the backends have what they had");
	decision_forget();
	check(LAST, SERVICE_PORT);
	ok(stamped_of(SERVICE_PORT) == 1, "they count on from there");
	decision_publish(other); /* 512 services have all ids: it gets one that ends, the first */
	ok(id_of(80) == id, "a new service gets another's id");
	ok(!stamped_of(80), "and begins at 0");
	check(LAST, 80);
	ok(stamped_of(80) == 1, "and counts its own");
	config_free(other);
}

int main(void)
{
	struct config *config = new_config(MAX_SERVICES);

	decision_load("counters", config);
	check_all();
	check_id_again();
	decision_unload();
	config_free(config);
	return tap_end();
}
