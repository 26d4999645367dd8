/* SPDX-License-Identifier: GPL-2.0-only */
/* The rows of a group: their packets sent through the programs, and nanoseconds made of it. */
#ifndef LB_ROWS_H
#define LB_ROWS_H

#include "lb_bench.h" /* before the skeleton, which uses its types */
#include "lb_bench.skel.h"
#include "lb_groups.h"
#include "results.h"

#define LOADS_MAX 8
#define ROUNDS_MAX 32
#define ROWS_MAX 512

/* One line of the table. */
struct row {
	const struct group *group;
	enum class class;
	bool v6;
	uint32_t flows;
	uint32_t next; /* flow that the next burst begins with */
	double ns[LOADS_MAX * ROUNDS_MAX * BENCH_BURSTS];
	double min_ns, median_ns;
	double net_ns, net_min_ns; /* less the harness: of the medians, of the minima */
	double to_encap, to_tight;
};

static struct lb_bench_bpf *bench;
static struct row rows[ROWS_MAX];
static size_t row_count;
static int loads = 3, rounds = 3;

static inline bool is_encapsulated(const struct row *row)
{
	enum program program = classes[row->class].program;

	if (program == BALANCER)
		return row->group->forward != FORWARD_L2 && classes[row->class].verdict == XDP_TX;
	return program >= FLOOR_ROOM;
}

static inline uint32_t room_of(const struct row *row)
{
	bool ours = classes[row->class].program == BALANCER;

	if (!is_encapsulated(row))
		return 0;
	return (ours && row->group->outer_v6 ? 40 : 20) +
	       (ours && row->group->forward == FORWARD_GUE ? 12 : 0);
}

/* The client's address must come out of all, at the same cost. */
static inline struct bench_check check_client(const struct row *row)
{
	return (struct bench_check){ room_of(row) + ETH_HLEN + (row->v6 ? 22 : 14),
				     OF(source) + 2 };
}

static inline struct bench_check check_backend(const struct row *row, uint32_t at)
{
	size_t of = classes[row->class].backend;

	return (struct bench_check){ at, of == OF(on_ring) && row->v6 ? OF(on_ring_v6) : of };
}

/* The backend's number ends its MAC address, and what the outer header is addressed to. */
static inline void set_checks(const struct row *row, struct bench_check checks[static 2])
{
	const struct class_of_packets *class = &classes[row->class];
	bool outer_v6 = class->program == BALANCER && row->group->outer_v6;

	checks[0] = checks[1] = check_client(row);
	if (class->backend && is_encapsulated(row))
		checks[0] = check_backend(row, ETH_HLEN + (outer_v6 ? 38 : 18));
	if (class->backend && class->program == BALANCER)
		checks[1] = check_backend(row, 4);
}

static inline void set_input(const struct row *row, const uint8_t *frame, size_t length)
{
	const struct class_of_packets *class = &classes[row->class];

	bench->bss->input = (struct bench_input){
		.first = row->next,
		.flow_mask = row->flows - 1,
		.verdict = class->verdict,
		.beside = row->v6 ? 0 : inet_addr(SERVICE_V4),
		.v6 = row->v6,
		.ports_of = class->ports,
		.clue_at = find_clue(frame, length),
		.clue_of = class->clue,
		.room = room_of(row),
	};
	memcpy(bench->bss->input.start, frame, sizeof(bench->bss->input.start));
	set_checks(row, bench->bss->input.checks);
	bench->bss->result = (struct bench_result){};
}

static inline int program_fd(enum program program)
{
	struct bpf_program *const programs[PROGRAMS] = {
		bench->progs.bench_floor_tx,    bench->progs.bench_floor_macs,
		bench->progs.bench_floor_room,  bench->progs.bench_floor_encap,
		bench->progs.bench_floor_tight, bench->progs.bench_minimal,
		bench->progs.bench_minimal_lru, bench->progs.bench_balancer,
	};

	return bpf_program__fd(programs[program]);
}

/* A fast wrong answer is a failure: it ends the benchmark. */
static inline void run_row(struct row *row)
{
	const struct class_of_packets *class = &classes[row->class];
	struct segment packet = packet_of(row->class, row->v6);
	uint8_t frame[FRAME_MAX];
	size_t length = packet_build(frame, &packet);
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame, .data_size_in = length,
		    .repeat = BENCH_RUN + 1);

	set_input(row, frame, length);
	if (bpf_prog_test_run_opts(program_fd(class->program), &run))
		fixture_die("BPF_PROG_TEST_RUN");
	if (bench->bss->result.wrong || run.retval != class->verdict) {
		printf("Bail out! %s: '%s' over IPv%d, %u flows: %llu packets went wrong, "
		       "verdict %u\n",
		       row->group->name, class->name, row->v6 ? 6 : 4, row->flows,
		       (unsigned long long)bench->bss->result.wrong, run.retval);
		exit(1);
	}
	row->next += BENCH_RUN;
}

/* Nanoseconds a packet, of each burst. */
static inline void measure_row(struct row *row, double ns[static BENCH_BURSTS])
{
	const uint64_t *at = bench->bss->result.at_ns;

	run_row(row);
	for (int i = 0; i < BENCH_BURSTS; i++)
		ns[i] = (double)(at[i + 1] - at[i]) / BENCH_BURST;
}

/* Makes tables know the flows. */
static inline void warm(struct row *row)
{
	struct row join = *row;

	join.class = BARE_JOIN;
	for (uint32_t sent = 0; sent < row->flows; sent += BENCH_RUN) {
		if (row->class == CACHED_JOIN)
			run_row(&join);
		run_row(row);
	}
	row->next = 0;
}

static inline void add_row(const struct group *group, enum class class, bool v6, uint32_t flows)
{
	if (row_count == ROWS_MAX)
		fixture_die("too many rows");
	rows[row_count++] =
		(struct row){ .group = group, .class = class, .v6 = v6, .flows = flows };
}

static inline void add_class(const struct group *group, enum class class, uint32_t flows)
{
	add_row(group, class, false, flows);
	if (!group->v4_only && !classes[class].v4_only)
		add_row(group, class, true, flows);
}

/* The harness is subtracted at as many flows; other floors don't look at the flow. */
static inline void add_rows(const struct group *group)
{
	for (enum class class = ROOM; class <= TIGHT; class ++)
		add_class(group, class, ONE);
	for (int i = 0; i < FLOWS_LISTED && group->flows[i]; i++) {
		add_class(group, HARNESS, group->flows[i]);
		for (int j = 0; group->classes[j] != CLASSES; j++)
			add_class(group, group->classes[j], group->flows[i]);
	}
}

static inline const struct row *find_row(const struct group *group, enum class class, bool v6,
					 uint32_t flows)
{
	for (size_t i = 0; i < row_count; i++)
		if (rows[i].group == group && rows[i].class == class && rows[i].v6 == v6 &&
		    rows[i].flows == flows)
			return &rows[i];
	return NULL;
}

/* Less the harness of the same configuration, and less the undoing of an encapsulation. */
static inline void subtract_harness(struct row *row)
{
	const struct row *one = find_row(row->group, HARNESS, false, ONE);
	const struct row *room = find_row(row->group, ROOM, false, ONE);
	const struct row *harness = find_row(row->group, HARNESS, row->v6, row->flows);

	row->net_ns = row->net_min_ns = 0;
	if (row->class == HARNESS)
		return;
	row->net_ns = row->median_ns - harness->median_ns;
	row->net_min_ns = row->min_ns - harness->min_ns;
	if (row->class == ROOM || !is_encapsulated(row))
		return;
	row->net_ns -= (room->median_ns - one->median_ns) / 2;
	row->net_min_ns -= (room->min_ns - one->min_ns) / 2;
}

static inline void evaluate(void)
{
	size_t bursts = loads * rounds * BENCH_BURSTS;

	for (size_t i = 0; i < row_count; i++) {
		qsort(rows[i].ns, bursts, sizeof(double), compare);
		rows[i].min_ns = rows[i].ns[0];
		rows[i].median_ns = rows[i].ns[bursts / 2];
	}
	for (size_t i = 0; i < row_count; i++)
		subtract_harness(&rows[i]);
	for (size_t i = 0; i < row_count; i++) {
		const struct group *group = rows[i].group;

		rows[i].to_encap = rows[i].net_ns / find_row(group, ENCAP, false, ONE)->net_ns;
		rows[i].to_tight = rows[i].net_ns / find_row(group, TIGHT, false, ONE)->net_ns;
	}
}

/* Within a round all rows of the group take turns. turn: which load it is. */
static inline void measure_group(const struct group *group, int turn)
{
	for (size_t i = 0; i < row_count; i++)
		if (rows[i].group == group && classes[rows[i].class].keeps_flows)
			warm(&rows[i]);
	for (int round = turn * rounds; round < (turn + 1) * rounds; round++)
		for (size_t i = 0; i < row_count; i++)
			if (rows[i].group == group)
				measure_row(&rows[i], &rows[i].ns[round * BENCH_BURSTS]);
}

#endif
