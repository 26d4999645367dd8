// SPDX-License-Identifier: GPL-2.0-only
/*
 * `make bench`: nanoseconds a packet of the balancer, of floors, and of a minimal hashing
 * balancer, interleaved in one process. Prints a table, adds to build/bench.json.
 */
#define _GNU_SOURCE
#include <bpf/libbpf.h>
#include <sys/mman.h>

#include "../../include/stamp.h"
#include "../../loader/cmd.h"
#include "bench.h" /* before the skeleton, which uses its types */
#include "bench.skel.h"
#include "fixture.h"
#include "packet.h"
#include "results.h"

struct options options;

#define BACKENDS 100
#define ROUNDS 15
#define WALL_MS 0xc4653601u
#define INDEX_BITS 8
#define EPOCH 1

enum program { FLOOR_TX, FLOOR_MACS, FLOOR_ROOM, FLOOR_ENCAP, MINIMAL, BALANCER, PROGRAMS };
enum clue_kind { NO_CLUE, STAMPED, JOIN };

/* One line of the table. */
struct subject {
	const char *name;
	enum program program;
	enum clue_kind kind;
	struct segment packet;
	uint32_t flows;
	uint32_t verdict;
	double ns[ROUNDS];
	double net_ns;
};

#define STAMPED_PACKET .flags = TCP_ACK, OPTIONS(NOP, NOP, TIMESTAMP(5, 0x01020304)), .payload = 64
#define STAMPED_BEHIND_NOPS .flags = TCP_ACK, OPTIONS(NOP28, TIMESTAMP(5, 0x01020304), NOP, NOP)
#define LINUX_SYN MSS, SACK_PERMITTED, TIMESTAMP(5, 0), NOP, WINDOW_SCALE
#define SYN_PACKET .flags = TCP_SYN, OPTIONS(LINUX_SYN, MP_CAPABLE_SYN)
#define JOIN_PACKET .flags = TCP_SYN, OPTIONS(LINUX_SYN, MP_JOIN_SYN(0x01020304))
#define JOIN_BEHIND_NOPS .flags = TCP_SYN, OPTIONS(NOP28, MP_JOIN_SYN(0x01020304))
#define ONE 1
#define MILLION (1 << 20)

static struct subject subjects[] = {
	{ "harness", FLOOR_TX, NO_CLUE, { STAMPED_PACKET }, ONE, XDP_TX },
	{ "harness", FLOOR_TX, NO_CLUE, { STAMPED_PACKET }, MILLION, XDP_TX },
	{ "room made and undone", FLOOR_ROOM, NO_CLUE, { STAMPED_PACKET }, ONE, XDP_TX },
	{ "swap MACs", FLOOR_MACS, NO_CLUE, { STAMPED_PACKET }, ONE, XDP_TX },
	{ "IPIP encapsulation", FLOOR_ENCAP, NO_CLUE, { STAMPED_PACKET }, ONE, XDP_TX },
	{ "minimal balancer, hash and IPIP", MINIMAL, NO_CLUE, { STAMPED_PACKET }, ONE, XDP_TX },
	{ "minimal balancer, hash and IPIP",
	  MINIMAL,
	  NO_CLUE,
	  { STAMPED_PACKET },
	  MILLION,
	  XDP_TX },
	{ "stamped", BALANCER, STAMPED, { STAMPED_PACKET }, ONE, XDP_TX },
	{ "stamped", BALANCER, STAMPED, { STAMPED_PACKET }, MILLION, XDP_TX },
	{ "stamped", BALANCER, STAMPED, { STAMPED_PACKET, .v6 = true }, ONE, XDP_TX },
	{ "stamped", BALANCER, STAMPED, { STAMPED_PACKET, .v6 = true }, MILLION, XDP_TX },
	{ "stamped, behind 28 NOPs", BALANCER, STAMPED, { STAMPED_BEHIND_NOPS }, ONE, XDP_TX },
	{ "join", BALANCER, JOIN, { JOIN_PACKET }, ONE, XDP_TX },
	{ "join", BALANCER, JOIN, { JOIN_PACKET }, MILLION, XDP_TX },
	{ "join", BALANCER, JOIN, { JOIN_PACKET, .v6 = true }, ONE, XDP_TX },
	{ "join, behind 28 NOPs", BALANCER, JOIN, { JOIN_BEHIND_NOPS }, ONE, XDP_TX },
	{ "new connection, ring", BALANCER, NO_CLUE, { SYN_PACKET }, ONE, XDP_TX },
	{ "new connection, ring", BALANCER, NO_CLUE, { SYN_PACKET }, MILLION, XDP_TX },
	{ "new connection, ring", BALANCER, NO_CLUE, { SYN_PACKET, .v6 = true }, ONE, XDP_TX },
	{ "not for a service", BALANCER, NO_CLUE, { SYN_PACKET, .dport = 22 }, ONE, XDP_PASS },
	{ "not for a service",
	  BALANCER,
	  NO_CLUE,
	  { SYN_PACKET, .dport = 22, .v6 = true },
	  ONE,
	  XDP_PASS },
};

#define SUBJECTS (sizeof(subjects) / sizeof(subjects[0]))

static struct bench_bpf *bench;
static struct bench_flow *flow_table; /* the map of flows, one kind at a time */

static uint32_t index_of(uint32_t flow)
{
	return flow % BACKENDS * (1 << INDEX_BITS) / BACKENDS;
}

static void fill_flows(enum clue_kind kind)
{
	static const struct token_secret secret = { 0x0706050403020100, 0x0f0e0d0c0b0a0908 };

	for (uint32_t i = 0; i < BENCH_FLOWS_MAX; i++) {
		uint32_t flow = i * 0x9e3779b1 % BENCH_FLOWS_MAX, index = index_of(flow), token;

		token = token_encode(&secret, EPOCH, INDEX_BITS, index, flow);
		flow_table[i] = (struct bench_flow){
			.source = htonl(0x0b000000 + flow),
			.sport = htons(1024 + flow % 60000),
			.backend = index & 0xff,
			.clue = htonl(kind == JOIN ? token
						   : WALL_MS - flow % 60000 +
							     index * stamp_slot_ms(INDEX_BITS)),
		};
	}
}

static size_t find_clue(const uint8_t *frame, size_t length)
{
	static const uint8_t placeholder[] = { BYTES4(0x01020304) };

	return (const uint8_t *)memmem(frame, length, placeholder, sizeof(placeholder)) - frame;
}

static void set_input(const struct subject *subject, const uint8_t *frame, size_t length)
{
	bench->bss->input = (struct bench_input){
		.flow_mask = subject->flows - 1,
		.tcp = ETH_HLEN + (subject->packet.v6 ? 40 : 20),
		.clue = subject->kind ? find_clue(frame, length) : 0,
		.verdict = subject->verdict,
		.v6 = subject->packet.v6,
		.encapsulates = subject->program >= FLOOR_ROOM && subject->program <= MINIMAL,
		.check_backend = subject->kind != NO_CLUE,
	};
	bench->bss->result = (struct bench_result){};
}

static int program_fd(enum program program)
{
	struct bpf_program *const programs[PROGRAMS] = {
		bench->progs.bench_floor_tx,   bench->progs.bench_floor_macs,
		bench->progs.bench_floor_room, bench->progs.bench_floor_encap,
		bench->progs.bench_minimal,    bench->progs.bench_balancer,
	};

	return bpf_program__fd(programs[program]);
}

static double measure(const struct subject *subject)
{
	uint8_t frame[FRAME_MAX];
	size_t length = packet_build(frame, &subject->packet);
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame, .data_size_in = length,
		    .repeat = BENCH_PACKETS + 1);

	set_input(subject, frame, length);
	if (bpf_prog_test_run_opts(program_fd(subject->program), &run))
		fixture_die("BPF_PROG_TEST_RUN");
	if (bench->bss->result.wrong || run.retval != subject->verdict) {
		printf("Bail out! %s: %llu packets went wrong, verdict %u\n", subject->name,
		       (unsigned long long)bench->bss->result.wrong, run.retval);
		exit(1);
	}
	return (double)(bench->bss->result.end_ns - bench->bss->result.start_ns) / BENCH_PACKETS;
}

/* Kinds in turn, since the flows are filled per kind; within a round all are interleaved. */
static void measure_all(void)
{
	for (enum clue_kind kind = NO_CLUE; kind <= JOIN; kind++) {
		fill_flows(kind);
		for (int round = 0; round < ROUNDS; round++)
			for (size_t i = 0; i < SUBJECTS; i++)
				if (subjects[i].kind == kind)
					subjects[i].ns[round] = measure(&subjects[i]);
	}
}

static double median(const struct subject *subject)
{
	return subject->ns[ROUNDS / 2];
}

static const struct subject *find(const char *name, uint32_t flows)
{
	for (size_t i = 0; i < SUBJECTS; i++)
		if (!strcmp(subjects[i].name, name) && subjects[i].flows == flows)
			return &subjects[i];
	return NULL;
}

/* Less the harness at as many flows, and less the undoing of an encapsulation. */
static void subtract_harness(void)
{
	double room = median(find("room made and undone", ONE)) - median(find("harness", ONE));

	for (size_t i = 0; i < SUBJECTS; i++) {
		struct subject *subject = &subjects[i];

		subject->net_ns = median(subject) - median(find("harness", subject->flows));
		if (subject->program == FLOOR_ENCAP || subject->program == MINIMAL)
			subject->net_ns -= room / 2;
	}
}

static const char *forward_of(const struct subject *subject)
{
	if (subject->program == BALANCER)
		return subject->verdict == XDP_TX ? "l2" : "none";
	return subject->program == FLOOR_ENCAP || subject->program == MINIMAL ? "ipip" : "none";
}

static void print_table(double encap_ns)
{
	printf("%-34s %-6s %-5s %8s %8s %8s %8s %8s %8s %6s\n", "packet", "family", "to", "flows",
	       "min", "q1", "median", "q3", "net ns", "xE");
	for (size_t i = 0; i < SUBJECTS; i++) {
		const struct subject *s = &subjects[i];

		printf("%-34s %-6s %-5s %8u %8.1f %8.1f %8.1f %8.1f %8.1f %6.2f\n", s->name,
		       s->packet.v6 ? "IPv6" : "IPv4", forward_of(s), s->flows, s->ns[0],
		       s->ns[ROUNDS / 4], median(s), s->ns[ROUNDS * 3 / 4], s->net_ns,
		       s->net_ns / encap_ns);
	}
}

static void write_json(double encap_ns)
{
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; i < SUBJECTS; i++) {
		const struct subject *s = &subjects[i];
		struct json_object *row = json_object_new_object();

		json_object_object_add(row, "name", json_object_new_string(s->name));
		json_object_object_add(row, "family", json_object_new_int(s->packet.v6 ? 6 : 4));
		json_object_object_add(row, "forward", json_object_new_string(forward_of(s)));
		json_object_object_add(row, "flows", json_object_new_int(s->flows));
		json_object_object_add(row, "backends", json_object_new_int(BACKENDS));
		json_object_object_add(row, "services", json_object_new_int(2));
		json_object_object_add(row, "median_ns", json_object_new_double(median(s)));
		json_object_object_add(row, "net_ns", json_object_new_double(s->net_ns));
		json_object_object_add(row, "ratio_to_encap",
				       json_object_new_double(s->net_ns / encap_ns));
		json_object_array_add(list, row);
	}
	results_write("lb", list);
}

static void add_service(struct config *config, bool v6)
{
	struct config_service *service = &config->services[config->service_count++];

	address_parse(v6 ? SERVICE_V6 : SERVICE_V4, &service->address);
	service->port = SERVICE_PORT;
	service->stamps = true;
	for (uint32_t i = 0; i < BACKENDS; i++)
		service->weight[index_of(i)] = 101;
}

static void publish(struct tables *tables)
{
	struct config *config = config_new();

	fixture_secret(config, EPOCH);
	for (uint32_t i = 0; i < BACKENDS; i++)
		fixture_backend(config, index_of(i), false, BACKEND_UP);
	add_service(config, false);
	add_service(config, true);
	if (tables_publish(tables, config))
		fixture_die("can't publish");
	fixture_freeze_clock(tables, WALL_MS);
	config_free(config);
}

static void fill_minimal(void)
{
	struct {
		__be32 address;
		__be16 port;
		uint16_t protocol;
	} key = { inet_addr(SERVICE_V4), htons(SERVICE_PORT), IPPROTO_TCP };
	uint32_t one = 1;

	bpf_map_update_elem(bpf_map__fd(bench->maps.minimal_services), &key, &one, 0);
	for (uint32_t slot = 0; slot < RING_SLOTS; slot++) {
		__be32 backend = htonl(0x0a090000 + slot % BACKENDS);

		bpf_map_update_elem(bpf_map__fd(bench->maps.minimal_ring), &slot, &backend, 0);
	}
}

int main(void)
{
	LIBBPF_OPTS(bpf_object_open_opts, open_options);
	struct tables *tables;
	double encap_ns;

	stay_on_one_cpu();
	fixture_network("bench");
	if (cmd_load(&(struct words){}))
		return 1;
	open_options.pin_root_path = fixture_pins;
	bench = bench_bpf__open_opts(&open_options);
	if (!bench)
		fixture_die("can't open the benchmark");
	fixture_share_devices(bench->maps.devices);
	if (bench_bpf__load(bench) || tables_open(fixture_pins, &tables))
		fixture_die("can't load the benchmark");
	flow_table = mmap(NULL, BENCH_FLOWS_MAX * sizeof(*flow_table), PROT_READ | PROT_WRITE,
			  MAP_SHARED, bpf_map__fd(bench->maps.bench_flows), 0);
	if (flow_table == MAP_FAILED)
		fixture_die("can't map the flows");
	publish(tables);
	fill_minimal();
	measure_all();
	for (size_t i = 0; i < SUBJECTS; i++)
		qsort(subjects[i].ns, ROUNDS, sizeof(double), compare);
	subtract_harness();
	encap_ns = find("IPIP encapsulation", ONE)->net_ns;
	print_table(encap_ns);
	write_json(encap_ns);
	tables_close(tables);
	return cmd_unload(&(struct words){});
}
