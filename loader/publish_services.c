// SPDX-License-Identifier: GPL-2.0-only
#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "address.h"
#include "publish_flows.h"
#include "publish_services.h"
#include "ring.h"

static bool is_ring_of(const struct service *lines, uint32_t id)
{
	for (uint32_t line = 0; line < SERVICE_LINES; line++)
		if ((lines[line].port || lines[line].join_port) && lines[line].ring == id)
			return true;
	return false;
}

/* Any id that the live bank does not use; services take them in ascending order. */
static uint32_t free_ring(struct tables *tables, uint32_t from)
{
	const struct service *live = services_of(tables, live_bank(tables));

	while (is_ring_of(live, from))
		from++;
	return from;
}

enum status rings_write(struct tables *tables, uint32_t id, const struct ring *ring)
{
	uint32_t zero = 0;
	int inner =
		bpf_map_create(BPF_MAP_TYPE_ARRAY, "ring", sizeof(zero), sizeof(*ring), 1, NULL);
	int err = inner < 0 ? -errno : 0;

	if (!err)
		err = bpf_map_update_elem(inner, &zero, ring, BPF_ANY);
	if (!err)
		err = bpf_map_update_elem(tables->fd[RINGS], &id, &inner, BPF_ANY);
	if (inner >= 0)
		close(inner);
	return err ? fail(FAILED, "can't write a ring: %s", strerror(-err)) : DONE;
}

/* Keeps the live ring where it says the same; *next is where to look for a free id. */
static enum status place_ring(struct tables *tables, const struct config *config,
			      const struct config_service *service, uint32_t *id, uint32_t *next)
{
	static struct ring wanted, live;
	const struct service *line = tables_find_service(tables, &service->address, service->port);

	ring_build(config, service, &wanted);
	if (line && tables_read_ring(tables, line->ring, &live) &&
	    !memcmp(&wanted, &live, sizeof(wanted))) {
		*id = line->ring;
		return DONE;
	}
	*id = free_ring(tables, *next);
	*next = *id + 1;
	tables_note_end(&tables_state(tables)->rings_end, *id);
	return rings_write(tables, *id, &wanted);
}

static bool place_line(struct service *lines, const struct service *service, uint64_t seed)
{
	uint32_t line = service_line(service->key, seed);

	for (uint32_t probe = 0; probe < SERVICE_PROBES; probe++) {
		struct service *at = &lines[(line + probe) % SERVICE_LINES];

		if (at->id)
			continue;
		*at = *service;
		return true;
	}
	return false;
}

/* Tries seeds until every service is found within SERVICE_PROBES; returns the seed. */
static uint64_t place_lines(struct service *lines, const struct service *services, size_t count)
{
	for (uint64_t seed = 0x9e3779b97f4a7c15;; seed *= 0xd1342543de82ef95) {
		size_t placed = 0;

		memset(lines, 0, SERVICE_LINES * sizeof(*lines));
		while (placed < count && place_line(lines, &services[placed], seed))
			placed++;
		if (placed == count)
			return seed;
	}
}

static bool is_id_of(const struct service *services, size_t count, uint32_t id)
{
	for (size_t i = 0; i < count; i++)
		if (services[i].port && services[i].id == id)
			return true;
	return false;
}

/*
 * A service keeps its id, and so its counters, as long as it lives. A new one gets an
 * id that no service has now, or, if all are taken, one that ends with this publication.
 */
static enum status give_ids(struct tables *tables, struct service *services, size_t count)
{
	const struct service *live = services_of(tables, live_bank(tables));
	uint16_t fresh[MAX_SERVICES];
	size_t fresh_count = 0;

	for (size_t i = 0; i < count; i++)
		services[i].id =
			tables_service_id(tables, &services[i].address, ntohs(services[i].port));
	for (size_t i = 0; i < count; i++) {
		uint32_t id = 1;

		if (services[i].id)
			continue;
		while (id <= MAX_SERVICES &&
		       (is_id_of(services, count, id) || is_id_of(live, SERVICE_LINES, id)))
			id++;
		for (id = id > MAX_SERVICES ? 1 : id; is_id_of(services, count, id);)
			id++;
		services[i].id = id;
		fresh[fresh_count++] = id;
	}
	return fresh_count ? tables_clear_counters(tables, fresh, fresh_count) : DONE;
}

/* Where to look for ids that the live bank does not use. */
struct next {
	uint32_t ring, flow_caches;
};

/* port: as on the wire. */
static uint64_t key_of(const struct address *address, uint16_t port)
{
	return address_is_v4(address) ? service_key_v4(address->words[3], port)
				      : service_key_v6(address->halves, port);
}

/* A service's line, or that of an address where the port is 0. */
static enum status make_line(struct tables *tables, const struct config *config,
			     const struct config_service *service, struct next *next,
			     struct service *line)
{
	uint32_t ring = 0;
	uint16_t flow_caches = 0;
	enum status status = DONE;

	if (service->port || service->join_port)
		status = place_ring(tables, config, service, &ring, &next->ring);
	if (!status)
		status = flows_place(tables, service, &flow_caches, &next->flow_caches);
	*line = (struct service){
		.address = service->address,
		.port = htons(service->port),
		.ring = ring,
		.joins = service->joins,
		.stamps = service->stamps,
		.by_stamp = service->stamps && service->flows != FLOWS_ALL,
		.flow_key = flow_key_of(config->ring_seed, service->address.halves,
					htons(service->port)),
		.join_port = service->join_port,
		.flow_caches = flow_caches,
		.flow_entries = service->flow_entries,
		.flows = service->flows,
		.key = key_of(&service->address, htons(service->port)),
	};
	return status;
}

/* The services of an address that have a join port, as one: whose backends they all are. */
static void collect_address(const struct config *config, const struct address *address,
			    struct config_service *all)
{
	*all = (struct config_service){ .address = *address };
	for (size_t i = 0; i < config->service_count; i++) {
		const struct config_service *service = &config->services[i];

		if (!service->join_port || !address_equal(&service->address, address))
			continue;
		all->join_port = service->join_port;
		for (uint32_t index = 0; index < MAX_BACKENDS; index++)
			if (all->weight[index] < service->weight[index])
				all->weight[index] = service->weight[index];
	}
}

static bool is_first_at_address(const struct config *config, size_t which)
{
	for (size_t i = 0; i < which; i++)
		if (address_equal(&config->services[i].address, &config->services[which].address))
			return false;
	return true;
}

/* Appends a line for each address, for join ports and for packets whose port can't be seen. */
static enum status add_address_lines(struct tables *tables, const struct config *config,
				     struct next *next, struct service *lines, size_t *count)
{
	static struct config_service all;
	enum status status = DONE;

	for (size_t i = 0; !status && i < config->service_count; i++) {
		if (!is_first_at_address(config, i))
			continue;
		collect_address(config, &config->services[i].address, &all);
		status = make_line(tables, config, &all, next, &lines[*count]);
		lines[(*count)++].id = ADDRESS_LINE;
	}
	return status;
}

/* fill_backends() has cleared the bits. */
static void note_members(struct backend *lines, const struct config *config,
			 const struct config_service *service, struct service *line)
{
	line->member_word = (line->id - 1) / 32;
	line->member_bit = 1u << (line->id - 1) % 32;
	for (uint32_t i = 0; i < MAX_BACKENDS; i++)
		if (service->weight[i] && config->backends[i].state != BACKEND_DOWN)
			lines[i].services[line->member_word] |= line->member_bit;
}

enum status publish_services(struct tables *tables, uint32_t bank, const struct config *config)
{
	static struct service lines[2 * MAX_SERVICES];
	size_t count = config->service_count;
	struct next next = {};
	enum status status = DONE;

	for (size_t i = 0; !status && i < config->service_count; i++)
		status = make_line(tables, config, &config->services[i], &next, &lines[i]);
	if (!status)
		status = give_ids(tables, lines, config->service_count);
	for (size_t i = 0; !status && i < config->service_count; i++)
		note_members(backends_of(tables, bank), config, &config->services[i], &lines[i]);
	if (!status)
		status = add_address_lines(tables, config, &next, lines, &count);
	if (!status)
		tables_state(tables)->cluster[bank].service_seed =
			place_lines(services_of(tables, bank), lines, count);
	return status;
}

void rings_drop_unused(struct tables *tables)
{
	const struct service *live = services_of(tables, live_bank(tables));
	uint32_t *end = &tables_state(tables)->rings_end, last = 0, map_id;

	for (uint32_t id = 0; id < *end && id < SPARE_RING; id++) {
		if (is_ring_of(live, id))
			last = id;
		else if (!bpf_map_lookup_elem(tables->fd[RINGS], &id, &map_id))
			bpf_map_delete_elem(tables->fd[RINGS], &id);
	}
	*end = last + 1;
}
