// SPDX-License-Identifier: GPL-2.0-only
/* Join ports: BASE + index leads to that backend, whatever the packet holds. Needs root. */
#define _GNU_SOURCE
#include <linux/bpf.h>

#include "decision.h"

struct options options;

#define BASE 20000
#define LAST (BASE + 255)
#define PORT_WITHOUT 444 /* a service at the same address, without a join port */
#define PORT_SECOND 8443 /* one with the same */

/*
 * 1 has the whole ring, 7 none of it. 20 drains, 30 is down, 60 serves PORT_SECOND alone, 70
 * only PORT_WITHOUT.
 */
enum { ON_RING = 1, OFF_RING = 7, DRAINING = 20, IS_DOWN = 30, OF_SECOND = 60, OF_OTHER = 70 };

#define TOKEN_OF_7 0x7dbb86edu
#define STAMP_OF_7 (DECISION_WALL_MS + (7u << 24))
#define TO(index) .dport = BASE + (index)
#define BY(why, index) REASON_##why, index
#define TO_THE_HOST(why) REASON_##why, NO_BACKEND

static const struct {
	const char *sentence;
	struct segment in;
	enum reason reason;
	int backend;
} rows[] = {
	{ "a SYN to a join port goes to its index",
	  { TO(OFF_RING), .flags = TCP_SYN },
	  BY(join_port, OFF_RING) },
	{ "so does one of another index",
	  { TO(ON_RING), .flags = TCP_SYN },
	  BY(join_port, ON_RING) },
	{ "a join whose token names another backend goes by the port",
	  { TO(ON_RING), .flags = TCP_SYN, OPTIONS(MP_JOIN_SYN(TOKEN_OF_7)) },
	  BY(join_port, ON_RING) },
	{ "a segment whose stamp names another backend goes by the port",
	  { TO(ON_RING), .flags = TCP_ACK, OPTIONS(NOP, NOP, TIMESTAMP(5, STAMP_OF_7)) },
	  BY(join_port, ON_RING) },
	{ "a segment with malformed options goes by the port",
	  { TO(OFF_RING), .flags = TCP_ACK, OPTIONS(TCPOPT_MSS, 0, NOP, NOP) },
	  BY(join_port, OFF_RING) },
	{ "a bare RST goes by the port",
	  { TO(OFF_RING), .flags = TCP_RST },
	  BY(join_port, OFF_RING) },
	{ "a segment without any flag goes by the port",
	  { TO(OFF_RING) },
	  BY(join_port, OFF_RING) },
	{ "a draining backend keeps its join port",
	  { TO(DRAINING), .flags = TCP_ACK },
	  BY(join_port, DRAINING) },
	{ "a backend of another service that has the join port is reached",
	  { TO(OF_SECOND), .flags = TCP_ACK },
	  BY(join_port, OF_SECOND) },
	{ "the join port of a backend that is down goes by the ring",
	  { TO(IS_DOWN), .flags = TCP_SYN },
	  BY(ring_join_port_unroutable, ON_RING) },
	{ "the join port of a backend of no service with a join port goes by the ring",
	  { TO(OF_OTHER), .flags = TCP_SYN },
	  BY(ring_join_port_unroutable, ON_RING) },
	{ "the join port of an index that nobody has goes by the ring",
	  { TO(255), .flags = TCP_SYN },
	  BY(ring_join_port_unroutable, ON_RING) },
	{ "index 0 has the first join port, and nobody has index 0",
	  { TO(0), .flags = TCP_SYN },
	  BY(ring_join_port_unroutable, ON_RING) },
	{ "the port below is the host's",
	  { .dport = BASE - 1, .flags = TCP_SYN },
	  TO_THE_HOST(not_service) },
	{ "the port above is the host's",
	  { .dport = LAST + 1, .flags = TCP_SYN },
	  TO_THE_HOST(not_service) },
	{ "a port far above is the host's",
	  { .dport = 65535, .flags = TCP_SYN },
	  TO_THE_HOST(not_service) },
	{ "a service's own port stays its own", { .flags = TCP_SYN }, BY(ring_new, ON_RING) },
};

static const struct segment to_another_address_v4 = { TO(OFF_RING), .destination = "192.0.2.2",
						      .flags = TCP_SYN };
static const struct segment to_another_address_v6 = { TO(OFF_RING), .destination = "2001:db8:1::2",
						      .flags = TCP_SYN };

/* What a server sent from a join port, without a stamp, quoted by a router. */
static const struct segment answer_v4 = { .source = SERVICE_V4,
					  .destination = CLIENT_V4,
					  .sport = BASE + OFF_RING,
					  .dport = CLIENT_PORT,
					  .flags = TCP_ACK };
static const struct segment answer_v6 = { .source = SERVICE_V6,
					  .destination = CLIENT_V6,
					  .sport = BASE + OFF_RING,
					  .dport = CLIENT_PORT,
					  .flags = TCP_ACK };
static const struct segment error_v4 = { .protocol = IPPROTO_ICMP,
					 .icmp_type = 3,
					 .source = "198.51.100.254",
					 .quote = &answer_v4,
					 .quoted = 8 };
static const struct segment error_v6 = { .protocol = IPPROTO_ICMPV6,
					 .icmp_type = 2,
					 .source = "2001:db8:c::fe",
					 .quote = &answer_v6,
					 .quoted = 8 };

static void add_service(struct config *config, const char *address, uint16_t port,
			uint16_t join_port)
{
	struct config_service *service = &config->services[config->service_count++];

	address_parse(address, &service->address);
	service->port = port;
	service->join_port = join_port;
	service->stamps = true;
	service->weight[ON_RING] = 101;
	if (port == SERVICE_PORT) {
		service->weight[OFF_RING] = 1;
		service->weight[DRAINING] = 101;
		service->weight[IS_DOWN] = 101;
	}
	service->weight[OF_SECOND] = port == PORT_SECOND;
	service->weight[OF_OTHER] = port == PORT_WITHOUT;
}

static struct config *make_config(void)
{
	static const char *const addresses[] = { SERVICE_V4, SERVICE_V6 };
	struct config *config = config_new();

	fixture_secret(config, 1);
	fixture_backend(config, ON_RING, false, BACKEND_UP);
	fixture_backend(config, OFF_RING, false, BACKEND_UP);
	fixture_backend(config, DRAINING, false, BACKEND_DRAIN);
	fixture_backend(config, IS_DOWN, false, BACKEND_DOWN);
	fixture_backend(config, OF_SECOND, false, BACKEND_UP);
	fixture_backend(config, OF_OTHER, false, BACKEND_UP);
	for (int i = 0; i < 2; i++) {
		add_service(config, addresses[i], PORT_WITHOUT, 0);
		add_service(config, addresses[i], SERVICE_PORT, BASE);
		add_service(config, addresses[i], PORT_SECOND, BASE);
	}
	add_service(config, "192.0.2.2", SERVICE_PORT, 0);
	add_service(config, "2001:db8:1::2", SERVICE_PORT, 0);
	return config;
}

static void test_rows(bool v6)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		decides(&rows[i].in, v6, rows[i].reason, rows[i].backend, "%s", rows[i].sentence);
	decides(v6 ? &to_another_address_v6 : &to_another_address_v4, v6, TO_THE_HOST(not_service),
		"another address has no join ports by that");
	decides(v6 ? &error_v6 : &error_v4, v6, BY(join_port, OFF_RING),
		"an ICMP error about a join port goes to its index");
}

/* A segment to a join port is counted among all of those, not with a service. */
static void test_counters(void)
{
	struct decision got = decide(&rows[0].in);

	ok(got.service == ADDRESS_LINE, "join ports have a row of counters of their own");
}

/* In each of many publications a ring is taken and another given back. */
static void test_changes(struct config *config)
{
	struct config *read = config_new();
	bool kept = true;

	if (tables_read(decision_tables, read))
		fixture_die("can't read");
	for (size_t i = 0; i < read->service_count; i++)
		for (size_t j = 0; j < config->service_count; j++)
			if (config->services[j].port == read->services[i].port &&
			    address_equal(&config->services[j].address, &read->services[i].address))
				kept &= config->services[j].join_port ==
					read->services[i].join_port;
	ok(kept && read->service_count == config->service_count,
	   "the loaded configuration knows which services have a join port");
	config_free(read);
	for (int i = 0; i < 5; i++) {
		config->services[1].weight[OFF_RING] = (i + 1) % 2;
		decision_publish(config);
	}
	decides(&rows[0].in, false, BY(join_port, OFF_RING), "after five changes it still goes");
	for (size_t i = 0; i < config->service_count; i++)
		config->services[i].join_port = 0;
	decision_publish(config);
	decides(&rows[0].in, false, TO_THE_HOST(not_service),
		"without join ports it is the host's");
}

int main(void)
{
	struct config *config = make_config();

	decision_load("join-port", config);
	test_rows(false);
	test_rows(true);
	test_counters();
	test_changes(config);
	decision_unload();
	config_free(config);
	return tap_end();
}
