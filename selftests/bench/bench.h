/* SPDX-License-Identifier: GPL-2.0-only */
/* What the benchmark tells its wrappers, and what they tell it. */
#ifndef BENCH_H
#define BENCH_H

#include <linux/types.h>
#include <stdint.h>

#define BENCH_FLOWS_MAX (1 << 20)

/* Between the two readings of the clock; the system call itself takes milliseconds. */
#define BENCH_PACKETS 1000000

struct bench_flow {
	__be32 source; /* the last word of the client's address */
	__be16 sport;
	uint16_t backend; /* low byte of the index that the packet must reach */
	__be32 clue;      /* token or TSecr */
	uint32_t pad;     /* elements of an array map are padded to 8 */
};

struct bench_input {
	uint32_t packets;
	uint32_t flow_mask; /* flows less one, a power of two less one */
	uint32_t tcp;       /* offset of the TCP header */
	uint32_t clue;      /* offset of the token or TSecr; 0: there is none */
	uint32_t verdict;
	uint8_t v6;
	uint8_t encapsulates;
	uint8_t check_backend; /* 0: any backend is right */
	uint32_t address;      /* of the server side: offset of the last word of the client's */
	uint32_t adds;         /* to what stands at `clue` */
};

struct bench_result {
	uint64_t start_ns, end_ns;
	uint64_t wrong; /* packets with a wrong verdict or a wrong backend */
};

#endif
