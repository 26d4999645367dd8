// SPDX-License-Identifier: GPL-2.0-only
/* load and unload: pin the balancer's programs and maps, and take the pins away. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "attachment.h"
#include "bpffs.h"
#include "cmd.h"
#include "lb.skel.h"
#include "pins.h"

static const char *const pins[] = { "lb",      "lb_frags", "state", "services", "backends",
				    "secrets", "rings",    "flows", "counters", "devices" };

#define PINS (sizeof(pins) / sizeof(pins[0]))

static void unpin_all(void)
{
	char path[PIN_PATH_MAX];

	for (size_t i = 0; i < PINS; i++) {
		pin_path(path, pins[i]);
		unlink(path);
	}
}

static enum status pin_program(struct bpf_program *program)
{
	char path[PIN_PATH_MAX];
	int err;

	pin_path(path, bpf_program__name(program));
	err = bpf_program__pin(program, path);
	return err ? fail(FAILED, "can't pin '%s': %s", path, strerror(-err)) : DONE;
}

/* libbpf pins the maps as it creates them, below the pin root path. */
static enum status load_programs(void)
{
	LIBBPF_OPTS(bpf_object_open_opts, open_options, .pin_root_path = options.pin_dir);
	struct lb_bpf *skeleton = lb_bpf__open_opts(&open_options);
	enum status status = DONE;
	int err;

	if (!skeleton)
		return fail(FAILED, "can't open the balancer's object: %s", strerror(errno));
	err = lb_bpf__load(skeleton);
	if (err)
		status = fail(FAILED, "the kernel refuses the balancer's program: %s",
			      err == -EPERM ? "this needs root" : strerror(-err));
	if (!status)
		status = pin_program(skeleton->progs.lb);
	if (!status)
		status = pin_program(skeleton->progs.lb_frags);
	lb_bpf__destroy(skeleton);
	return status;
}

static enum status load_locked(void)
{
	enum status status;
	char devices[256];

	if (pin_exists("lb_frags"))
		return fail(FAILED, "the balancer is loaded at '%s' already", options.pin_dir);
	if (attachment_list(devices, sizeof(devices)))
		return fail(FAILED, "the maps at '%s' are in use by the program on %s",
			    options.pin_dir, devices);
	unpin_all(); /* what a load that was killed left behind */
	status = load_programs();
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
