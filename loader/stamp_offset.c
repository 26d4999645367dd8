// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../include/stamp.h"
#include "stamp_offset.h"
#include "synchronised.h"

#define DIRECTORY "/run/mptcp-lb"
#define OFFSET_FILE DIRECTORY "/stamp-offset"
#define BOOT_ID_FILE "/proc/sys/kernel/random/boot_id"
#define BOOT_ID_BYTES 40 /* 36 digits and dashes */

static uint64_t clock_ms(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

uint32_t stamp_offset_now(void)
{
	return stamp_offset(clock_ms(CLOCK_REALTIME), clock_ms(CLOCK_MONOTONIC));
}

static bool read_boot_id(char id[static BOOT_ID_BYTES])
{
	FILE *file = fopen(BOOT_ID_FILE, "re");
	bool ok = file && fscanf(file, "%39s", id) == 1;

	if (file)
		fclose(file);
	return ok;
}

/* False if nothing was kept, or in another boot. */
static bool read_offset(const char *boot_id, uint32_t *offset_ms)
{
	char id[BOOT_ID_BYTES];
	FILE *file = fopen(OFFSET_FILE, "re");
	bool ok = file && fscanf(file, "%39s %u", id, offset_ms) == 2 && !strcmp(id, boot_id);

	if (file)
		fclose(file);
	return ok;
}

/* The file appears whole or not at all. */
static int keep_offset(const char *boot_id, uint32_t offset_ms)
{
	char temporary[64];
	FILE *file;
	int error;

	snprintf(temporary, sizeof(temporary), OFFSET_FILE ".%d", getpid());
	file = fopen(temporary, "we");
	if (!file)
		return -errno;
	fprintf(file, "%s %u\n", boot_id, offset_ms);
	error = fclose(file) || rename(temporary, OFFSET_FILE) ? -errno : 0;
	if (error)
		unlink(temporary);
	return error;
}

/* What is sampled now stays until the next boot. */
static enum status judge_clock(bool strict_clock)
{
	if (clock_is_synchronised())
		return DONE;
	if (strict_clock)
		return fail(FAILED, "the clock is not synchronised, and strict-clock is on");
	warn("the clock is not synchronised, and the stamps of this boot are fixed by it now");
	return DONE;
}

enum status stamp_offset_of_boot(bool strict_clock, uint32_t *offset_ms)
{
	char boot_id[BOOT_ID_BYTES];
	enum status status;
	int error;

	if (!read_boot_id(boot_id))
		return fail(FAILED, "can't read %s", BOOT_ID_FILE);
	if (read_offset(boot_id, offset_ms))
		return DONE;
	status = judge_clock(strict_clock);
	if (status)
		return status;
	*offset_ms = stamp_offset_now();
	error = mkdir(DIRECTORY, 0755) && errno != EEXIST ? -errno : 0;
	if (!error)
		error = keep_offset(boot_id, *offset_ms);
	if (error)
		return fail(FAILED, "can't keep the stamp offset in %s: %s", OFFSET_FILE,
			    strerror(-error));
	return DONE;
}
