/* SPDX-License-Identifier: GPL-2.0-only */
/* What the balancer decides about a frame. */
#ifndef SELFTESTS_OUTCOME_H
#define SELFTESTS_OUTCOME_H

#include <linux/bpf.h>

#include "../loader/cmd.h"
#include "counter_rows.h"
#include "packet.h"
#include "tap.h"

#define WALL_MS 0xc4653601u
#define STAMP(index) (WALL_MS - 1 + (index) * (1u << 24)) /* at index bits 8 */
#define TOKEN_OF_7 0x7dbb86edu /* under the secret 00..0f, as in selftests/vectors.txt */
#define NO_BACKEND (-1)
#define BY(why, index) .reason = REASON_##why, .backend = index

enum { ON_RING = 1, NAMED = 7 };

/* What became of a packet. */
struct outcome {
	enum reason reason;
	int backend; /* by the MAC that it went to */
	uint32_t verdict;
	size_t length;
	uint8_t frame[FRAME_MAX];
};

/*
 * The rows of counters that are read: of no service, and of as many as there are or have just
 * been, since a service that comes gets another id than one that goes.
 */
#define SERVICES_MAX 32
#define ROWS_MAX (1 + 2 * SERVICES_MAX)

static struct tables *tables;
static int program;
static uint64_t counted[ROWS_MAX * COUNTER_REASONS]; /* as the last run left them */
static uint32_t rows;

static inline void decision_begin(void)
{
	fixture_network("decision");
	if (cmd_load(&(struct words){}) || tables_open(fixture_pins, &tables))
		fixture_die("can't load");
	fixture_freeze_clock(tables, WALL_MS);
	program = fixture_open_pin("lb");
}

static inline void decision_end(void)
{
	tables_close(tables);
	cmd_unload(&(struct words){});
}

/* Packets go by this from now on; the configuration is the caller's to free. */
static inline void decision_publish(const struct config *config)
{
	static size_t before;

	if (config->service_count > SERVICES_MAX || tables_publish(tables, config))
		fixture_die("can't publish");
	rows = 1 + before + config->service_count;
	before = config->service_count;
	counter_rows_read(counted, rows); /* those of new services begin at 0 */
}

static inline void decision_add_service(struct config *config, const char *address)
{
	struct config_service *service = &config->services[config->service_count++];

	address_parse(address, &service->address);
	service->port = SERVICE_PORT;
	service->stamps = true;
	service->weight[ON_RING] = 101;
	service->weight[NAMED] = 1;
}

/* The two backends, behind one service over IPv4 and one over IPv6. */
static inline void decision_begin_with_two(void)
{
	struct config *config = config_new();

	decision_begin();
	fixture_secret(config, 1);
	fixture_backend(config, ON_RING, false, BACKEND_UP);
	fixture_backend(config, NAMED, false, BACKEND_UP);
	decision_add_service(config, SERVICE_V4);
	decision_add_service(config, SERVICE_V6);
	decision_publish(config);
	config_free(config);
}

/* False: not exactly one reason was counted. */
static inline bool read_reason(struct outcome *outcome)
{
	uint64_t now[ROWS_MAX * COUNTER_REASONS];
	int reasons = 0;

	counter_rows_read(now, rows);
	for (uint32_t i = 0; i < rows * COUNTER_REASONS; i++) {
		if (now[i] != counted[i])
			outcome->reason = i % COUNTER_REASONS;
		reasons += now[i] - counted[i];
	}
	memcpy(counted, now, rows * COUNTER_REASONS * sizeof(counted[0]));
	return reasons == 1;
}

static inline bool is_for_backend(enum reason reason)
{
#define DISPOSITION(name, disposition, words) disposition,
	static const enum disposition dispositions[] = { REASONS(DISPOSITION) };
#undef DISPOSITION

	return dispositions[reason] == TO_BACKEND;
}

static inline bool decision_run(const uint8_t *frame, size_t length, struct outcome *outcome)
{
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame, .data_size_in = length,
		    .data_out = outcome->frame, .data_size_out = FRAME_MAX);

	if (bpf_prog_test_run_opts(program, &run))
		fixture_die("BPF_PROG_TEST_RUN");
	outcome->verdict = run.retval;
	outcome->length = run.data_size_out;
	if (!read_reason(outcome))
		return false;
	outcome->backend = is_for_backend(outcome->reason) ? outcome->frame[5] : NO_BACKEND;
	return true;
}

/* Only the MACs of what a backend gets are written, and nothing of the rest. */
static inline bool bytes_are_kept(const uint8_t *frame, size_t length,
				  const struct outcome *outcome)
{
	size_t from = outcome->backend == NO_BACKEND ? 0 : 2 * ETH_ALEN;

	if (outcome->verdict == XDP_TX && outcome->backend == NO_BACKEND)
		return true; /* an echo's answer, which other rows compare */
	return outcome->length == length &&
	       !memcmp(frame + from, outcome->frame + from, length - from);
}

#endif
