// SPDX-License-Identifier: GPL-2.0-only
/* What configurations cost: the memory of all maps, as the kernel accounts for it. Needs root. */
#define _GNU_SOURCE
#include <bpf/libbpf.h>

#include "../loader/cmd.h"
#include "fixture.h"
#include "packet.h"
#include "tap.h"

struct options options;

#define LIMIT_KB (12 * 1024)
#define LIMIT_CPUS 16 /* counters are per CPU; the limit is to hold up to so many */

struct size {
	const char *sentence;
	uint32_t services, backends, index_bits, epochs;
	enum flows flows;
	uint32_t flow_entries;
};

enum { MODEST, SIZES_LISTED = 9 };

static const struct size sizes[SIZES_LISTED] = {
	[MODEST] = { "16 services, 256 backends", 16, 256, 8, 1 },
	{ "1 service, 3 backends", 1, 3, 8, 1 },
	{ "1 service, 256 backends", 1, 256, 8, 1 },
	{ "16 services, 256 backends, 4 epochs", 16, 256, 8, TOKEN_EPOCHS },
	{ "16 services, 4,096 backends", 16, 4096, 12, 1 },
	{ "128 services, 256 backends", 128, 256, 8, 1 },
	{ "512 services, 256 backends", 512, 256, 8, 1 },
	{ "1 service, 256 backends, flows joins, 65,536 flow-entries", 1, 256, 8, 1, FLOWS_JOINS,
	  FLOW_ENTRIES_DEFAULT },
	{ "1 service, 256 backends, flows all, 1,048,576 flow-entries", 1, 256, 8, 1, FLOWS_ALL,
	  1 << 20 },
};

/* Kilobytes, each map's by its name. */
struct memory {
	uint64_t state, services, backends, secrets, rings, flows, counters, devices;
	uint32_t caches; /* how many flow caches there are */
};

static struct tables *tables;

/* "memlock" of /proc/self/fdinfo, in KB: what bpftool shows too. */
static uint64_t memory_of(int fd)
{
	char path[64], line[128];
	uint64_t bytes = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	file = fopen(path, "r");
	if (!file)
		fixture_die(path);
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "memlock: %lu", &bytes) == 1)
			break;
	fclose(file);
	return bytes / 1024;
}

static uint64_t memory_of_map(const char *name)
{
	int fd = fixture_open_pin(name);
	uint64_t kilobytes = memory_of(fd);

	close(fd);
	return kilobytes;
}

/* A map of maps, and all that are in it. */
static uint64_t memory_of_maps(const char *name, uint32_t places, uint32_t *count)
{
	int outer = fixture_open_pin(name), inner;
	uint64_t kilobytes = memory_of(outer);
	uint32_t id;

	*count = 0;
	for (uint32_t place = 0; place < places; place++) {
		if (bpf_map_lookup_elem(outer, &place, &id))
			continue;
		inner = bpf_map_get_fd_by_id(id);
		if (inner < 0)
			fixture_die("can't open an inner map");
		kilobytes += memory_of(inner);
		close(inner);
		*count += 1;
	}
	close(outer);
	return kilobytes;
}

static struct memory measure(void)
{
	struct memory memory = {
		.state = memory_of_map("state"),
		.services = memory_of_map("services"),
		.backends = memory_of_map("backends"),
		.secrets = memory_of_map("secrets"),
		.counters = memory_of_map("counters") + memory_of_map("stamped"),
		.devices = memory_of_map("devices"),
	};
	uint32_t rings;

	memory.rings = memory_of_maps("rings", MAX_RINGS, &rings);
	memory.flows = memory_of_maps("flows", MAX_FLOW_CACHES, &memory.caches);
	return memory;
}

static uint64_t without_counters(const struct memory *memory)
{
	return memory->state + memory->services + memory->backends + memory->secrets +
	       memory->rings + memory->flows + memory->devices;
}

static void add_service(struct config *config, const struct size *size, uint32_t number)
{
	struct config_service *service = &config->services[config->service_count++];

	address_parse(SERVICE_V4, &service->address);
	service->port = SERVICE_PORT + number;
	service->stamps = true;
	service->flows = size->flows;
	service->flow_entries = size->flow_entries;
	for (uint32_t i = 0; i < size->backends; i++)
		service->weight[i] = 1 + WEIGHT_DEFAULT;
}

static void publish(const struct size *size)
{
	struct config *config = config_new();

	config->index_bits = size->index_bits;
	for (uint32_t epoch = 0; epoch < size->epochs; epoch++)
		fixture_secret(config, epoch);
	for (uint32_t i = 0; i < size->backends; i++)
		fixture_backend(config, i, false, BACKEND_UP);
	for (uint32_t i = 0; i < size->services; i++)
		add_service(config, size, i);
	if (tables_publish(tables, config))
		fixture_die("can't publish");
	config_free(config);
}

/* The table of docs/performance/memory.md. */
static void print_memory(const struct size *size, const struct memory *memory)
{
	diag("| %-57s | %6lu | %6lu | %7lu | %6lu | %6lu |", size->sentence, memory->rings,
	     memory->flows, without_counters(memory) - memory->rings - memory->flows,
	     memory->counters / libbpf_num_possible_cpus(),
	     without_counters(memory) + memory->counters);
}

static void check_modest(const struct memory *memory)
{
	uint64_t counters = memory->counters / libbpf_num_possible_cpus() * LIMIT_CPUS;

	ok(without_counters(memory) + counters < LIMIT_KB,
	   "256 backends and 16 services take less than 12 MB on 16 CPUs");
	ok(memory->caches == 0, "no flow cache is made unless a service asks for one");
}

int main(void)
{
	struct memory memory;

	fixture_network("memory");
	if (cmd_load(&(struct words){}) || tables_open(fixture_pins, &tables))
		fixture_die("can't load");
	diag("| KB on %d CPUs %43s | rings  | flows  | others  | per CPU | all    |",
	     libbpf_num_possible_cpus(), "");
	diag("|---|--:|--:|--:|--:|--:|");
	for (int i = 0; i < SIZES_LISTED; i++) {
		publish(&sizes[i]);
		memory = measure();
		print_memory(&sizes[i], &memory);
		if (i == MODEST)
			check_modest(&memory);
	}
	publish(&sizes[MODEST]);
	memory = measure();
	ok(memory.rings + memory.flows < LIMIT_KB && memory.caches == 0,
	   "what larger configurations took is given back");
	tables_close(tables);
	cmd_unload(&(struct words){});
	return tap_end();
}
