/* SPDX-License-Identifier: GPL-2.0-only */
/* What the benchmark of the server side tells its wrappers, and what they tell it. */
#ifndef SERVER_BENCH_H
#define SERVER_BENCH_H

#include <linux/types.h>
#include <stdint.h>

#define BENCH_FLOWS_MAX (1 << 20)

/* Between the two readings of the clock; the system call itself takes milliseconds. */
#define BENCH_PACKETS 1000000

struct bench_flow {
	__be32 source; /* the last word of the client's address */
	__be16 sport;
	uint16_t pad;
	__be32 clue;   /* its timestamp */
	uint32_t more; /* elements of an array map are padded to 8 */
};

struct bench_input {
	uint32_t packets;
	uint32_t flow_mask; /* flows less one, a power of two less one */
	uint32_t tcp;       /* offset of the client's port */
	uint32_t clue;      /* offset of the timestamp */
	uint32_t address;   /* offset of the last word of the client's */
	uint32_t adds;      /* to what stands at `clue` */
};

struct bench_result {
	uint64_t start_ns, end_ns;
	uint64_t wrong; /* segments that were not changed as they should be */
};

#endif
