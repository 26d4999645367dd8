/* SPDX-License-Identifier: GPL-2.0-only */
/* The configurations under which the balancer is measured: a base, then one factor at a time. */
#ifndef LB_GROUPS_H
#define LB_GROUPS_H

#include "../../include/stamp.h"
#include "fixture.h"
#include "lb_classes.h"

#define EPOCH 1
#define JOIN_PORT_BASE 10000
#define FLOWS_LISTED 8

struct group {
	const char *name;
	enum forward forward;
	bool outer_v6;
	uint32_t backends;
	uint32_t index_bits;
	uint32_t services; /* of both families; 1: IPv4 only */
	enum flows flows_mode;
	bool join_ports;
	bool v4_only;
	const char *note; /* what its rows are called besides their class; NULL: nothing */
	uint32_t flows[FLOWS_LISTED]; /* 0 ends them */
	enum class classes[CLASSES];  /* CLASSES ends them; the floors come with each group */
};

#define ONE 1
#define MILLION (1 << 20)
#define MILLIONS_16 (1 << 24)
#define BASE .backends = 100, .index_bits = 8, .services = 2, .flows = { ONE, MILLION }
#define OURS \
	STAMPED, STAMPED_BEHIND_NOPS, JOIN, JOIN_BEHIND_NOPS, RING, RING_BARE, ICMP_ERROR, \
		OTHER_PORT, UDP, CLASSES
#define FEW STATELESS, STAMPED, JOIN, RING, OTHER_PORT, CLASSES

static const struct group groups[] = {
	{ "l2", FORWARD_L2, BASE, .classes = { OURS } },
	{ "ipip", FORWARD_IPIP, BASE, .classes = { STATELESS, STATEFUL, OURS } },
	{ "ipip6", FORWARD_IPIP, true, BASE, .note = ", outer IPv6", .classes = { FEW } },
	{ "gue", FORWARD_GUE, BASE, .classes = { FEW } },
	{ "gue6", FORWARD_GUE, true, BASE, .note = ", outer IPv6", .classes = { FEW } },
	{ "join-port", FORWARD_IPIP, BASE, .join_ports = true, .classes = { JOIN_PORT, CLASSES } },
	{ "flows-joins", FORWARD_IPIP, BASE, .flows_mode = FLOWS_JOINS, .note = ", flows joins",
	  .classes = { STAMPED, CACHED_JOIN, CLASSES } },
	{ "flows-all", FORWARD_IPIP, BASE, .flows_mode = FLOWS_ALL, .note = ", flows all",
	  .classes = { CACHED, CLASSES } },
	{ "backends-3", FORWARD_IPIP, .backends = 3, .index_bits = 8, .services = 2,
	  .flows = { ONE, MILLION }, .classes = { FEW } },
	{ "backends-4096", FORWARD_IPIP, .backends = 4096, .index_bits = 12, .services = 2,
	  .flows = { ONE, MILLION }, .classes = { FEW } },
	{ "services-1", FORWARD_IPIP, .backends = 100, .index_bits = 8, .services = 1,
	  .v4_only = true, .flows = { ONE, MILLION }, .classes = { FEW } },
	{ "services-512", FORWARD_IPIP, .backends = 100, .index_bits = 8, .services = 512,
	  .flows = { ONE, MILLION }, .classes = { FEW } },
	{ "growth", FORWARD_IPIP, .backends = 100, .index_bits = 8, .services = 2, .v4_only = true,
	  .flows = { ONE, 1 << 6, 1 << 12, 1 << 16, MILLION, 1 << 22, MILLIONS_16 },
	  .classes = { STATELESS, STATEFUL, STAMPED, JOIN, RING, CLASSES } },
};

#define GROUPS (sizeof(groups) / sizeof(groups[0]))

static inline const struct group *find_group(const char *name)
{
	for (size_t i = 0; i < GROUPS; i++)
		if (!strcmp(groups[i].name, name))
			return &groups[i];
	return NULL;
}

static inline uint32_t index_of(const struct group *group, uint32_t flow)
{
	return flow % group->backends * (1 << group->index_bits) / group->backends;
}

/* Services of a family stand side by side, a port each. */
static inline uint32_t services_of_family(const struct group *group)
{
	return group->services > 1 ? group->services / 2 : 1;
}

static inline uint32_t most_flows(const struct group *group)
{
	uint32_t most = 0;

	for (int i = 0; i < FLOWS_LISTED; i++)
		most = group->flows[i] > most ? group->flows[i] : most;
	return most;
}

static inline void add_backend(struct config *config, const struct group *group, uint32_t index)
{
	struct config_backend *backend = &config->backends[index];
	char text[INET6_ADDRSTRLEN];

	fixture_backend(config, index, false, BACKEND_UP);
	backend->forward = group->forward;
	if (!group->outer_v6)
		return;
	snprintf(text, sizeof(text), "fd00:9::1:%x", index);
	address_parse(text, &backend->address);
}

static inline void add_service(struct config *config, const struct group *group, bool v6,
			       uint32_t number)
{
	struct config_service *service = &config->services[config->service_count++];

	address_parse(v6 ? SERVICE_V6 : SERVICE_V4, &service->address);
	service->port = SERVICE_PORT + number;
	service->stamps = true;
	service->flows = group->flows_mode;
	service->flow_entries = 2 * MILLION;
	service->join_port = group->join_ports ? JOIN_PORT_BASE : 0;
	for (uint32_t i = 0; i < group->backends; i++)
		service->weight[index_of(group, i)] = 1 + WEIGHT_DEFAULT;
}

/* From config_new(); the caller frees it. */
static inline struct config *group_config(const struct group *group)
{
	struct config *config = config_new();

	config->index_bits = group->index_bits;
	fixture_secret(config, EPOCH);
	prefix_parse("100.64.0.0/24", &config->tunnel_source);
	prefix_parse("2001:db8:64::/120", &config->tunnel_source_v6);
	for (uint32_t i = 0; i < group->backends; i++)
		add_backend(config, group, index_of(group, i));
	for (uint32_t i = 0; i < services_of_family(group); i++)
		add_service(config, group, false, i);
	for (uint32_t i = 0; group->services > 1 && i < services_of_family(group); i++)
		add_service(config, group, true, i);
	return config;
}

#endif
