// SPDX-License-Identifier: GPL-2.0-only
/* Publishing a configuration: fill the bank that no packet goes by, then flip. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timex.h>
#include <unistd.h>

#include "../include/stamp.h"
#include "address.h"
#include "neighbour.h"
#include "overhead.h"
#include "ring.h"
#include "tables_layout.h"

static void fill_owners(const struct config *config, uint16_t *owner)
{
	uint8_t assigned[MAX_BACKENDS];
	bool any = false;

	for (uint32_t i = 0; i < MAX_BACKENDS; i++)
		any |= assigned[i] = config->backends[i].assigned;
	if (any)
		stamp_fill_owners(assigned, config->index_bits, owner);
}

static void fill_cluster(struct tables *tables, uint32_t bank, const struct config *config)
{
	struct cluster *cluster = &tables_state(tables)->cluster[bank];

	cluster->ring_seed = config->ring_seed;
	cluster->index_bits = config->index_bits;
	cluster->epoch = config->epoch;
	cluster->strict_clock = config->strict_clock;
	cluster->tunnel_source = config->tunnel_source.address;
	cluster->tunnel_length = config->tunnel_source.length;
	cluster->tunnel_hosts = htonl(prefix_hosts(&config->tunnel_source));
	cluster->tunnel_source_v6 = config->tunnel_source_v6.address;
	cluster->tunnel_length_v6 = config->tunnel_source_v6.length;
	cluster->tunnel_hosts_v6 = htonl(prefix_hosts(&config->tunnel_source_v6));
	fill_owners(config, cluster->owner);
	cluster->df_clear = config->df_clear;
}

static void fill_secrets(struct tables *tables, uint32_t bank, const struct config *config)
{
	const struct secret *live = secrets_of(tables, live_bank(tables));
	struct secret *secrets = secrets_of(tables, bank);

	for (uint32_t epoch = 0; epoch < TOKEN_EPOCHS; epoch++) {
		const struct config_secret *wanted = &config->secrets[epoch];
		struct secret *secret = &secrets[epoch];

		if (!wanted->present) {
			explicit_bzero(secret, sizeof(*secret));
			continue;
		}
		if (live[epoch].present &&
		    !memcmp(&live[epoch].secret, &wanted->secret, sizeof(wanted->secret)))
			memcpy(&secret->rounds, &live[epoch].rounds, sizeof(secret->rounds));
		else
			token_tabulate(&wanted->secret, epoch, &secret->rounds);
		secret->secret = wanted->secret;
		secret->present = 1;
		memcpy(secret->file, wanted->file, sizeof(secret->file));
	}
}

static enum status allow_device(struct tables *tables, uint32_t ifindex)
{
	if (!bpf_map_update_elem(tables->fd[DEVICES], &ifindex, &ifindex, BPF_ANY))
		return DONE;
	if (errno == E2BIG)
		return fail(FAILED, "more than 256 devices lead to backends");
	return fail(FAILED, "can't forward by device %u: %s", ifindex, strerror(errno));
}

/* A neighbour that is silent just now is believed to be where it was, if the device is. */
static void keep_next_hop(struct backend *line, const struct backend *live)
{
	char name[IF_NAMESIZE];

	if (line->ifindex || !live->assigned || !address_equal(&line->address, &live->address) ||
	    !if_indextoname(live->ifindex, name))
		return;
	line->ifindex = live->ifindex;
	memcpy(line->eth_dst, live->eth_dst, sizeof(line->eth_dst));
	memcpy(line->eth_src, live->eth_src, sizeof(line->eth_src));
	line->mtu = live->mtu;
	line->df_clear_mtu = live->df_clear_mtu;
}

/* The longest IP packet from a client that a path of that MTU takes to the backend. */
static uint16_t what_fits(uint32_t mtu, const struct config_backend *backend)
{
	uint32_t overhead = overhead_of(backend);

	if (mtu > UINT16_MAX)
		mtu = UINT16_MAX;
	return mtu < PACKET_LENGTH_MIN + overhead ? PACKET_LENGTH_MIN : mtu - overhead;
}

/* Routers may cut IPv4 without DF, so then only the device counts. */
static bool may_be_cut(const struct config *config, const struct config_backend *backend)
{
	return config->df_clear == DF_CLEAR_FRAGMENT &&
	       (backend->forward == FORWARD_L2 || address_is_v4(&backend->address));
}

static void fill_backend(struct backend *line, const struct backend *live,
			 const struct config *config, const struct config_backend *backend,
			 const struct next_hop *hop)
{
	uint32_t df_clear_mtu = may_be_cut(config, backend) ? hop->device_mtu : hop->mtu;

	*line = (struct backend){
		.ifindex = hop->ifindex,
		.assigned = 1,
		.state = backend->state,
		.lladdr_given = backend->lladdr_given,
		.forward = backend->forward,
		.address_is_v6 = !address_is_v4(&backend->address),
		.mtu = what_fits(hop->mtu, backend),
		.df_clear_mtu = what_fits(df_clear_mtu, backend),
		.address = backend->address,
	};
	memcpy(line->eth_dst, hop->eth_dst, sizeof(line->eth_dst));
	memcpy(line->eth_src, hop->eth_src, sizeof(line->eth_src));
	keep_next_hop(line, live);
	if (backend->lladdr_given)
		memcpy(line->eth_dst, backend->lladdr, sizeof(line->eth_dst));
}

static enum status fill_backends(struct tables *tables, uint32_t bank, const struct config *config)
{
	static struct next_hop hops[MAX_BACKENDS];
	struct backend *lines = backends_of(tables, bank);
	enum status status = neighbours_resolve(config, hops);

	for (uint32_t i = 0; !status && i < MAX_BACKENDS; i++) {
		const struct config_backend *backend = &config->backends[i];

		memset(&lines[i], 0, sizeof(lines[i]));
		if (!backend->assigned)
			continue;
		fill_backend(&lines[i], tables_backend(tables, i), config, backend, &hops[i]);
		if (lines[i].ifindex)
			status = allow_device(tables, lines[i].ifindex);
		else
			warn("backend %u at %s gets no packets: %s", i,
			     address_print(&backend->address).text, hops[i].why);
	}
	return status;
}

static bool is_ring_of(const struct service *lines, uint32_t id)
{
	for (uint32_t line = 0; line < SERVICE_LINES; line++)
		if (lines[line].port && lines[line].ring == id)
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

static enum status write_ring(struct tables *tables, uint32_t id, const struct ring *ring)
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
	return write_ring(tables, *id, &wanted);
}

static bool place_line(struct service *lines, const struct service *service, uint32_t seed)
{
	uint32_t line = service_line(&service->address, service->port, seed);

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
static uint32_t place_lines(struct service *lines, const struct service *services, size_t count)
{
	for (uint32_t seed = 1;; seed += 2) {
		size_t placed = 0;

		memset(lines, 0, SERVICE_LINES * sizeof(*lines));
		while (placed < count && place_line(lines, &services[placed], seed * 0x85ebca6b))
			placed++;
		if (placed == count)
			return seed * 0x85ebca6b;
	}
}

static bool is_id_of(const struct service *services, size_t count, uint32_t id)
{
	for (size_t i = 0; i < count; i++)
		if (services[i].port && services[i].id == id)
			return true;
	return false;
}

static enum status clear_counters(struct tables *tables, uint32_t id)
{
	uint64_t *zeros = calloc(libbpf_num_possible_cpus(), sizeof(*zeros));
	int err = zeros ? 0 : -ENOMEM;

	for (uint32_t reason = 0; !err && reason < COUNTER_REASONS; reason++) {
		uint32_t counter = id * COUNTER_REASONS + reason;

		if (bpf_map_update_elem(tables->fd[COUNTERS_MAP], &counter, zeros, BPF_ANY))
			err = -errno;
	}
	free(zeros);
	return err ? fail(FAILED, "can't clear counters: %s", strerror(-err)) : DONE;
}

/*
 * A service keeps its id, and so its counters, as long as it lives. A new one gets an
 * id that no service has now, or, if all are taken, one that ends with this publication.
 */
static enum status give_ids(struct tables *tables, struct service *services, size_t count)
{
	const struct service *live = services_of(tables, live_bank(tables));

	for (size_t i = 0; i < count; i++)
		services[i].id =
			tables_service_id(tables, &services[i].address, ntohs(services[i].port));
	for (size_t i = 0; i < count; i++) {
		uint32_t id = 1;
		enum status status;

		if (services[i].id)
			continue;
		while (id <= MAX_SERVICES &&
		       (is_id_of(services, count, id) || is_id_of(live, SERVICE_LINES, id)))
			id++;
		for (id = id > MAX_SERVICES ? 1 : id; is_id_of(services, count, id);)
			id++;
		services[i].id = id;
		status = clear_counters(tables, id);
		if (status)
			return status;
	}
	return DONE;
}

/* Appends a line for each address, for packets whose port can't be seen; returns the count. */
static size_t add_address_lines(struct service *services, size_t count)
{
	size_t lines = count;

	for (size_t i = 0; i < count; i++) {
		size_t first = 0;

		while (!address_equal(&services[first].address, &services[i].address))
			first++;
		if (first == i)
			services[lines++] = (struct service){ .address = services[i].address,
							      .id = ADDRESS_LINE };
	}
	return lines;
}

/* fill_backends() has cleared the bits. */
static void note_members(struct backend *lines, const struct config *config,
			 const struct config_service *service, uint32_t id)
{
	for (uint32_t i = 0; i < MAX_BACKENDS; i++)
		if (service->weight[i] && config->backends[i].state != BACKEND_DOWN)
			lines[i].services[(id - 1) / 32] |= 1u << (id - 1) % 32;
}

static enum status fill_services(struct tables *tables, uint32_t bank, const struct config *config)
{
	static struct service services[2 * MAX_SERVICES];
	size_t lines;
	uint32_t ring = 0, next_ring = 0;
	enum status status = DONE;

	for (size_t i = 0; !status && i < config->service_count; i++) {
		const struct config_service *service = &config->services[i];

		status = place_ring(tables, config, service, &ring, &next_ring);
		services[i] = (struct service){
			.address = service->address,
			.port = htons(service->port),
			.ring = ring,
			.joins = service->joins,
			.stamps = service->stamps,
			.flow_key = flow_key_of(config->ring_seed, service->address.halves,
						htons(service->port)),
		};
	}
	if (!status)
		status = give_ids(tables, services, config->service_count);
	if (status)
		return status;
	for (size_t i = 0; i < config->service_count; i++)
		note_members(backends_of(tables, bank), config, &config->services[i],
			     services[i].id);
	lines = add_address_lines(services, config->service_count);
	tables_state(tables)->cluster[bank].service_seed =
		place_lines(services_of(tables, bank), services, lines);
	return DONE;
}

/*
 * Once an update of a map of maps returns, the kernel has waited for every program that
 * began before it (maybe_wait_bpf_programs()). So no packet goes by the bank that was
 * live before the last flip, even if the command that flipped was killed right then.
 */
static enum status wait_for_packets(struct tables *tables)
{
	static const struct ring none;

	return write_ring(tables, SPARE_RING, &none);
}

static void flip(struct tables *tables)
{
	struct timex timex = {};
	struct state *state = tables_state(tables);

	adjtimex(&timex);
	state->clock.tai_offset_ms = (uint64_t)timex.tai * 1000;
	if (state->clock.due_jiffies != CLOCK_FROZEN)
		state->clock.due_jiffies = 0;
	__atomic_store_n(&state->generation, state->generation + 1, __ATOMIC_RELEASE);
	__atomic_store_n(&state->abi, LB_ABI, __ATOMIC_RELEASE);
}

static void drop_unused_rings(struct tables *tables)
{
	const struct service *live = services_of(tables, live_bank(tables));
	uint32_t map_id;

	for (uint32_t id = 0; id < MAX_RINGS; id++)
		if (!is_ring_of(live, id) && !bpf_map_lookup_elem(tables->fd[RINGS], &id, &map_id))
			bpf_map_delete_elem(tables->fd[RINGS], &id);
}

/* What the old bank held goes when the last packet is through; else the next publication's turn. */
static void retire(struct tables *tables, uint32_t bank)
{
	if (wait_for_packets(tables))
		return;
	explicit_bzero(secrets_of(tables, bank), TOKEN_EPOCHS * sizeof(struct secret));
	drop_unused_rings(tables);
}

enum status tables_publish(struct tables *tables, const struct config *config)
{
	uint32_t bank = (live_bank(tables) + 1) % BANKS;
	enum status status = wait_for_packets(tables);

	if (!status)
		status = fill_backends(tables, bank, config);
	if (!status)
		status = fill_services(tables, bank, config);
	if (status)
		return status;
	fill_secrets(tables, bank, config);
	fill_cluster(tables, bank, config);
	flip(tables);
	retire(tables, (bank + 1) % BANKS);
	return DONE;
}
