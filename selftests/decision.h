/* SPDX-License-Identifier: GPL-2.0-only */
/* Rows of a decision: a segment, why it goes where, and the frame that comes out. */
#ifndef SELFTESTS_DECISION_H
#define SELFTESTS_DECISION_H

#include "../include/reason.h"
#include "../loader/cmd.h"
#include "fixture.h"
#include "packet.h"
#include "tap.h"

#define DECISION_WALL_MS 0xc4653601u /* frozen; not a multiple of anything */
#define NO_BACKEND (-1)

static struct tables *decision_tables;
static int decision_program;
static uint64_t *decision_counters; /* as the last decision left them; NULL: not known */

/* Packets were sent, or a configuration published, beside decide(). */
static inline void decision_forget(void)
{
	free(decision_counters);
	decision_counters = NULL;
}

static inline void decision_publish(const struct config *config)
{
	if (tables_publish(decision_tables, config))
		fixture_die("can't publish");
	decision_forget();
	fixture_freeze_clock(decision_tables, DECISION_WALL_MS);
}

static inline void decision_load(const char *name, const struct config *config)
{
	fixture_network(name);
	if (cmd_load(&(struct words){}) || tables_open(fixture_pins, &decision_tables))
		fixture_die("can't load");
	decision_publish(config);
	decision_program = fixture_open_pin("lb");
}

static inline void decision_unload(void)
{
	decision_forget();
	tables_close(decision_tables);
	close(decision_program);
	cmd_unload(&(struct words){});
}

/* What became of a segment: which counters moved, and whether the frame is as it should be. */
struct decision {
	int reason;  /* -1: none, or more than one */
	int service; /* the row of counters */
	int backend;
	bool right_frame;
};

static inline int decision_moved(const uint64_t *before, const uint64_t *after, int from, int to)
{
	int found = -1;

	for (int i = from; i < to; i++) {
		if (after[i] == before[i])
			continue;
		if (found >= 0 || after[i] != before[i] + 1)
			return -1;
		found = i;
	}
	return found;
}

/* Backends of these rows are on the link of lo: new MAC addresses, and XDP_TX. */
static inline bool decision_is_right_frame(uint8_t *in, size_t length, const uint8_t *out,
					   size_t out_length, uint32_t verdict, int backend)
{
	if (backend != NO_BACKEND) {
		fixture_lladdr(backend, in);
		memset(in + ETH_ALEN, 0, ETH_ALEN);
	}
	return length == out_length && !memcmp(in, out, length) &&
	       (backend == NO_BACKEND) == (verdict != XDP_TX);
}

static inline struct decision decide(const struct segment *segment)
{
	uint8_t in[FRAME_MAX], out[FRAME_MAX];
	size_t length = packet_build(in, segment);
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = in, .data_size_in = length, .data_out = out,
		    .data_size_out = sizeof(out));
	uint64_t *before = decision_counters, *after;
	struct decision decision;
	int counter;

	if (!before)
		tables_counters(decision_tables, &before);
	if (bpf_prog_test_run_opts(decision_program, &run))
		fixture_die("BPF_PROG_TEST_RUN");
	tables_counters(decision_tables, &after);
	counter = decision_moved(before, after, 0, COUNTER_BACKENDS);
	decision.reason = counter < 0 ? -1 : counter % COUNTER_REASONS;
	decision.service = counter / COUNTER_REASONS;
	counter = decision_moved(before, after, COUNTER_BACKENDS, COUNTERS);
	decision.backend = counter < 0 ? NO_BACKEND : counter - COUNTER_BACKENDS;
	decision.right_frame = decision_is_right_frame(in, length, out, run.data_size_out,
						       run.retval, decision.backend);
	free(before);
	decision_counters = after;
	return decision;
}

/* Whether a segment, over IPv4 or IPv6, meets with this reason and goes to this backend. */
static inline __attribute__((format(printf, 5, 6))) bool decides(const struct segment *row, bool v6,
								 enum reason reason, int backend,
								 const char *sentence, ...)
{
	struct segment segment = *row;
	struct decision got;
	char text[256];
	va_list arguments;

	va_start(arguments, sentence);
	vsnprintf(text, sizeof(text), sentence, arguments);
	va_end(arguments);
	segment.v6 = v6;
	got = decide(&segment);
	if (got.reason != (int)reason || got.backend != backend)
		diag("reason %d and backend %d, not %d and %d", got.reason, got.backend, reason,
		     backend);
	if (!got.right_frame)
		diag("the frame that came out is not right");
	return ok(got.reason == (int)reason && got.backend == backend && got.right_frame,
		  "IPv%d: %s", v6 ? 6 : 4, text);
}

#endif
