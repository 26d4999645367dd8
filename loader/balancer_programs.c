// SPDX-License-Identifier: GPL-2.0-only
#include <bpf/libbpf.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "attachment.h"
#include "dispatcher.h"
#include "pins.h"
#include "balancer_programs.h"
#include "tables.h"

/*
 * The kernel adds a flag to maps of devices, which makes libbpf 1.1 believe that the
 * pinned one is of another kind than the object's.
 */
static int reuse_devices(struct lb_bpf *skeleton)
{
	int fd = pin_open("devices"), err;

	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	err = bpf_map__reuse_fd(skeleton->maps.devices, fd);
	close(fd);
	return err;
}

struct lb_bpf *balancer_open(void)
{
	LIBBPF_OPTS(bpf_object_open_opts, open_options, .pin_root_path = options.pin_dir);
	struct lb_bpf *skeleton = lb_bpf__open_opts(&open_options);
	int err;

	if (!skeleton)
		return NULL;
	err = reuse_devices(skeleton);
	if (!err)
		return skeleton;
	lb_bpf__destroy(skeleton);
	errno = -err;
	return NULL;
}

/* By way of another name, so that there is a program of its name at any time. */
static enum status pin(struct bpf_program *program)
{
	char path[PIN_PATH_MAX], next[PIN_PATH_MAX];
	int err;

	pin_path(path, bpf_program__name(program));
	pin_path(next, "next");
	unlink(next); /* of a load that was killed */
	err = bpf_program__pin(program, next);
	if (!err && rename(next, path))
		err = -errno;
	return err ? fail(FAILED, "can't pin '%s': %s", path, strerror(-err)) : DONE;
}

enum status balancer_pin(void)
{
	struct lb_bpf *skeleton = balancer_open();
	enum status status = DONE;
	int err;

	if (!skeleton)
		return fail(FAILED, "can't open the balancer's object: %s", strerror(errno));
	err = lb_bpf__load(skeleton);
	if (err)
		status = fail(FAILED, "the kernel refuses the balancer's program: %s",
			      err == -EPERM ? "this needs root" : strerror(-err));
	if (!status)
		status = pin(skeleton->progs.lb);
	if (!status)
		status = pin(skeleton->progs.lb_frags);
	lb_bpf__destroy(skeleton);
	return status;
}

/*
 * In one step, save behind libxdp's dispatcher: there the new program comes first and then the
 * old one goes, and packets that the one lets pass are seen by the other for a moment.
 */
static int replace(uint32_t ifindex, const struct attachment *old)
{
	const char *program = old->frags ? "lb_frags" : "lb";
	int err;

	if (!old->dispatcher)
		return attachment_put(ifindex, old->generic, program, old->ours);
	err = dispatcher_attach(ifindex, old->generic, program);
	return err ? err : dispatcher_detach(ifindex, old->generic, old->ours);
}

/* All devices, also when one has failed. */
static enum status replace_all(void)
{
	struct if_nameindex *devices = if_nameindex();
	struct attachment attachment;
	enum status status = DONE;

	for (struct if_nameindex *device = devices; device && device->if_index; device++) {
		int err;

		if (!attachment_query(device->if_index, &attachment) || !attachment.ours)
			continue;
		err = replace(device->if_index, &attachment);
		if (err)
			status = fail(FAILED, "%s keeps the program that it has: %s",
				      device->if_name, strerror(-err));
	}
	if_freenameindex(devices);
	return status;
}

enum status balancer_replace(void)
{
	enum status status = tables_check(options.pin_dir);
	char devices[256];

	if (!status)
		status = balancer_pin();
	if (!status)
		status = replace_all();
	if (!status && !options.json)
		printf("replaced: the programs at '%s', %s%s\n", options.pin_dir,
		       attachment_list(devices, sizeof(devices)) ? "on " : "on no device", devices);
	return status;
}
