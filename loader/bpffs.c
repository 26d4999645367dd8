// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "bpffs.h"

#define BPFFS_ROOT "/sys/fs/bpf"

static bool is_bpffs(const char *directory)
{
	struct statfs fs;

	return !statfs(directory, &fs) && fs.f_type == BPF_FS_MAGIC;
}

static enum status mount_root(void)
{
	if (is_bpffs(BPFFS_ROOT) || !mount("bpf", BPFFS_ROOT, "bpf", 0, "mode=0700"))
		return DONE;
	if (errno == EPERM)
		return fail(FAILED, "this needs root");
	return fail(FAILED, "can't mount the BPF filesystem on " BPFFS_ROOT ": %s",
		    strerror(errno));
}

/* mkdir -p; pins are for root alone. */
static int make_directories(const char *directory)
{
	char path[4096];

	if ((size_t)snprintf(path, sizeof(path), "%s", directory) >= sizeof(path))
		return -ENAMETOOLONG;
	for (char *slash = path + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		if (mkdir(path, 0700) && errno != EEXIST)
			return -errno;
		*slash = '/';
	}
	return mkdir(path, 0700) && errno != EEXIST ? -errno : 0;
}

enum status bpffs_check(const char *directory)
{
	if (is_bpffs(directory))
		return DONE;
	return fail(FAILED,
		    "'%s' is not on a BPF filesystem; -p names a directory below " BPFFS_ROOT,
		    directory);
}

/* Nothing is made on another filesystem. */
static enum status check_parent(const char *directory)
{
	char path[4096];
	char *end;

	snprintf(path, sizeof(path), "%s", directory);
	while ((end = strrchr(path, '/')) && end > path && access(path, F_OK) && errno == ENOENT)
		*end = '\0';
	if (is_bpffs(path) || errno == EACCES || errno == EPERM)
		return DONE;
	return bpffs_check(directory);
}

static enum status say_why_not(const char *directory, int err)
{
	const char *why = strerror(-err);

	if (err == -EPERM && strchr(directory, '.'))
		why = "a BPF filesystem takes no names with a dot";
	else if (err == -EPERM || err == -EACCES)
		why = "this needs root";
	return fail(FAILED, "can't make the directory '%s': %s", directory, why);
}

enum status bpffs_prepare(const char *directory)
{
	enum status status = DONE;
	int err;

	if (!strncmp(directory, BPFFS_ROOT "/", sizeof(BPFFS_ROOT)))
		status = mount_root();
	if (!status)
		status = check_parent(directory);
	if (status)
		return status;
	err = make_directories(directory);
	return err ? say_why_not(directory, err) : DONE;
}
