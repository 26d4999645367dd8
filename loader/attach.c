// SPDX-License-Identifier: GPL-2.0-only
/* attach and detach: the XDP program on and off a device. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "attachment.h"
#include "cmd.h"

static const char *const program_names[] = { "lb", "lb_frags" };

static int open_program(const char *name)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s", options.pin_dir, name);
	return bpf_obj_get(path);
}

static uint32_t program_id(const char *name)
{
	struct bpf_prog_info info = {};
	uint32_t length = sizeof(info);
	int fd = open_program(name);
	int err = fd < 0 ? -1 : bpf_obj_get_info_by_fd(fd, &info, &length);

	if (fd >= 0)
		close(fd);
	return err ? 0 : info.id;
}

bool attachment_query(uint32_t ifindex, struct attachment *attachment)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, query);

	if (bpf_xdp_query(ifindex, 0, &query) || !query.attach_mode)
		return false;
	*attachment = (struct attachment){
		.ifindex = ifindex,
		.mode = query.attach_mode == XDP_ATTACHED_SKB ? "generic" : "native",
		.other = query.prog_id != program_id("lb") &&
			 query.prog_id != program_id("lb_frags"),
	};
	return true;
}

int attachment_list(char *text, size_t size)
{
	struct if_nameindex *devices = if_nameindex();
	struct attachment attachment;
	int count = 0;

	text[0] = '\0';
	for (struct if_nameindex *device = devices; device && device->if_index; device++) {
		if (!attachment_query(device->if_index, &attachment) || attachment.other)
			continue;
		snprintf(text + strlen(text), size - strlen(text), "%s%s", count ? ", " : "",
			 device->if_name);
		count++;
	}
	if_freenameindex(devices);
	return count;
}

static enum status find_device(struct words *words, const char **name, uint32_t *ifindex)
{
	if (!words_take(words, "dev"))
		return fail(USAGE, "say which device: 'dev DEV'");
	*name = words_next(words);
	if (!*name)
		return fail(USAGE, "dev needs the name of a device");
	*ifindex = if_nametoindex(*name);
	return *ifindex ? DONE : fail(FAILED, "there is no device '%s'", *name);
}

/* The second program is for devices whose MTU the first can't take. */
static int attach_either(uint32_t ifindex, uint32_t flags)
{
	int err = -ENOENT;

	for (int i = 0; i < 2; i++) {
		int fd = open_program(program_names[i]);

		if (fd < 0)
			return -errno;
		err = bpf_xdp_attach(ifindex, fd, flags | XDP_FLAGS_UPDATE_IF_NOEXIST, NULL);
		close(fd);
		if (!err || err == -EPERM)
			break;
	}
	return err;
}

static enum status attach(const char *name, uint32_t ifindex, bool generic)
{
	int err = attach_either(ifindex, generic ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE);

	if (!err)
		return DONE;
	if (err == -ENOENT)
		return fail(NOT_LOADED, "nothing is loaded at '%s'; try 'mptcp-lb load'",
			    options.pin_dir);
	if (err == -EPERM || err == -EACCES)
		return fail(FAILED, "can't attach to %s: this needs root", name);
	if (generic)
		return fail(FAILED, "can't attach to %s: %s", name, strerror(-err));
	return fail(FAILED,
		    "%s does not take XDP programs in native mode (%s); 'generic' works on "
		    "any device, slowly",
		    name, strerror(-err));
}

enum status cmd_attach(struct words *words)
{
	struct attachment attachment;
	uint32_t ifindex;
	const char *name;
	enum status status = find_device(words, &name, &ifindex);
	bool generic = words_take(words, "generic");

	if (!generic)
		words_take(words, "native");
	if (!status)
		status = words_end(words);
	if (status)
		return status;
	if (!attachment_query(ifindex, &attachment))
		return attach(name, ifindex, generic);
	if (attachment.other)
		return fail(FAILED, "%s has another XDP program already", name);
	return fail(FAILED, "the balancer is attached to %s already, in %s mode", name,
		    attachment.mode);
}

enum status cmd_detach(struct words *words)
{
	struct attachment attachment;
	uint32_t ifindex;
	const char *name;
	enum status status = find_device(words, &name, &ifindex);
	int err;

	if (!status)
		status = words_end(words);
	if (status)
		return status;
	if (!attachment_query(ifindex, &attachment))
		return fail(FAILED, "no XDP program is attached to %s", name);
	if (attachment.other)
		return fail(FAILED, "the XDP program on %s is not the one loaded at '%s'", name,
			    options.pin_dir);
	err = bpf_xdp_detach(ifindex, 0, NULL);
	return err ? fail(FAILED, "can't detach from %s: %s", name, strerror(-err)) : DONE;
}
