// SPDX-License-Identifier: GPL-2.0-only
#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bpffs.h"
#include "pins.h"

void pin_path(char path[static PIN_PATH_MAX], const char *name)
{
	snprintf(path, PIN_PATH_MAX, "%s/%s", options.pin_dir, name);
}

bool pin_exists(const char *name)
{
	char path[PIN_PATH_MAX];

	pin_path(path, name);
	return !access(path, F_OK);
}

int pin_open(const char *name)
{
	char path[PIN_PATH_MAX];
	int fd;

	pin_path(path, name);
	fd = bpf_obj_get(path);
	return fd < 0 ? -errno : fd;
}

/* Whoever held the lock may have been an `unload` that took the directory away. */
static bool is_gone(int directory)
{
	struct stat stat;

	return fstat(directory, &stat) || !stat.st_nlink;
}

int pins_try_lock(const char *pin_dir)
{
	int directory = open(pin_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), err;

	if (directory < 0)
		return -errno;
	if (flock(directory, LOCK_EX))
		err = -errno;
	else if (is_gone(directory))
		err = -ENOENT;
	else
		return directory;
	close(directory);
	return err;
}

enum status pins_say_why_not(const char *pin_dir, int err)
{
	if (err == -ENOENT)
		return fail(NOT_LOADED, "nothing is loaded at '%s'; try 'mptcp-lb load'", pin_dir);
	return fail(FAILED, "can't open '%s': %s", pin_dir,
		    err == -EACCES ? "this needs root" : strerror(-err));
}

enum status pins_lock(const char *pin_dir, int *lock)
{
	int directory = pins_try_lock(pin_dir);
	enum status status;

	if (directory < 0)
		return pins_say_why_not(pin_dir, directory);
	status = bpffs_check(pin_dir);
	if (status)
		close(directory);
	*lock = directory;
	return status;
}
