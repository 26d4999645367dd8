/* SPDX-License-Identifier: GPL-2.0-only */
/* The server side's programs, loaded and pinned for tests that run them frame by frame. */
#ifndef SELFTESTS_SERVER_FIXTURE_H
#define SELFTESTS_SERVER_FIXTURE_H

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "../loader/address.h"
#include "../loader/bpffs.h"
#include "../loader/server_maps.h"
#include "../loader/server_programs.h"
#include "packet.h"
#include "tap.h"

/* Keeps skb->csum in a test run and sees whether it stays right; Linux 6.1 can't, 6.18 can. */
#ifndef BPF_F_TEST_SKB_CHECKSUM_COMPLETE
#define BPF_F_TEST_SKB_CHECKSUM_COMPLETE (1U << 2)
#endif

#define COUNTED(name) .counters = 1u << SERVER_##name
#define COUNTED2(name, other) .counters = 1u << SERVER_##name | 1u << SERVER_##other

static char pin_dir[64];
static struct server_maps *maps;
static int programs[2];

static inline uint64_t monotonic_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ull + now.tv_nsec / 1000000;
}

/* When no cookie of before then lives any more; before the boot, it may be. */
static inline uint64_t long_ago_ms(void)
{
	return monotonic_ms() - (COOKIE_LIFETIME_S + 1) * 1000;
}

static inline void die(const char *what)
{
	printf("Bail out! %s: %m\n", what);
	exit(1);
}

static inline void remove_pins(void)
{
	programs_unpin(pin_dir);
	rmdir(pin_dir);
}

static inline void add_service(const char *text)
{
	struct address address;

	address_parse(text, &address);
	server_maps_add_service(maps, &address, htons(SERVICE_PORT));
}

static inline void set_up(void)
{
	static const char *const names[] = {
		[SERVER_INGRESS] = "ingress", [SERVER_EGRESS] = "egress"
	};
	char path[128];

	snprintf(pin_dir, sizeof(pin_dir), "/sys/fs/bpf/mptcp-lb-rows-%d", getpid());
	atexit(remove_pins);
	snprintf(path, sizeof(path), "%s/server", pin_dir);
	if (bpffs_prepare(path) || programs_load(pin_dir) || server_maps_open_new(pin_dir, &maps))
		die("can't load");
	for (int i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/server/%s", pin_dir, names[i]);
		programs[i] = bpf_obj_get(path);
		if (programs[i] < 0)
			die("can't open a program");
	}
	add_service(SERVICE_V4);
	add_service(SERVICE_V6);
	server_maps_state(maps)->abi = SERVER_ABI;
}

static inline bool check_frame(const uint8_t *want, size_t want_length, const uint8_t *got,
			       size_t got_length)
{
	if (want_length == got_length && !memcmp(want, got, want_length))
		return true;
	for (size_t i = 0; i < want_length && i < got_length; i++)
		if (want[i] != got[i])
			diag("byte %zu is %02x, not %02x", i, got[i], want[i]);
	if (want_length != got_length)
		diag("%zu bytes came out, not %zu", got_length, want_length);
	return false;
}

/* counters: bits of those that must move by one. */
static inline bool check_counters(uint32_t counters, const uint64_t *before, const uint64_t *after)
{
	bool good = true;

	for (int i = 0; i < SERVER_COUNTER_COUNT; i++) {
		if (after[i] - before[i] == (counters >> i & 1))
			continue;
		diag("counter %d moved by %llu", i, (unsigned long long)(after[i] - before[i]));
		good = false;
	}
	return good;
}

/*
 * Runs a program over a frame of a device that has summed the whole IP packet, and returns
 * the length of what it leaves.
 */
static inline size_t run_frame(enum server_program program, const uint8_t *in, size_t length,
			       uint8_t out[static FRAME_MAX], int *verdict)
{
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = in, .data_size_in = length, .data_out = out,
		    .data_size_out = FRAME_MAX, .flags = BPF_F_TEST_SKB_CHECKSUM_COMPLETE);
	int error = bpf_prog_test_run_opts(programs[program], &run);

	if (error == -EBADMSG) {
		diag("skb->csum is not the frame's sum any more");
		*verdict = INT_MIN;
		return run.data_size_out;
	}
	if (error == -EINVAL) {
		run.flags = 0;
		run.data_size_out = FRAME_MAX;
		error = bpf_prog_test_run_opts(programs[program], &run);
	}
	if (error)
		die("BPF_PROG_TEST_RUN");
	*verdict = run.retval;
	return run.data_size_out;
}

#endif
