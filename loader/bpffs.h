/* SPDX-License-Identifier: GPL-2.0-only */
/* The BPF filesystem that pins live in. */
#ifndef BPFFS_H
#define BPFFS_H

#include "say.h"

/*
 * Makes the directory, and mounts the filesystem on /sys/fs/bpf if nothing is there and
 * the directory belongs below it. Says why not.
 */
enum status bpffs_prepare(const char *directory);

/* Says so and returns FAILED unless the directory is on a BPF filesystem. */
enum status bpffs_check(const char *directory);

#endif
