// SPDX-License-Identifier: GPL-2.0-only
#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "progress.h"
#include "say.h"

#define SAY_EVERY_MS 200
#define CLEAR_LINE "\r\033[K"

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

struct progress progress_begin(uint64_t total)
{
	int64_t now = now_ms();

	return (struct progress){
		.total = total,
		.began_ms = now,
		.said_ms = now,
		.wanted = isatty(STDERR_FILENO) && !options.json,
		.mixed = isatty(STDOUT_FILENO),
	};
}

static void print_time(uint64_t seconds)
{
	if (seconds < 120)
		fprintf(stderr, "%" PRIu64 " s", seconds);
	else if (seconds < 7200)
		fprintf(stderr, "%" PRIu64 " min", seconds / 60);
	else
		fprintf(stderr, "%" PRIu64 " h", seconds / 3600);
}

void progress_say(struct progress *progress, uint64_t done)
{
	int64_t now = now_ms();
	double rate = done * 1000.0 / (now - progress->began_ms + 1);

	if (!progress->wanted || now - progress->said_ms < SAY_EVERY_MS)
		return;
	fprintf(stderr, CLEAR_LINE "%" PRIu64 " of %" PRIu64 " keys, %.0f/s", done, progress->total,
		rate);
	if (done) {
		fputs(", ", stderr);
		print_time((progress->total - done) / rate + 1);
		fputs(" left", stderr);
	}
	fflush(stderr);
	progress->said_ms = now;
	progress->visible = true;
}

static void clear(struct progress *progress)
{
	if (progress->visible)
		fputs(CLEAR_LINE, stderr);
	progress->visible = false;
}

void progress_make_way(struct progress *progress)
{
	if (progress->mixed)
		clear(progress);
}

void progress_end(struct progress *progress)
{
	clear(progress);
}
