// SPDX-License-Identifier: GPL-2.0-only
/* load and unload: pin or replace the balancer's programs and maps, and take the pins away. */
#include <errno.h>
#include <unistd.h>

#include "attachment.h"
#include "bpffs.h"
#include "cmd.h"
#include "pins.h"
#include "balancer_programs.h"

static const char *const pins[] = { "lb",       "lb_frags", "next",    "state",
				    "services", "backends", "secrets", "rings",
				    "flows",    "counters", "stamped", "devices" };

#define PINS (sizeof(pins) / sizeof(pins[0]))

static void unpin_all(void)
{
	char path[PIN_PATH_MAX];

	for (size_t i = 0; i < PINS; i++) {
		pin_path(path, pins[i]);
		unlink(path);
	}
}

static enum status load_locked(void)
{
	enum status status;
	char devices[256];

	if (pin_exists("lb_frags")) /* the last that is pinned */
		return balancer_replace();
	if (attachment_list(devices, sizeof(devices)))
		return fail(FAILED, "the maps at '%s' are in use by the program on %s",
			    options.pin_dir, devices);
	unpin_all(); /* what a load that was killed left behind */
	status = balancer_pin();
	if (!status)
		return DONE;
	unpin_all();
	rmdir(options.pin_dir);
	return status;
}

/* An `unload` may take the directory away between the two. */
static enum status make_and_lock(int *lock)
{
	enum status status;

	do {
		status = bpffs_prepare(options.pin_dir);
		if (status)
			return status;
		*lock = pins_try_lock(options.pin_dir);
	} while (*lock == -ENOENT);
	return *lock < 0 ? pins_say_why_not(options.pin_dir, *lock) : DONE;
}

enum status cmd_load(struct words *words)
{
	enum status status = words_end(words);
	int lock;

	if (!status)
		status = make_and_lock(&lock);
	if (status)
		return status;
	status = load_locked();
	close(lock);
	return status;
}

static bool is_any_pinned(void)
{
	for (size_t i = 0; i < PINS; i++)
		if (pin_exists(pins[i]))
			return true;
	return false;
}

static enum status unload_locked(void)
{
	bool with_programs = pin_exists("lb");
	char devices[256];

	if (!is_any_pinned())
		return pins_say_why_not(options.pin_dir, -ENOENT);
	if (attachment_list(devices, sizeof(devices)))
		return fail(FAILED, "still attached to %s: 'detach' first", devices);
	unpin_all();
	if (with_programs) /* else it is iproute2's directory, and not of `load`'s making */
		rmdir(options.pin_dir);
	return DONE;
}

enum status cmd_unload(struct words *words)
{
	enum status status = words_end(words);
	int lock;

	if (!status)
		status = pins_lock(options.pin_dir, &lock);
	if (status)
		return status;
	status = unload_locked();
	close(lock);
	return status;
}
