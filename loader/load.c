// SPDX-License-Identifier: GPL-2.0-only
/* load and unload: pin the balancer's programs and maps, and take the pins away. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "attachment.h"
#include "bpffs.h"
#include "cmd.h"
#include "lb.skel.h"

static const char *const pins[] = { "lb",      "lb_frags", "state",    "services", "backends",
				    "secrets", "rings",    "counters", "devices" };

#define PINS (sizeof(pins) / sizeof(pins[0]))

static void pin_path(char path[static 4096], const char *name)
{
	snprintf(path, 4096, "%s/%s", options.pin_dir, name);
}

static bool is_pinned(const char *name)
{
	char path[4096];

	pin_path(path, name);
	return !access(path, F_OK);
}

static void unpin_all(void)
{
	char path[4096];

	for (size_t i = 0; i < PINS; i++) {
		pin_path(path, pins[i]);
		unlink(path);
	}
}

/* Against another load, unload or apply, until *lock is closed. */
static enum status lock_pins(int *lock)
{
	*lock = open(options.pin_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*lock < 0)
		return fail(FAILED, "can't open '%s': %s", options.pin_dir,
			    errno == EACCES ? "this needs root" : strerror(errno));
	if (!flock(*lock, LOCK_EX))
		return DONE;
	close(*lock);
	return fail(FAILED, "can't lock '%s': %s", options.pin_dir, strerror(errno));
}

static enum status pin_program(struct bpf_program *program)
{
	char path[4096];
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

	if (is_pinned("lb_frags"))
		return fail(FAILED, "the balancer is loaded at '%s' already", options.pin_dir);
	unpin_all(); /* what a load that was killed left behind */
	status = load_programs();
	if (!status)
		return DONE;
	unpin_all();
	rmdir(options.pin_dir);
	return status;
}

enum status cmd_load(struct words *words)
{
	enum status status = words_end(words);
	int lock;

	if (!status)
		status = bpffs_prepare(options.pin_dir);
	if (!status)
		status = lock_pins(&lock);
	if (status)
		return status;
	status = load_locked();
	close(lock);
	return status;
}

static enum status unload_locked(void)
{
	char devices[256];

	if (!is_pinned("state"))
		return fail(NOT_LOADED, "nothing is loaded at '%s'", options.pin_dir);
	if (attachment_list(devices, sizeof(devices)))
		return fail(FAILED, "still attached to %s: 'detach' first", devices);
	unpin_all();
	rmdir(options.pin_dir);
	return DONE;
}

enum status cmd_unload(struct words *words)
{
	enum status status = words_end(words);
	int lock;

	if (!status && access(options.pin_dir, F_OK) && errno == ENOENT)
		status = fail(NOT_LOADED, "nothing is loaded at '%s'", options.pin_dir);
	if (!status)
		status = lock_pins(&lock);
	if (status)
		return status;
	status = unload_locked();
	close(lock);
	return status;
}
