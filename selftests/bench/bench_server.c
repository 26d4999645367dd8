// SPDX-License-Identifier: GPL-2.0-only
/* `make bench`: nanoseconds a segment of the server side's programs, and of floors. */
#define _GNU_SOURCE
#include "server_bench.h" /* before the skeleton, which uses its types */
#include "results.h"
#include "server_bench.skel.h"
#include "server_fixture.h"

struct options options;

#define ROUNDS 15
#define CONSTANT 0x08020340u
#define PLACEHOLDER 0x01020304u

enum program { NOTHING, WORD_AND_SUM, SENDER, RECEIVER, PROGRAMS };

/* One line of the table. */
struct subject {
	const char *name;
	enum program program;
	struct segment packet;
	uint32_t flows;
	uint32_t adds; /* what the timestamp must have grown by */
	double ns[ROUNDS];
};

#define SENT(...) .flags = TCP_ACK, .payload = 64, OPTIONS(__VA_ARGS__, TIMESTAMP(PLACEHOLDER, 7))
#define HEARD(...) .flags = TCP_ACK, .payload = 64, OPTIONS(__VA_ARGS__, TIMESTAMP(7, PLACEHOLDER))
#define DSS TCPOPT_MPTCP, 20, 0x20, 5, NOP4, NOP4, NOP4, NOP4
#define ONE 1
#define MILLION (1 << 20)

static struct subject subjects[] = {
	{ "harness", NOTHING, { SENT(NOP, NOP) }, ONE, 0 },
	{ "harness", NOTHING, { SENT(NOP, NOP) }, MILLION, 0 },
	{ "a word and its checksum", WORD_AND_SUM, { SENT(NOP, NOP) }, ONE, CONSTANT },
	{ "sent, stamped", SENDER, { SENT(NOP, NOP) }, ONE, CONSTANT },
	{ "sent, stamped", SENDER, { SENT(NOP, NOP) }, MILLION, CONSTANT },
	{ "sent, stamped", SENDER, { SENT(NOP, NOP), .v6 = true }, ONE, CONSTANT },
	{ "sent, stamped", SENDER, { SENT(NOP, NOP), .v6 = true }, MILLION, CONSTANT },
	{ "sent, stamped, behind 28 NOPs", SENDER, { SENT(NOP28) }, ONE, CONSTANT },
	{ "sent, not of a service", SENDER, { SENT(NOP, NOP), .dport = 22 }, ONE, 0 },
	{ "received, restored", RECEIVER, { HEARD(NOP, NOP) }, ONE, -CONSTANT },
	{ "received, restored", RECEIVER, { HEARD(NOP, NOP) }, MILLION, -CONSTANT },
	{ "received, restored", RECEIVER, { HEARD(NOP, NOP), .v6 = true }, ONE, -CONSTANT },
	{ "received, restored", RECEIVER, { HEARD(NOP, NOP), .v6 = true }, MILLION, -CONSTANT },
	{ "received, restored, behind 28 NOPs", RECEIVER, { HEARD(NOP28) }, ONE, -CONSTANT },
	{ "received, not for a service", RECEIVER, { HEARD(NOP, NOP), .dport = 22 }, ONE, 0 },
};

#define SUBJECTS (sizeof(subjects) / sizeof(subjects[0]))

static struct server_bench_bpf *bench;

static void fill_flows(void)
{
	int fd = bpf_map__fd(bench->maps.flows);

	for (uint32_t i = 0; i < BENCH_FLOWS_MAX; i++) {
		uint32_t flow = i * 0x9e3779b1 % BENCH_FLOWS_MAX;
		struct bench_flow value = { .source = htonl(0x0b000000 + flow),
					    .sport = htons(1024 + flow % 60000),
					    .clue = htonl(0x40000000 + flow) };

		if (bpf_map_update_elem(fd, &i, &value, 0))
			die("can't fill the flows");
	}
}

/* packet_build() writes what clients send: a server's segments are that with the ends swapped. */
static size_t build(uint8_t *frame, const struct subject *subject)
{
	struct segment segment = subject->packet;
	bool v6 = segment.v6;
	size_t length;

	if (subject->program != RECEIVER) {
		segment.source = v6 ? SERVICE_V6 : SERVICE_V4;
		segment.destination = v6 ? CLIENT_V6 : CLIENT_V4;
		segment.sport = segment.dport ? segment.dport : SERVICE_PORT;
		segment.dport = CLIENT_PORT;
	}
	length = packet_build(frame, &segment);
	return length;
}

static void set_input(const struct subject *subject, const uint8_t *frame, size_t length)
{
	static const uint8_t placeholder[] = { BYTES4(PLACEHOLDER) };
	uint32_t tcp = ETH_HLEN + (subject->packet.v6 ? 40 : 20);
	bool sent = subject->program != RECEIVER;

	bench->bss->input = (struct bench_input){
		.flow_mask = subject->flows - 1,
		.tcp = tcp + (sent ? 2 : 0),
		.address = tcp - (sent                 ? 4
				  : subject->packet.v6 ? 20
						       : 8),
		.clue = (uint8_t *)memmem(frame, length, placeholder, sizeof(placeholder)) - frame,
		.adds = subject->adds,
	};
	bench->bss->result = (struct bench_result){};
}

static double measure(const struct subject *subject)
{
	const struct bpf_program *const of[PROGRAMS] = {
		bench->progs.bench_nothing,
		bench->progs.bench_word_and_sum,
		bench->progs.bench_sender,
		bench->progs.bench_receiver,
	};
	uint8_t frame[FRAME_MAX];
	size_t length = build(frame, subject);
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame, .data_size_in = length,
		    .repeat = BENCH_PACKETS + 1);

	set_input(subject, frame, length);
	if (bpf_prog_test_run_opts(bpf_program__fd(of[subject->program]), &run))
		die("BPF_PROG_TEST_RUN");
	if (bench->bss->result.wrong) {
		printf("Bail out! %s: %llu segments went wrong\n", subject->name,
		       (unsigned long long)bench->bss->result.wrong);
		exit(1);
	}
	return (double)(bench->bss->result.end_ns - bench->bss->result.start_ns) / BENCH_PACKETS;
}

static double median(const struct subject *subject)
{
	return subject->ns[ROUNDS / 2];
}

/* Less the harness at as many flows. */
static double net_of(const struct subject *subject)
{
	return median(subject) - median(&subjects[subject->flows != ONE]);
}

static void add_row(struct json_object *rows, const struct subject *s)
{
	struct json_object *row = json_object_new_object();

	json_object_object_add(row, "name", json_object_new_string(s->name));
	json_object_object_add(row, "family", json_object_new_int(s->packet.v6 ? 6 : 4));
	json_object_object_add(row, "flows", json_object_new_int(s->flows));
	json_object_object_add(row, "services", json_object_new_int(2));
	json_object_object_add(row, "median_ns", json_object_new_double(median(s)));
	json_object_object_add(row, "net_ns", json_object_new_double(net_of(s)));
	json_object_array_add(rows, row);
}

static void report(void)
{
	struct json_object *rows = json_object_new_array();

	printf("%-36s %-6s %8s %8s %8s %8s %8s %8s\n", "server side", "family", "flows", "min",
	       "q1", "median", "q3", "net ns");
	for (size_t i = 0; i < SUBJECTS; i++) {
		const struct subject *s = &subjects[i];

		printf("%-36s %-6s %8u %8.1f %8.1f %8.1f %8.1f %8.1f\n", s->name,
		       s->packet.v6 ? "IPv6" : "IPv4", s->flows, s->ns[0], s->ns[ROUNDS / 4],
		       median(s), s->ns[ROUNDS * 3 / 4], net_of(s));
		add_row(rows, s);
	}
	results_write("server", rows);
}

static void load(void)
{
	char directory[128];
	LIBBPF_OPTS(bpf_object_open_opts, open_options, .pin_root_path = directory);

	snprintf(pin_dir, sizeof(pin_dir), "/sys/fs/bpf/mptcp-lb-bench-%d", getpid());
	snprintf(directory, sizeof(directory), "%s/server", pin_dir);
	atexit(remove_pins);
	if (bpffs_prepare(directory))
		die("can't make the pins' directory");
	bench = server_bench_bpf__open_opts(&open_options);
	if (!bench || server_bench_bpf__load(bench) || server_maps_open_new(pin_dir, &maps))
		die("can't load the benchmark");
	add_service(SERVICE_V4);
	add_service(SERVICE_V6);
	server_maps_state(maps)->abi = SERVER_ABI;
	server_maps_state(maps)->stamping = 1;
	server_maps_state(maps)->constant = CONSTANT;
	server_maps_state(maps)->switched_ms = long_ago_ms();
	server_maps_state(maps)->joins_max = SERVER_JOINS_MAX;
}

int main(void)
{
	stay_on_one_cpu();
	load();
	fill_flows();
	go_first();
	for (int round = 0; round < ROUNDS; round++)
		for (size_t i = 0; i < SUBJECTS; i++)
			subjects[i].ns[round] = measure(&subjects[i]);
	go_along();
	for (size_t i = 0; i < SUBJECTS; i++)
		qsort(subjects[i].ns, ROUNDS, sizeof(double), compare);
	report();
	return 0;
}
