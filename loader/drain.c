// SPDX-License-Identifier: GPL-2.0-only
/* backend drain: no new connections for a backend, and the wait for the end of its traffic. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "drain.h"
#include "edit.h"

/*
 * A backend that gets no packet for so long has no traffic: whoever has something to say and
 * loses it says it again after 0.2, 0.4, 0.8, 1.6 and 3.2 s, 6.2 s in all. Connections that
 * idle for longer are not waited for; packets of theirs still find a backend that drains.
 */
#define SILENCE_S 10
#define WAIT_MAX_S (7 * 86400)

static const struct timespec pause_between = { .tv_nsec = 200000000 };

static enum status start(uint32_t index)
{
	struct edit edit;
	enum status status = edit_begin(&edit);

	if (status)
		return status;
	if (!edit.config->backends[index].assigned)
		status = fail(FAILED, "there is no backend %u", index);
	edit.config->backends[index].state = BACKEND_DRAIN;
	return edit_publish(&edit, status);
}

/* How many packets it ever got. No other command is kept out between two calls. */
static enum status count_packets(uint32_t index, uint64_t *packets)
{
	struct tables *tables;
	uint64_t *counters = NULL;
	enum status status = tables_open(options.pin_dir, &tables);

	if (status)
		return status;
	if (!tables_backend(tables, index)->assigned ||
	    tables_backend(tables, index)->state != BACKEND_DRAIN)
		status = fail(FAILED, "backend %u drains no more: another command has changed it",
			      index);
	else
		status = tables_counters(tables, &counters);
	if (!status)
		*packets = counters[COUNTER_BACKENDS + index];
	free(counters);
	tables_close(tables);
	return status;
}

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ull + now.tv_nsec / 1000000;
}

static enum status wait_for_silence(uint32_t index, uint64_t seconds)
{
	uint64_t began = now_ms(), moved = began, packets, before;
	enum status status = count_packets(index, &before);

	while (!status && now_ms() - moved < SILENCE_S * 1000) {
		if (now_ms() - began >= seconds * 1000)
			return fail(FAILED,
				    "backend %u has not been silent for %d s; it goes on draining",
				    index, SILENCE_S);
		nanosleep(&pause_between, NULL);
		status = count_packets(index, &packets);
		if (!status && packets != before) {
			before = packets;
			moved = now_ms();
		}
	}
	if (!status && !options.json)
		printf("backend %u got no packet for %d s\n", index, SILENCE_S);
	return status;
}

enum status backend_drain(struct words *words)
{
	uint64_t index = 0, seconds = 0;
	enum status status =
		words_number(words, "the index of a backend", 0, MAX_BACKENDS - 1, &index);
	bool wait = !status && words_take(words, "wait");

	if (wait)
		status = words_number(words, "wait", 1, WAIT_MAX_S, &seconds);
	if (!status)
		status = words_end(words);
	if (!status)
		status = start(index);
	return status || !wait ? status : wait_for_silence(index, seconds);
}
