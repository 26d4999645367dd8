// SPDX-License-Identifier: GPL-2.0-only
/*
 * `make bench`: packets a second of one core by a veth in native mode, through the balancer, a
 * program that only swaps MACs, minimal balancers, and the kernel's own forwarding. The core
 * does all of it: it makes the packets (live frames), receives, decides, sends, and drops.
 */
#define _GNU_SOURCE
#include <bpf/libbpf.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

#include "lb_bench.h" /* before the skeleton, which uses its types */

#include "../../include/reason.h"
#include "../../loader/cmd.h"
#include "lb_flows.h"
#include "results.h"
#include "veth_bench.skel.h"

struct options options;

#define FRAMES 400000 /* of a round: a fifth of a second, more or less */
#define BATCH 64      /* between two turns of the receiver; its ring holds 256 */
#define FEWEST_ARRIVE (FRAMES / 100 * 99)
#define ROUNDS 9
#define TABLE_FILE PERFORMANCE_DIR "/veth.md"

struct subject {
	const char *name;
	const char *group; /* the configuration of the balancer; NULL: another program */
	enum class class;
	struct bpf_program **program; /* NULL, without a group: the kernel forwards */
	double rate[ROUNDS];          /* packets a second */
};

static struct veth_bench_bpf *veth;
static struct tables *tables;
static struct bench_flow *flow_table;
static int balancer;

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

/* The other network of the fixture is not used. lb0 has the address that frames are sent to. */
static void make_network(void)
{
	if (system("ip link add gen0 type veth peer name lb0 address 02:00:00:00:00:bb && "
		   "ip link add sink0 type veth peer name sink1 && "
		   "ethtool -K lb0 gro on >/dev/null && "
		   "for dev in gen0 lb0 sink0 sink1; do ip link set $dev up; done && "
		   "ip route replace 10.9.0.0/16 dev lb0 && "
		   "ip route add " SERVICE_V4 " via inet 10.6.0.2 dev sink0 onlink && "
		   "ip neigh add 10.6.0.2 lladdr 02:00:00:00:00:99 dev sink0 && "
		   "sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=0 "
		   "net.ipv4.conf.lb0.rp_filter=0"))
		fixture_die("can't make the veths");
}

static void attach(const char *device, int program)
{
	uint32_t ifindex = if_nametoindex(device);

	if (bpf_xdp_attach(ifindex, program, XDP_FLAGS_DRV_MODE, NULL))
		fixture_die("can't attach to a veth");
}

static void load(void)
{
	if (cmd_load(&(struct words){}) || tables_open(fixture_pins, &tables))
		exit(1);
	veth = veth_bench_bpf__open();
	if (!veth)
		fixture_die("can't open the benchmark");
	bpf_map__set_max_entries(veth->maps.bench_flows, MILLION);
	bpf_map__set_max_entries(veth->maps.minimal_flows, MILLION / 4 * 5 + FRAMES);
	if (veth_bench_bpf__load(veth))
		fixture_die("can't load the benchmark");
	veth->bss->generator_ifindex = if_nametoindex("gen0");
	flow_table = mmap(NULL, MILLION * sizeof(*flow_table), PROT_READ | PROT_WRITE, MAP_SHARED,
			  bpf_map__fd(veth->maps.bench_flows), 0);
	if (flow_table == MAP_FAILED)
		fixture_die("can't map the flows");
	attach("gen0", bpf_program__fd(veth->progs.arrive));
}

static void fill_minimal(void)
{
	struct minimal_service key = { inet_addr(SERVICE_V4), htons(SERVICE_PORT), IPPROTO_TCP };
	uint32_t one = 1;

	bpf_map_update_elem(bpf_map__fd(veth->maps.minimal_services), &key, &one, 0);
	for (uint32_t slot = 0; slot < RING_SLOTS; slot++) {
		__be32 backend = htonl(0x0a090000 + slot % 100);

		bpf_map_update_elem(bpf_map__fd(veth->maps.minimal_ring), &slot, &backend, 0);
	}
}

static void publish(const struct group *group)
{
	struct config *config = group_config(group);
	struct expectation *expected = expect(config, group);

	if (tables_publish(tables, config))
		fixture_die("can't publish");
	fixture_freeze_clock(tables, WALL_MS);
	fill_flows(flow_table, expected);
	expect_no_more(expected);
	config_free(config);
}

/* What has come out at the far end: of XDP by gen0 again, of the kernel by sink0. */
static uint64_t count_arrived(const struct subject *subject)
{
	uint64_t packets = 0;
	char line[512];
	FILE *file;

	if (subject->group || subject->program)
		return veth->bss->arrived;
	file = fopen("/proc/net/dev", "r");
	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, " sink1: %*u %lu", &packets) == 1)
			break;
	if (file)
		fclose(file);
	return packets;
}

/* Packets of the balancer for which the reason was that of the class. */
static uint64_t count_decided(const struct subject *subject)
{
	enum reason reason = subject->class == STAMPED ? REASON_stamp : REASON_ring_new;
	uint64_t *counters, sum = 0;

	if (tables_counters(tables, &counters))
		fixture_die("can't read the counters");
	for (uint32_t i = reason; i < COUNTER_BACKENDS; i += COUNTER_REASONS)
		sum += counters[i];
	free(counters);
	return sum;
}

static void begin(const struct subject *subject)
{
	if (subject->group) {
		publish(find_group(subject->group));
		attach("lb0", balancer);
	} else {
		attach("lb0", subject->program ? bpf_program__fd(*subject->program) : -1);
	}
}

static void set_input(const struct subject *subject, const uint8_t *frame, size_t length,
		      uint32_t first)
{
	const struct class_of_packets *class = &classes[subject->class];

	veth->bss->input = (struct bench_input){
		.first = first,
		.flow_mask = MILLION - 1,
		.beside = inet_addr(SERVICE_V4),
		.ports_of = class->ports,
		.clue_at = find_clue(frame, length),
		.clue_of = class->clue,
	};
	memcpy(veth->bss->input.start, frame, sizeof(veth->bss->input.start));
}

static double measure(const struct subject *subject, uint32_t first)
{
	struct segment packet = packet_of(subject->class, false);
	uint8_t frame[FRAME_MAX];
	size_t length = packet_build(frame, &packet);
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame, .data_size_in = length,
		    .repeat = FRAMES, .flags = BPF_F_TEST_XDP_LIVE_FRAMES, .batch_size = BATCH);
	uint64_t before = count_arrived(subject), decided = count_decided(subject), arrived;
	double start, seconds;

	set_input(subject, frame, length, first);
	go_first();
	start = now();
	if (bpf_prog_test_run_opts(bpf_program__fd(veth->progs.generate), &run))
		fixture_die("BPF_PROG_TEST_RUN with live frames");
	seconds = now() - start;
	go_along();
	arrived = count_arrived(subject) - before;
	if (arrived < FEWEST_ARRIVE ||
	    (subject->group && count_decided(subject) - decided < FEWEST_ARRIVE)) {
		printf("Bail out! %s: of %d frames %lu arrived\n", subject->name, FRAMES, arrived);
		exit(1);
	}
	return arrived / seconds;
}

static void print_table(FILE *out, const struct subject *subjects, size_t count)
{
	fprintf(out, "| %-40s | %10s | %10s | %9s | %7s |\n", "one core, a million flows",
		"packets/s", "most", "ns/packet", "of swap");
	fprintf(out, "|---|--:|--:|--:|--:|\n");
	for (size_t i = 0; i < count; i++) {
		double median = subjects[i].rate[ROUNDS / 2];

		fprintf(out, "| %-40s | %10.0f | %10.0f | %9.0f | %7.2f |\n", subjects[i].name,
			median, subjects[i].rate[ROUNDS - 1], 1e9 / median,
			median / subjects[0].rate[ROUNDS / 2]);
	}
}

static void report(const struct subject *subjects, size_t count)
{
	struct json_object *rows = json_object_new_array();
	FILE *out = fopen(TABLE_FILE, "w");

	if (!out)
		fixture_die(TABLE_FILE);
	print_table(stdout, subjects, count);
	print_table(out, subjects, count);
	fclose(out);
	for (size_t i = 0; i < count; i++) {
		struct json_object *row = json_object_new_object();

		json_object_object_add(row, "name", json_object_new_string(subjects[i].name));
		json_object_object_add(row, "median_pps",
				       json_object_new_double(subjects[i].rate[ROUNDS / 2]));
		json_object_object_add(row, "most_pps",
				       json_object_new_double(subjects[i].rate[ROUNDS - 1]));
		json_object_array_add(rows, row);
	}
	results_write("veth", rows);
}

/* Ours are published anew in each turn, or the flows would be another configuration's. */
static void measure_all(struct subject *subjects, size_t count)
{
	for (int round = 0; round < ROUNDS; round++)
		for (size_t i = 0; i < count; i++) {
			begin(&subjects[i]);
			subjects[i].rate[round] = measure(&subjects[i], round * FRAMES);
		}
	for (size_t i = 0; i < count; i++)
		qsort(subjects[i].rate, ROUNDS, sizeof(double), compare);
}

int main(void)
{
	mkdir(PERFORMANCE_DIR, 0777);
	stay_on_one_cpu();
	fixture_network("veth");
	make_network();
	load();
	balancer = fixture_open_pin("lb");
	fill_minimal();
	publish(find_group("l2"));
	struct subject subjects[] = {
		{ "swap MACs", NULL, STAMPED, &veth->progs.swap },
		{ "IPIP encapsulation (E)", NULL, STAMPED, &veth->progs.encap },
		{ "minimal balancer, IPIP", NULL, STAMPED, &veth->progs.minimal_stateless },
		{ "minimal balancer with flow table, IPIP", NULL, STAMPED,
		  &veth->progs.minimal_stateful },
		{ "ours, l2, stamped", "l2", STAMPED },
		{ "ours, l2, new connections", "l2", RING },
		{ "ours, IPIP, stamped", "ipip", STAMPED },
		{ "the kernel forwards", NULL, STAMPED },
	};

	measure_all(subjects, sizeof(subjects) / sizeof(*subjects));
	report(subjects, sizeof(subjects) / sizeof(*subjects));
	attach("lb0", -1);
	tables_close(tables);
	return cmd_unload(&(struct words){});
}
