// SPDX-License-Identifier: GPL-2.0-only
/* The flow cache: what is written to it, what is found in it, and what ends it. Needs root. */
#define _GNU_SOURCE
#include <linux/bpf.h>

#include "decision.h"

struct options options;

#define ENTRIES FLOW_ENTRIES_MIN
#define FRESH (ENTRIES / 8)
#define FLOOD (8 * FRESH)

enum { PORT_ALL = 8001, PORT_SECOND = 8002, PORT_RING_JOINS = 8003, PORT_STAMPS_OFF = 8004 };

/* 1 has the whole ring; 7 and 9 have none of it; 30 is down; nobody has 99. */
enum { ON_RING = 1, SEVEN = 7, NINE = 9, IS_DOWN = 30 };

#define TOKEN_OF_7 0x7dbb86edu
#define TOKEN_OF_9 0x69e35250u
#define TOKEN_OF_30 0x5002ea63u
#define TOKEN_OF_99 0x48494cd6u

#define STAMP(index) (DECISION_WALL_MS - 1 + ((uint32_t)(index) << 24))
#define SYN .flags = TCP_SYN
#define ACK .flags = TCP_ACK
#define STAMPED(index) ACK, OPTIONS(NOP, NOP, TIMESTAMP(5, STAMP(index)))
#define JOIN(token) SYN, OPTIONS(MSS, MP_JOIN_SYN(token))
#define BY(why, index) REASON_##why, index

/* Steps in order: each sees what those before it left. */
struct step {
	const char *sentence;
	struct segment in;
	enum reason reason;
	int backend;
};

static const struct step joins[] = {
	{ "nothing is cached at first", { ACK }, BY(ring_no_stamp, ON_RING) },
	{ "a join without timestamps goes by its token", { JOIN(TOKEN_OF_7) }, BY(token, SEVEN) },
	{ "its next segment goes by the cache", { ACK }, BY(flow, SEVEN) },
	{ "and the one after", { ACK, .payload = 100 }, BY(flow, SEVEN) },
	{ "so does a bare RST", { .flags = TCP_RST }, BY(flow, SEVEN) },
	{ "so do malformed options", { ACK, OPTIONS(TCPOPT_MSS, 0, NOP, NOP) }, BY(flow, SEVEN) },
	{ "so does a FIN", { .flags = TCP_ACK | TCP_FIN }, BY(flow, SEVEN) },
	{ "so do timestamps that echo 0",
	  { ACK, OPTIONS(NOP, NOP, TIMESTAMP(5, 0)) },
	  BY(flow, SEVEN) },
	{ "a stamp goes before the cache", { STAMPED(NINE) }, BY(stamp, NINE) },
	{ "another port of the client is another flow",
	  { ACK, .sport = CLIENT_PORT + 1 },
	  BY(ring_no_stamp, ON_RING) },
	{ "another service has a cache of its own",
	  { ACK, .dport = PORT_SECOND },
	  BY(ring_no_stamp, ON_RING) },
	{ "a repeated join goes by its token", { JOIN(TOKEN_OF_7) }, BY(token, SEVEN) },
	{ "and leaves the flow where it is", { ACK }, BY(flow, SEVEN) },
	{ "a join to another backend", { JOIN(TOKEN_OF_9) }, BY(token, NINE) },
	{ "takes the flow there", { ACK }, BY(flow, NINE) },
	{ "a SYN without MP_JOIN goes by the ring", { SYN, OPTIONS(MSS) }, BY(ring_new, ON_RING) },
	{ "and ends the entry", { ACK }, BY(ring_no_stamp, ON_RING) },
	{ "a join", { JOIN(TOKEN_OF_7) }, BY(token, SEVEN) },
	{ "of which nothing came but a SYN without MP_JOIN", { SYN }, BY(ring_new, ON_RING) },
	{ "is ended by that", { ACK }, BY(ring_no_stamp, ON_RING) },
	{ "a join again", { JOIN(TOKEN_OF_7) }, BY(token, SEVEN) },
	{ "is found again", { ACK }, BY(flow, SEVEN) },
	{ "a join whose token names nobody goes by the ring",
	  { JOIN(TOKEN_OF_99) },
	  BY(ring_token_unroutable, ON_RING) },
	{ "and ends the entry that was there", { ACK }, BY(ring_no_stamp, ON_RING) },
	{ "a join of a backend that is down goes by the ring",
	  { JOIN(TOKEN_OF_30) },
	  BY(ring_token_unroutable, ON_RING) },
	{ "and writes nothing", { ACK }, BY(ring_no_stamp, ON_RING) },
	{ "a join with timestamps goes by its token",
	  { SYN, OPTIONS(MSS, SACK_PERMITTED, TIMESTAMP(5, 0), NOP, WINDOW_SCALE,
			 MP_JOIN_SYN(TOKEN_OF_7)) },
	  BY(token, SEVEN) },
	{ "and writes nothing", { ACK }, BY(ring_no_stamp, ON_RING) },
	{ "so does one whose options stand in no usual order",
	  { SYN, OPTIONS(MP_JOIN_SYN(TOKEN_OF_7), NOP, TIMESTAMP(5, 0)) },
	  BY(token, SEVEN) },
	{ "and writes nothing", { ACK }, BY(ring_no_stamp, ON_RING) },
	{ "a join to a service with `joins ring`",
	  { JOIN(TOKEN_OF_7), .dport = PORT_RING_JOINS },
	  BY(ring_join, ON_RING) },
	{ "writes nothing", { ACK, .dport = PORT_RING_JOINS }, BY(ring_no_stamp, ON_RING) },
	{ "a join to a service with `stamps off`",
	  { JOIN(TOKEN_OF_9), .dport = PORT_STAMPS_OFF },
	  BY(token, NINE) },
	{ "is found there though a segment has a stamp",
	  { STAMPED(SEVEN), .dport = PORT_STAMPS_OFF },
	  BY(flow, NINE) },
	{ "a join that is left for what follows", { JOIN(TOKEN_OF_7) }, BY(token, SEVEN) },
	{ "and has been answered", { ACK }, BY(flow, SEVEN) },
};

static const struct step all[] = {
	{ "`flows all`: a stamp counts where nothing is cached",
	  { STAMPED(SEVEN), .dport = PORT_ALL },
	  BY(stamp, SEVEN) },
	{ "and is remembered: the cache goes before another stamp",
	  { STAMPED(NINE), .dport = PORT_ALL },
	  BY(flow, SEVEN) },
	{ "and before none", { ACK, .dport = PORT_ALL }, BY(flow, SEVEN) },
	{ "a join goes by its token, whatever is cached",
	  { SYN, .dport = PORT_ALL, OPTIONS(NOP, NOP, TIMESTAMP(5, 0), MP_JOIN_SYN(TOKEN_OF_9)) },
	  BY(token, NINE) },
	{ "and is remembered with timestamps",
	  { STAMPED(SEVEN), .dport = PORT_ALL },
	  BY(flow, NINE) },
	{ "a new connection goes by the ring, whatever is cached",
	  { SYN, .dport = PORT_ALL },
	  BY(ring_new, ON_RING) },
	{ "and is remembered", { STAMPED(SEVEN), .dport = PORT_ALL }, BY(flow, ON_RING) },
};

static struct config *config;

static void run_steps(const struct step *steps, size_t count, bool v6)
{
	for (size_t i = 0; i < count; i++)
		decides(&steps[i].in, v6, steps[i].reason, steps[i].backend, "%s",
			steps[i].sentence);
}

static struct config_service *add_service(bool v6, uint16_t port, enum flows flows)
{
	struct config_service *service = &config->services[config->service_count++];

	config_service_defaults(service);
	address_parse(v6 ? SERVICE_V6 : SERVICE_V4, &service->address);
	service->port = port;
	service->flows = flows;
	service->flow_entries = ENTRIES;
	service->weight[ON_RING] = 101;
	service->weight[SEVEN] = 1;
	service->weight[NINE] = 1;
	service->weight[IS_DOWN] = 101;
	return service;
}

static void make_config(void)
{
	config = config_new();
	fixture_secret(config, 1);
	fixture_backend(config, ON_RING, false, BACKEND_UP);
	fixture_backend(config, SEVEN, false, BACKEND_UP);
	fixture_backend(config, NINE, false, BACKEND_UP);
	fixture_backend(config, IS_DOWN, false, BACKEND_DOWN);
	for (int v6 = 0; v6 < 2; v6++) {
		add_service(v6, SERVICE_PORT, FLOWS_JOINS);
		add_service(v6, PORT_ALL, FLOWS_ALL);
		add_service(v6, PORT_SECOND, FLOWS_JOINS);
		add_service(v6, PORT_RING_JOINS, FLOWS_JOINS)->joins = JOINS_RING;
		add_service(v6, PORT_STAMPS_OFF, FLOWS_JOINS)->stamps = false;
	}
}

static const struct segment ack = { ACK };

static void test_icmp(void)
{
	const struct segment answer = { .source = SERVICE_V4,
					.destination = CLIENT_V4,
					.sport = SERVICE_PORT,
					.dport = CLIENT_PORT,
					ACK };
	const struct segment error = {
		.protocol = IPPROTO_ICMP, .icmp_type = 3, .quote = &answer, .quoted = 8
	};

	decides(&error, false, BY(icmp_ring, ON_RING),
		"an ICMP error without a stamp goes by the ring, as the table of decisions has it");
}

/* Backend 7 is what the last step of the joins left in the cache. */
static void test_changes(bool v6)
{
	struct config_service *service = &config->services[v6 ? 5 : 0];

	config->backends[SEVEN].state = BACKEND_DOWN;
	decision_publish(config);
	decides(&ack, v6, BY(ring_no_stamp, ON_RING), "an entry of a backend that is down is void");
	config->backends[SEVEN].state = BACKEND_DRAIN;
	decision_publish(config);
	decides(&ack, v6, BY(flow, SEVEN), "one of a draining backend counts");
	config->backends[SEVEN].state = BACKEND_UP;
	service->weight[SEVEN] = 0;
	decision_publish(config);
	decides(&ack, v6, BY(ring_no_stamp, ON_RING),
		"an entry of a backend that is no member is void");
	service->weight[SEVEN] = 1;
	service->joins = JOINS_RING;
	service->stamps = false;
	decision_publish(config);
	decides(&ack, v6, BY(flow, SEVEN), "changes of other things leave the cache alone");
	service->joins = JOINS_TOKEN;
	service->stamps = true;
	service->flows = FLOWS_ALL;
	decision_publish(config);
	decides(&ack, v6, BY(flow, SEVEN), "so does a change from `flows joins` to `flows all`");
	service->flows = FLOWS_JOINS;
	service->flow_entries = 2 * ENTRIES;
	decision_publish(config);
	decides(&ack, v6, BY(ring_no_stamp, ON_RING), "a cache of another size begins empty");
	service->flow_entries = ENTRIES;
	decision_publish(config);
}

/* Which maps are in the map of flows, how many entries they may have and how many they have. */
struct caches {
	unsigned int maps, room, entries;
};

static void count_entries(int fd, struct caches *caches)
{
	struct bpf_map_info info = {};
	uint32_t length = sizeof(info);
	struct client client;
	void *last = NULL;

	bpf_obj_get_info_by_fd(fd, &info, &length);
	caches->maps++;
	caches->room += info.max_entries;
	for (; !bpf_map_get_next_key(fd, last, &client); last = &client)
		caches->entries++;
}

/* first: FLOWS_SETTLED or FLOWS_FRESH. */
static struct caches count_caches(uint32_t first)
{
	struct caches caches = {};
	int flows = fixture_open_pin("flows");

	for (uint32_t id = first, map_id; id < MAX_FLOW_CACHES; id += FLOW_CACHES) {
		int inner = bpf_map_lookup_elem(flows, &id, &map_id) ? -1
								     : bpf_map_get_fd_by_id(map_id);

		if (inner < 0)
			continue;
		count_entries(inner, &caches);
		close(inner);
	}
	close(flows);
	return caches;
}

static void send_one(const struct segment *segment, uint32_t flow, struct bpf_test_run_opts *run)
{
	struct segment fresh = *segment;
	uint8_t frame[FRAME_MAX];
	char source[32];

	snprintf(source, sizeof(source), "203.0.%u.%u", flow >> 24 & 255, flow >> 16 & 255);
	fresh.source = source;
	fresh.sport = 1 + (flow & 0x7fff);
	run->data_in = frame;
	run->data_size_in = packet_build(frame, &fresh);
	if (bpf_prog_test_run_opts(decision_program, run))
		fixture_die("BPF_PROG_TEST_RUN");
}

static uint64_t packets_of(int reason)
{
	uint64_t *counters, sum = 0;

	tables_counters(decision_tables, &counters);
	for (uint32_t i = reason; i < COUNTER_BACKENDS; i += COUNTER_REASONS)
		sum += counters[i];
	free(counters);
	return sum;
}

/* From 0 to `count`, each from a port of its own; from another address: another flood. */
static void send_many(const struct segment *segment, uint32_t count, uint32_t address)
{
	LIBBPF_OPTS(bpf_test_run_opts, run);

	decision_forget();
	for (uint32_t i = 0; i < count; i++)
		send_one(segment, address << 16 | i, &run);
}

static void send_again(const struct segment *segment, uint32_t flow)
{
	LIBBPF_OPTS(bpf_test_run_opts, run);

	send_one(segment, flow, &run);
}

static void test_floods(void)
{
	const struct segment join = { JOIN(TOKEN_OF_7) };
	const struct segment stamped_join = { SYN,
					      OPTIONS(MSS, SACK_PERMITTED, TIMESTAMP(5, 0), NOP,
						      WINDOW_SCALE, MP_JOIN_SYN(TOKEN_OF_7)) };
	const struct segment unroutable = { JOIN(TOKEN_OF_99) };
	uint32_t kept = 1000; /* not more at a time than may wait for an answer */
	uint64_t before;
	struct caches caches;

	send_many(&unroutable, 100, 1);
	send_many(&stamped_join, 100, 2);
	caches = count_caches(FLOWS_FRESH);
	ok(!caches.entries, "joins with timestamps, or without a backend, write no entry");
	send_many(&join, kept, 3);
	send_many(&ack, kept, 3);
	caches = count_caches(FLOWS_SETTLED);
	ok(caches.entries >= kept, "%u joins that were answered are in the cache: %u", kept,
	   caches.entries);
	send_many(&join, FLOOD, 200);
	caches = count_caches(FLOWS_FRESH);
	ok(caches.entries > FRESH / 2 && caches.entries <= FRESH,
	   "of a flood of %u joins at most %u entries stay: %u", FLOOD, FRESH, caches.entries);
	before = packets_of(REASON_flow);
	send_many(&ack, kept, 3);
	ok(packets_of(REASON_flow) - before == kept, "and those that were answered are all found");
}

/* Ports are 15 bits of a flow's number here, and the rest is its address. */
static void test_eviction(void)
{
	const struct segment stamped = { STAMPED(SEVEN), .dport = PORT_ALL };
	const struct segment bare = { ACK, .dport = PORT_ALL };
	uint32_t entries = count_caches(FLOWS_SETTLED).entries, flood = 3 * ENTRIES, late = 100;
	uint64_t before = packets_of(REASON_stamp);

	send_many(&stamped, flood, 400);
	ok(packets_of(REASON_stamp) - before == flood,
	   "`flows all`: each of %u flows goes by its stamp, however full the cache", flood);
	entries = count_caches(FLOWS_SETTLED).entries - entries;
	ok(entries > ENTRIES / 2 && entries <= ENTRIES, "at most %u of them stay: %u", ENTRIES,
	   entries);
	before = packets_of(REASON_flow);
	for (uint32_t i = flood - late; i < flood; i++)
		send_again(&bare, 400 << 16 | i);
	ok(packets_of(REASON_flow) - before == late, "the last %u are found", late);
	before = packets_of(REASON_ring_no_stamp);
	for (uint32_t i = 0; i < late; i++)
		send_again(&bare, 400 << 16 | i);
	ok(packets_of(REASON_ring_no_stamp) - before == late, "the first %u go by the ring", late);
}

/* Eighteen services' caches are there before and after: one goes, and its memory with it. */
static void test_memory(void)
{
	struct caches before = count_caches(FLOWS_SETTLED), after;

	ok(before.maps == config->service_count && before.room == config->service_count * ENTRIES,
	   "each service with `flows` has a cache of its own size");
	for (int i = 0; i < 5; i++) {
		config->services[0].flow_entries = ENTRIES + i;
		decision_publish(config);
	}
	after = count_caches(FLOWS_SETTLED);
	ok(after.maps == before.maps, "five changes of size leave no map behind");
	for (size_t i = 0; i < config->service_count; i++)
		config->services[i].flows = FLOWS_OFF;
	decision_publish(config);
	ok(!count_caches(FLOWS_SETTLED).maps && !count_caches(FLOWS_FRESH).maps,
	   "without `flows` there is none");
}

static void test_failure(void)
{
	struct config *read = config_new();
	struct caches before = count_caches(FLOWS_SETTLED);

	config->services[0].flow_entries = 0;
	ok(tables_publish(decision_tables, config) == FAILED &&
		   count_caches(FLOWS_SETTLED).maps == before.maps,
	   "a publication that cannot make a cache leaves none behind");
	decides(&ack, false, BY(flow, SEVEN), "and the one that there was is in use");
	config->services[0].flow_entries = ENTRIES;
	tables_read(decision_tables, read);
	ok(read->services[0].flows == FLOWS_JOINS && read->services[1].flows == FLOWS_ALL &&
		   read->services[0].flow_entries == ENTRIES,
	   "the loaded configuration knows which services have `flows`");
	config_free(read);
}

#define RUN(steps, v6) run_steps(steps, sizeof(steps) / sizeof(steps[0]), v6)

int main(void)
{
	make_config();
	decision_load("flows", config);
	for (int v6 = 0; v6 < 2; v6++) {
		RUN(joins, v6);
		RUN(all, v6);
	}
	test_icmp();
	test_failure();
	test_changes(false);
	test_changes(true);
	test_floods();
	test_eviction();
	test_memory();
	decision_unload();
	config_free(config);
	return tap_end();
}
