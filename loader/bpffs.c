// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>

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

enum status bpffs_prepare(const char *directory)
{
	enum status status = DONE;
	int err;

	if (!strncmp(directory, BPFFS_ROOT "/", sizeof(BPFFS_ROOT)))
		status = mount_root();
	if (status)
		return status;
	err = make_directories(directory);
	if (err == -EACCES || (err == -EPERM && is_bpffs(BPFFS_ROOT)))
		return fail(FAILED, "can't make the directory '%s': this needs root", directory);
	if (err)
		return fail(FAILED, "can't make the directory '%s': %s", directory, strerror(-err));
	if (!is_bpffs(directory))
		return fail(
			FAILED,
			"'%s' is not on a BPF filesystem; -p names a directory below " BPFFS_ROOT,
			directory);
	return DONE;
}
