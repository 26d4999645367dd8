// SPDX-License-Identifier: GPL-2.0-only
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "attachment.h"
#include "dispatcher.h"
#include "pins.h"

/* The balancer's programs use less than half as many maps. */
#define PROGRAM_MAPS_MAX 32

static uint32_t map_id(const char *name)
{
	struct bpf_map_info info = {};
	uint32_t length = sizeof(info);
	int fd = pin_open(name);

	if (fd < 0)
		return 0;
	if (bpf_obj_get_info_by_fd(fd, &info, &length))
		info.id = 0;
	close(fd);
	return info.id;
}

/* The map that tells our programs from others: any does, should somebody remove a pin. */
static uint32_t any_map_id(void)
{
	static const char *const names[] = { "state", "services", "backends", "counters" };
	uint32_t id = 0;

	for (size_t i = 0; !id && i < sizeof(names) / sizeof(names[0]); i++)
		id = map_id(names[i]);
	return id;
}

/* Whether a program goes by a map; its name is copied too. */
static bool program_uses(uint32_t program, uint32_t map, char name[static BPF_OBJ_NAME_LEN])
{
	uint32_t maps[PROGRAM_MAPS_MAX] = {};
	struct bpf_prog_info info = {
		.nr_map_ids = PROGRAM_MAPS_MAX,
		.map_ids = (uintptr_t)maps,
	};
	uint32_t length = sizeof(info);
	int fd = bpf_prog_get_fd_by_id(program);
	bool uses = false;

	name[0] = '\0';
	if (fd < 0)
		return false;
	if (!bpf_obj_get_info_by_fd(fd, &info, &length)) {
		memcpy(name, info.name, BPF_OBJ_NAME_LEN);
		for (uint32_t i = 0; map && i < info.nr_map_ids && i < PROGRAM_MAPS_MAX; i++)
			uses |= maps[i] == map;
	}
	close(fd);
	return uses;
}

static uint32_t find_behind_dispatcher(uint32_t ifindex, uint32_t map,
				       char name[static BPF_OBJ_NAME_LEN])
{
	uint32_t programs[DISPATCHER_PROGRAMS_MAX];
	int count = dispatcher_programs(ifindex, programs);

	for (int i = 0; i < count; i++)
		if (program_uses(programs[i], map, name))
			return programs[i];
	return 0;
}

/*
 * The id of the device's own program, 0 if there is none. There is one, except that the
 * hardware may run another, which is not ours.
 */
static uint32_t query_kernel(uint32_t ifindex, bool *generic)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, query);

	if (bpf_xdp_query(ifindex, 0, &query))
		return 0;
	*generic = query.skb_prog_id;
	if (query.skb_prog_id)
		return query.skb_prog_id;
	return query.drv_prog_id ? query.drv_prog_id : query.hw_prog_id;
}

bool attachment_query(uint32_t ifindex, struct attachment *attachment)
{
	uint32_t map = any_map_id(), program;
	char name[BPF_OBJ_NAME_LEN];

	*attachment = (struct attachment){};
	program = query_kernel(ifindex, &attachment->generic);
	if (!program)
		return false;
	if (program_uses(program, map, name))
		attachment->ours = program;
	attachment->dispatcher = !strcmp(name, DISPATCHER_NAME);
	if (attachment->dispatcher)
		attachment->ours = find_behind_dispatcher(ifindex, map, name);
	attachment->frags = !strcmp(name, "lb_frags");
	return true;
}

int attachment_put(uint32_t ifindex, bool generic, const char *program, uint32_t old)
{
	LIBBPF_OPTS(bpf_xdp_attach_opts, attach_options);
	uint32_t flags = generic ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE;
	int fd = pin_open(program), err;

	if (fd < 0)
		return fd;
	if (old)
		attach_options.old_prog_fd = bpf_prog_get_fd_by_id(old);
	else
		flags |= XDP_FLAGS_UPDATE_IF_NOEXIST;
	err = bpf_xdp_attach(ifindex, fd, flags, &attach_options);
	if (attach_options.old_prog_fd > 0)
		close(attach_options.old_prog_fd);
	close(fd);
	return err;
}

const char *attachment_mode(const struct attachment *attachment)
{
	return attachment->generic ? "generic" : "native";
}

int attachment_list(char *text, size_t size)
{
	struct if_nameindex *devices = if_nameindex();
	struct attachment attachment;
	int count = 0;

	text[0] = '\0';
	for (struct if_nameindex *device = devices; device && device->if_index; device++) {
		if (!attachment_query(device->if_index, &attachment) || !attachment.ours)
			continue;
		snprintf(text + strlen(text), size - strlen(text), "%s%s", count ? ", " : "",
			 device->if_name);
		count++;
	}
	if_freenameindex(devices);
	return count;
}
