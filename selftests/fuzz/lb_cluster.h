/* SPDX-License-Identifier: GPL-2.0-only */
/* What the fuzzed balancer has in its maps: services of each kind, and every index a backend. */
#ifndef FUZZ_LB_CLUSTER_H
#define FUZZ_LB_CLUSTER_H

#include "../dissect.h"

#define WALL_MS 0xc4653601u
#define INDEX_BITS 8
#define BACKENDS (1 << INDEX_BITS)
#define IS_DOWN 30
#define IS_NO_MEMBER 31 /* of those that join ports lead to */
#define SEED 0x9e3779b97f4a7c15
#define PORT 443
#define PORT_STAMPS_OFF 8001
#define PORT_FLOWS_JOINS 8002
#define PORT_FLOWS_ALL 8003
#define JOIN_PORT 20000
#define MTU 1500

static const uint8_t service_v4[16] = { [10] = 0xff, [11] = 0xff, 192, 0, 2, 1 };
static const uint8_t service_v6[16] = { 0x20, 0x01, 0x0d, 0xb8, 0, 1, [15] = 1 };
static const struct address tunnel_source_v4 = {
	.bytes = { [10] = 0xff, [11] = 0xff, 100, 64 },
};
static const struct address tunnel_source_v6 = {
	.bytes = { 0x20, 0x01, 0x0d, 0xb8, 0, 0x64 },
};
static const struct token_secret secret_1 = { 0x0706050403020100, 0x0f0e0d0c0b0a0908 };

static struct ring ring;
static struct one_ring ring_map;
static struct flow_cache_map caches[FLOW_CACHES];
static struct host_map *counters_map, *stamped_map, *services_map, *cache_maps[FLOW_CACHES];
static struct state *cluster_state;

static void add_line(const uint8_t address[16], uint16_t port, uint16_t id)
{
	struct service service = {
		.id = id,
		.stamps = port && port != PORT_STAMPS_OFF,
		.by_stamp = port && port != PORT_STAMPS_OFF && port != PORT_FLOWS_ALL,
		.member_word = (id - 1) / 32 % MEMBER_WORDS,
		.member_bit = 1u << (id - 1) % 32,
		.flows = port == PORT_FLOWS_JOINS ? FLOWS_JOINS
			 : port == PORT_FLOWS_ALL ? FLOWS_ALL
						  : FLOWS_OFF,
		.join_port = JOIN_PORT,
	};
	struct service *lines = (struct service *)services_map->values;
	uint32_t line;

	memcpy(&service.address, address, sizeof(service.address));
	service.port = bpf_htons(port);
	service.flow_key = flow_key_of(0, service.address.halves, service.port);
	service.key = address == service_v4 ? service_key_v4(service.address.words[3], service.port)
					    : service_key_v6(service.address.halves, service.port);
	line = service_line(service.key, SEED);
	while (lines[line % SERVICE_LINES].id)
		line++;
	lines[line % SERVICE_LINES] = service;
}

static void add_services(void)
{
	static const uint16_t ports[] = { PORT, PORT_STAMPS_OFF, PORT_FLOWS_JOINS, PORT_FLOWS_ALL };

	services_map = HOST_MAP(services);
	for (int v6 = 0; v6 < 2; v6++) {
		const uint8_t *address = v6 ? service_v6 : service_v4;

		for (int i = 0; i < 4; i++)
			add_line(address, ports[i], 1 + 2 * i + v6);
		add_line(address, 0, ADDRESS_LINE);
	}
}

/* By each of the ways to forward, over long links and the shortest. */
static void add_backends(void)
{
	struct backend *added = (struct backend *)HOST_MAP(backends)->values;

	for (uint32_t index = 0; index < BACKENDS; index++) {
		added[index] = (struct backend){
			.eth_dst = { 2, 0, 0, 1, 0, index },
			.eth_src = { 2, 0, 0, 0, 0, 0xbb },
			.ifindex = 1 + index / 128,
			.assigned = 1,
			.state = index == IS_DOWN ? BACKEND_DOWN : BACKEND_UP,
			.forward = index % 3,
			.address_is_v6 = index & 1,
			.mtu = index & 2 ? MTU : PACKET_LENGTH_MIN,
			.df_clear_mtu = index & 4 ? MTU : PACKET_LENGTH_MIN,
			.near_ifindex = index % 3 == FORWARD_L2 ? 1 + index / 128 : 0,
			.ipip_ifindex =
				index % 3 == FORWARD_IPIP && !(index & 1) ? 1 + index / 128 : 0,
		};
		if (index != IS_DOWN)
			memset(added[index].services, 0xff, sizeof(added[index].services));
	}
}

static void add_rings(void)
{
	struct host_map *inner =
		host_map_add(&ring_map, BPF_MAP_TYPE_ARRAY, sizeof(uint32_t), sizeof(ring), 1);
	void **outer = (void **)host_map_add(&rings, BPF_MAP_TYPE_ARRAY_OF_MAPS, sizeof(uint32_t),
					     sizeof(void *), MAX_RINGS)
			       ->values;

	for (uint32_t slot = 0; slot < RING_SLOTS; slot++)
		ring.slot[slot] = 1 + slot % IS_DOWN;
	for (uint32_t index = 0; index < BACKENDS; index++)
		ring.weight[index] = index != IS_NO_MEMBER;
	outer[0] = &ring_map;
	memcpy(inner->values, &ring, sizeof(ring));
}

/* One pair for all services that have a flow cache. */
static void add_caches(void)
{
	void **outer = (void **)host_map_add(&flows, BPF_MAP_TYPE_ARRAY_OF_MAPS, sizeof(uint32_t),
					     sizeof(void *), MAX_FLOW_CACHES)
			       ->values;

	for (int which = 0; which < FLOW_CACHES; which++) {
		cache_maps[which] = host_map_add(&caches[which], BPF_MAP_TYPE_LRU_HASH,
						 sizeof(struct client), sizeof(uint32_t), 1);
		outer[which] = &caches[which];
	}
}

static void add_state(void)
{
	struct state *now = (struct state *)HOST_MAP(state)->values;
	struct secret *secret = &((struct secret *)HOST_MAP(secrets)->values)[1];

	secret->present = 1;
	token_tabulate(&secret_1, 1, &secret->rounds);
	now->abi = LB_ABI;
	now->clock.due_jiffies = CLOCK_FROZEN;
	now->clock.wall_ms = WALL_MS;
	now->cluster[0] = (struct cluster){
		.index_bits = INDEX_BITS,
		.stamp_ahead = stamp_ahead(INDEX_BITS),
		.stamp_shift = 32 - INDEX_BITS,
		.epoch = 1,
		.service_seed = SEED,
		.tunnel_source = tunnel_source_v4,
		.tunnel_source_v6 = tunnel_source_v6,
		.tunnel_hosts = bpf_htonl(0xff),
		.tunnel_hosts_v6 = UINT32_MAX,
		.tunnel_length = 24,
		.tunnel_length_v6 = 96,
		.join_ports = 1,
	};
	for (uint32_t slot = 0; slot < BACKENDS; slot++)
		now->cluster[0].owner[slot] = slot;
	cluster_state = now;
	counters_map = HOST_MAP(counters);
	stamped_map = HOST_MAP(stamped);
}

static void add_cluster(void)
{
	add_services();
	add_backends();
	add_rings();
	add_caches();
	add_state();
}

#endif
