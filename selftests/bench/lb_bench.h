/* SPDX-License-Identifier: GPL-2.0-only */
/* What the benchmark of the balancer tells its wrappers, and what they tell it. */
#ifndef LB_BENCH_H
#define LB_BENCH_H

#include <linux/types.h>
#include <stdint.h>

#define BENCH_FLOWS_MAX (1 << 24)

/*
 * One run is of several bursts, since its system call waits for RCU twice, whatever it runs.
 * A burst takes a millisecond or two: some lie between interruptions.
 */
#define BENCH_BURST 16384 /* packets */
#define BENCH_BURSTS 8
#define BENCH_RUN (BENCH_BURSTS * BENCH_BURST)
#define BENCH_READINGS 16 /* of the clock: BENCH_BURSTS + 1 of them count */

/*
 * What is different in the packets of each flow, and the backend that each kind of packet
 * must reach, as the last two bytes of MAC and address say it. Half a cache line.
 */
struct bench_flow {
	__be32 source;     /* the last word of the client's address */
	__be32 ports;      /* source and destination port, for a service */
	__be32 join_port;  /* the same for the join port of `named` */
	__be32 other_port; /* the same for no service */
	__be32 stamp;      /* TSecr of `named` */
	__be32 token;      /* of `named` */
	__be16 named;      /* an index */
	__be16 on_ring;    /* over IPv4 */
	__be16 on_ring_v6; /* over IPv6 */
	__be16 on_minimal; /* what the minimal balancer makes of it */
};

/* Two bytes of what comes out that must be the flow's. */
struct bench_check {
	uint32_t at; /* offset in the frame */
	uint32_t of; /* offset in struct bench_flow */
};

/* Offsets in struct bench_flow that are 0 name nothing. */
struct bench_input {
	uint32_t first;     /* flow of the first packet */
	uint32_t flow_mask; /* flows less one, a power of two less one */
	uint32_t verdict;
	uint64_t start[2]; /* the first 16 bytes of the frame that goes in */
	uint64_t beside;   /* what shares 8 bytes with the last word of the client's address */
	uint32_t v6;
	uint32_t ports_of; /* offset in struct bench_flow */
	uint32_t clue_at;  /* offset in the frame */
	uint32_t clue_of;  /* offset in struct bench_flow */
	uint32_t room;     /* of the outer headers, which are taken off again */
	struct bench_check checks[2];
};

struct bench_result {
	uint32_t packets;
	uint64_t at_ns[BENCH_READINGS]; /* when each burst began */
	uint64_t wrong;                 /* packets with a wrong verdict or a wrong backend */
};

#endif
