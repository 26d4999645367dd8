/* SPDX-License-Identifier: GPL-2.0-only */
/* The flows of a configuration, and where each kind of packet of theirs must go. */
#ifndef LB_FLOWS_H
#define LB_FLOWS_H

#include "../../loader/ring.h"
#include "lb_groups.h"
#include "minimal.h"

#define WALL_MS 0xc4653601u
#define AGE_MAX_MS 60000
#define CLIENTS_V4 0x0b000000u

/* What the expected backends follow from. */
struct expectation {
	const struct group *group;
	struct ring ring; /* all services have the same members */
	struct flow_key *keys, *keys_v6;
	struct address client_v6;
	__be32 service_v4;
};

static inline struct flow_key *keys_of(const struct config *config, const char *address,
				       uint32_t services)
{
	struct flow_key *keys = calloc(services, sizeof(*keys));
	struct address parsed;

	address_parse(address, &parsed);
	for (uint32_t i = 0; i < services; i++)
		keys[i] = flow_key_of(config->ring_seed, parsed.halves, htons(SERVICE_PORT + i));
	return keys;
}

static inline struct expectation *expect(const struct config *config, const struct group *group)
{
	struct expectation *expected = calloc(1, sizeof(*expected));

	expected->group = group;
	ring_build(config, &config->services[0], &expected->ring);
	expected->keys = keys_of(config, SERVICE_V4, services_of_family(group));
	expected->keys_v6 = keys_of(config, SERVICE_V6, services_of_family(group));
	address_parse(CLIENT_V6, &expected->client_v6);
	expected->service_v4 = inet_addr(SERVICE_V4);
	return expected;
}

static inline void expect_no_more(struct expectation *expected)
{
	free(expected->keys);
	free(expected->keys_v6);
	free(expected);
}

static inline __be16 ring_backend(const struct expectation *expected, uint64_t hash)
{
	return htons(expected->ring.slot[ring_slot(hash)] - 1);
}

static inline __be32 ports(uint16_t source, uint16_t destination)
{
	return htonl((uint32_t)source << 16 | destination);
}

static inline void set_flow(struct bench_flow *at, const struct expectation *expected,
			    uint32_t flow)
{
	static const struct token_secret secret = { 0x0706050403020100, 0x0f0e0d0c0b0a0908 };
	const struct group *group = expected->group;
	uint32_t index = index_of(group, flow), service = flow % services_of_family(group);
	uint32_t bits = group->index_bits;
	uint16_t sport = 1024 + flow % 60000;
	struct address client_v6 = expected->client_v6;

	at->source = client_v6.words[3] = htonl(CLIENTS_V4 + flow);
	at->ports = ports(sport, SERVICE_PORT + service);
	at->join_port = ports(sport, JOIN_PORT_BASE + index);
	at->other_port = ports(sport, 22);
	at->stamp = htonl(WALL_MS - flow % AGE_MAX_MS + index * stamp_slot_ms(bits));
	at->token =
		htonl(token_encode(&secret, EPOCH, bits, index, flow & ((1u << (30 - bits)) - 1)));
	at->named = htons(index);
	at->on_ring = ring_backend(
		expected, flow_hash_v4(&expected->keys[service], at->source, htons(sport)));
	at->on_ring_v6 = ring_backend(expected, flow_hash_v6(&expected->keys_v6[service],
							     client_v6.halves, htons(sport)));
	at->on_minimal = htons(minimal_slot(&(struct minimal_flow){
				       at->source, expected->service_v4, at->ports }) %
			       group->backends);
}

/* Neighbours in the map are far from each other in all that they contain. */
static inline void fill_flows(struct bench_flow *table, const struct expectation *expected)
{
	uint32_t count = most_flows(expected->group);

	for (uint32_t i = 0; i < count; i++)
		set_flow(&table[i], expected, i * 0x9e3779b1 % count);
}

#endif
