// SPDX-License-Identifier: GPL-2.0-only
/* Publishing a configuration: fill the bank that no packet goes by, then flip. */
#include <bpf/bpf.h>
#include <errno.h>
#include <net/if.h>
#include <string.h>
#include <sys/timex.h>
#include <time.h>

#include "../include/stamp.h"
#include "address.h"
#include "neighbour.h"
#include "overhead.h"
#include "publish_flows.h"
#include "publish_services.h"
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
	cluster->stamp_ahead = stamp_ahead(config->index_bits);
	cluster->stamp_shift = 32 - config->index_bits;
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
	cluster->join_ports = 0;
	for (size_t i = 0; i < config->service_count; i++)
		cluster->join_ports |= !!config->services[i].join_port;
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
	line->near_ifindex = line->forward == FORWARD_L2 ? line->ifindex : 0;
	line->ipip_ifindex =
		line->forward == FORWARD_IPIP && !line->address_is_v6 ? line->ifindex : 0;
}

/* An index that was given up keeps its last address. */
static void fill_removed(struct backend *line, const struct backend *live)
{
	*line = (struct backend){
		.address = live->address,
		.removed_at = live->assigned ? (uint64_t)time(NULL) : live->removed_at,
	};
}

static enum status fill_backends(struct tables *tables, uint32_t bank, const struct config *config)
{
	static struct next_hop hops[MAX_BACKENDS];
	struct backend *lines = backends_of(tables, bank);
	enum status status = neighbours_resolve(config, hops);

	for (uint32_t i = 0; !status && i < MAX_BACKENDS; i++) {
		const struct config_backend *backend = &config->backends[i];

		if (!backend->assigned) {
			fill_removed(&lines[i], tables_backend(tables, i));
			continue;
		}
		fill_backend(&lines[i], tables_backend(tables, i), config, backend, &hops[i]);
		if (lines[i].ifindex)
			status = allow_device(tables, lines[i].ifindex);
		else
			warn("backend %u at %s gets no packets: %s", i,
			     address_print(&backend->address).text, hops[i].why);
	}
	return status;
}

/*
 * Once an update of a map of maps returns, the kernel has waited for every program that
 * began before it (maybe_wait_bpf_programs()). So no packet goes by the bank that was
 * live before the last flip, even if the command that flipped was killed right then.
 */
static enum status wait_for_packets(struct tables *tables)
{
	static const struct ring none;

	return rings_write(tables, SPARE_RING, &none);
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

/* Joins by another secret of the same epoch were not by this one. */
static void forget_joins(struct tables *tables, uint32_t bank)
{
	const struct secret *old = secrets_of(tables, (bank + 1) % BANKS);
	const struct secret *new = secrets_of(tables, bank);

	for (uint32_t epoch = 0; epoch < TOKEN_EPOCHS; epoch++)
		if (memcmp(&old[epoch].secret, &new[epoch].secret, sizeof(new->secret)))
			tables_state(tables)->joined[epoch] = 0;
}

/* What the old bank held goes when the last packet is through; else the next publication's turn. */
static void retire(struct tables *tables, uint32_t bank)
{
	if (wait_for_packets(tables))
		return;
	explicit_bzero(secrets_of(tables, bank), TOKEN_EPOCHS * sizeof(struct secret));
	rings_drop_unused(tables);
	flows_drop_unused(tables);
}

enum status tables_publish(struct tables *tables, const struct config *config)
{
	uint32_t bank = (live_bank(tables) + 1) % BANKS;
	enum status status = wait_for_packets(tables);

	if (!status)
		status = fill_backends(tables, bank, config);
	if (!status)
		status = publish_services(tables, bank, config);
	if (status) {
		rings_drop_unused(tables);
		flows_drop_unused(tables);
		return status;
	}
	fill_secrets(tables, bank, config);
	fill_cluster(tables, bank, config);
	flip(tables);
	forget_joins(tables, bank);
	retire(tables, (bank + 1) % BANKS);
	return DONE;
}
