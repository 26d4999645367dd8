// SPDX-License-Identifier: GPL-2.0-only
#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "address.h"
#include "pins.h"
#include "tables_layout.h"

static const struct {
	const char *name;
	size_t value_size;
	size_t entries;
	bool mapped; /* into our memory; the others are read and written by system call */
} layout[MAPS] = {
	[STATE] = { "state", sizeof(struct state), 1, true },
	[SERVICES] = { "services", sizeof(struct service), BANKS *SERVICE_LINES, true },
	[BACKENDS] = { "backends", sizeof(struct backend), BANKS *MAX_BACKENDS, true },
	[SECRETS] = { "secrets", sizeof(struct secret), BANKS *TOKEN_EPOCHS, true },
	[RINGS] = { "rings", sizeof(uint32_t), MAX_RINGS, false },
	[FLOWS] = { "flows", sizeof(uint32_t), MAX_FLOW_CACHES, false },
	[COUNTERS_MAP] = { "counters", sizeof(uint64_t), COUNTERS, false },
	[STAMPED_MAP] = { "stamped", sizeof(struct stamped), STAMPED_PARTS, false },
	[DEVICES] = { "devices", sizeof(uint32_t), 256, false },
};

struct state *tables_state(struct tables *tables)
{
	return tables->memory[STATE];
}

static size_t mapped_length(enum map map)
{
	size_t page = sysconf(_SC_PAGESIZE);

	return (layout[map].value_size * layout[map].entries + page - 1) / page * page;
}

#define OTHER_VERSION "is of another version: 'detach', 'unload', 'load' and 'apply' again"

static enum status open_map(struct tables *tables, const char *pin_dir, enum map map)
{
	struct bpf_map_info info = {};
	uint32_t length = sizeof(info);
	char path[4096];
	void *memory;

	snprintf(path, sizeof(path), "%s/%s", pin_dir, layout[map].name);
	tables->fd[map] = bpf_obj_get(path);
	if (tables->fd[map] < 0 && errno == ENOENT)
		return fail(NOT_LOADED, "the map '%s' is missing: 'unload' and 'load' again", path);
	if (tables->fd[map] < 0)
		return fail(FAILED, "can't open the map '%s': %s", path,
			    errno == EPERM || errno == EACCES ? "this needs root"
							      : strerror(errno));
	if (bpf_obj_get_info_by_fd(tables->fd[map], &info, &length) ||
	    info.value_size != layout[map].value_size || info.max_entries != layout[map].entries)
		return fail(NOT_LOADED, "the map '%s' " OTHER_VERSION, path);
	if (!layout[map].mapped)
		return DONE;
	memory = mmap(NULL, mapped_length(map), PROT_READ | PROT_WRITE, MAP_SHARED, tables->fd[map],
		      0);
	if (memory == MAP_FAILED)
		return fail(FAILED, "can't map '%s': %s", path, strerror(errno));
	tables->memory[map] = memory;
	return DONE;
}

static struct tables *new_tables(void)
{
	struct tables *tables = calloc(1, sizeof(*tables));

	if (!tables)
		exit(fail(FAILED, "out of memory"));
	tables->directory = -1;
	for (int map = 0; map < MAPS; map++)
		tables->fd[map] = -1;
	return tables;
}

/* The state first: another version may have other maps. */
static enum status open_maps(struct tables *tables, const char *pin_dir)
{
	enum status status = open_map(tables, pin_dir, STATE);

	if (!status && tables_state(tables)->abi && tables_state(tables)->abi != LB_ABI)
		status = fail(NOT_LOADED, "what is loaded at '%s' " OTHER_VERSION, pin_dir);
	for (int map = STATE + 1; !status && map < MAPS; map++)
		status = open_map(tables, pin_dir, map);
	return status;
}

enum status tables_check(const char *pin_dir)
{
	struct tables *tables = new_tables();
	enum status status = open_maps(tables, pin_dir);

	tables_close(tables);
	return status;
}

enum status tables_open(const char *pin_dir, struct tables **tables)
{
	struct tables *t = new_tables();
	enum status status = pins_lock(pin_dir, &t->directory);

	if (!status)
		status = open_maps(t, pin_dir);
	if (status)
		tables_close(t);
	else
		*tables = t;
	return status;
}

void tables_close(struct tables *tables)
{
	for (int map = 0; map < MAPS; map++) {
		if (tables->memory[map])
			munmap(tables->memory[map], mapped_length(map));
		if (tables->fd[map] >= 0)
			close(tables->fd[map]);
	}
	if (tables->directory >= 0)
		close(tables->directory);
	free(tables);
}

const struct backend *tables_backend(struct tables *tables, uint32_t index)
{
	return &backends_of(tables, live_bank(tables))[index];
}

const struct service *tables_find_service(struct tables *tables, const struct address *address,
					  uint16_t port)
{
	const struct service *services = services_of(tables, live_bank(tables));

	for (uint32_t line = 0; line < SERVICE_LINES; line++)
		if (services[line].port == htons(port) &&
		    address_equal(&services[line].address, address))
			return &services[line];
	return NULL;
}

uint16_t tables_service_id(struct tables *tables, const struct address *address, uint16_t port)
{
	const struct service *service = tables_find_service(tables, address, port);

	return service ? service->id : 0;
}

bool tables_read_ring(struct tables *tables, uint32_t id, struct ring *ring)
{
	uint32_t map_id, zero = 0;
	int inner, err;

	if (bpf_map_lookup_elem(tables->fd[RINGS], &id, &map_id))
		return false;
	inner = bpf_map_get_fd_by_id(map_id);
	if (inner < 0)
		return false;
	err = bpf_map_lookup_elem(inner, &zero, ring);
	close(inner);
	return !err;
}

static void read_cluster(struct tables *tables, uint32_t bank, struct config *config)
{
	const struct cluster *cluster = &tables_state(tables)->cluster[bank];
	const struct secret *secrets = secrets_of(tables, bank);

	if (cluster->index_bits)
		config->index_bits = cluster->index_bits;
	config->ring_seed = cluster->ring_seed;
	config->epoch = cluster->epoch;
	config->strict_clock = cluster->strict_clock;
	config->tunnel_source = (struct prefix){ cluster->tunnel_source, cluster->tunnel_length };
	config->tunnel_source_v6 =
		(struct prefix){ cluster->tunnel_source_v6, cluster->tunnel_length_v6 };
	config->df_clear = cluster->df_clear;
	for (int epoch = 0; epoch < TOKEN_EPOCHS; epoch++) {
		config->secrets[epoch].present = secrets[epoch].present;
		config->secrets[epoch].secret = secrets[epoch].secret;
		memcpy(config->secrets[epoch].file, secrets[epoch].file,
		       sizeof(secrets[epoch].file));
	}
}

static void read_backends(struct tables *tables, uint32_t bank, struct config *config)
{
	const struct backend *lines = backends_of(tables, bank);

	for (uint32_t i = 0; i < MAX_BACKENDS; i++) {
		struct config_backend *backend = &config->backends[i];

		if (!lines[i].assigned)
			continue;
		backend->assigned = true;
		backend->address = lines[i].address;
		backend->state = lines[i].state;
		backend->forward = lines[i].forward;
		backend->lladdr_given = lines[i].lladdr_given;
		memcpy(backend->lladdr, lines[i].eth_dst, sizeof(backend->lladdr));
	}
}

static enum status read_services(struct tables *tables, uint32_t bank, struct config *config)
{
	const struct service *lines = services_of(tables, bank);
	static struct ring ring;

	for (uint32_t id = 1; id <= MAX_SERVICES; id++) {
		struct config_service *service = &config->services[config->service_count];
		const struct service *line = lines;

		while (line < lines + SERVICE_LINES && !(line->port && line->id == id))
			line++;
		if (line == lines + SERVICE_LINES)
			continue;
		if (!tables_read_ring(tables, line->ring, &ring))
			return fail(FAILED, "the ring of a service is missing: 'apply' again");
		service->address = line->address;
		service->port = ntohs(line->port);
		service->joins = line->joins;
		service->stamps = line->stamps;
		service->join_port = line->join_port;
		service->flows = line->flows;
		service->flow_entries = line->flow_entries;
		memcpy(service->weight, ring.weight, sizeof(service->weight));
		config->service_count++;
	}
	return DONE;
}

enum status tables_read(struct tables *tables, struct config *config)
{
	uint32_t bank = live_bank(tables);

	if (!tables_state(tables)->abi)
		return DONE;
	read_cluster(tables, bank, config);
	read_backends(tables, bank, config);
	return read_services(tables, bank, config);
}
