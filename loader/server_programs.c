// SPDX-License-Identifier: GPL-2.0-only
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "server.skel.h"
#include "server_programs.h"

#define PATH_BYTES 4096
#define TC_PRIORITY 0x6d6c /* "ml": others' filters may come before and after */
#define TC_HANDLE 1

static const struct {
	const char *ethernet, *l3; /* names */
	enum bpf_tc_attach_point point;
	uint32_t parent;
} programs[] = {
	[SERVER_INGRESS] = { "ingress", "ingress_l3", BPF_TC_INGRESS,
			     TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS) },
	[SERVER_EGRESS] = { "egress", "egress_l3", BPF_TC_EGRESS,
			    TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_EGRESS) },
};

static void pin_path(char path[static PATH_BYTES], const char *pin_dir, const char *name)
{
	snprintf(path, PATH_BYTES, "%s/server/%s", pin_dir, name);
}

static void unpin_all(const char *pin_dir)
{
	static const char *const pins[] = { "ingress",    "egress",   "ingress_l3",   "egress_l3",
					    "state",      "services", "connections",  "keys",
					    "handed_out", "counters", "service_lines" };
	char path[PATH_BYTES];

	for (size_t i = 0; i < sizeof(pins) / sizeof(pins[0]); i++) {
		pin_path(path, pin_dir, pins[i]);
		unlink(path);
	}
	pin_path(path, pin_dir, "run");
	rmdir(path);
}

static int pin_programs(const struct server_bpf *skeleton, const char *pin_dir)
{
	struct bpf_program *program;
	char path[PATH_BYTES];
	int error = 0;

	bpf_object__for_each_program(program, skeleton->obj)
	{
		pin_path(path, pin_dir, bpf_program__name(program));
		if (!error)
			error = bpf_program__pin(program, path);
	}
	return error;
}

/* libbpf pins the maps as it creates them, below the pin root path. */
enum status programs_load(const char *pin_dir)
{
	char directory[PATH_BYTES];
	LIBBPF_OPTS(bpf_object_open_opts, open_options, .pin_root_path = directory);
	struct server_bpf *skeleton;
	enum status status = DONE;
	int error;

	unpin_all(pin_dir); /* what a killed attach or detach left */
	pin_path(directory, pin_dir, "");
	skeleton = server_bpf__open_opts(&open_options);
	if (!skeleton)
		return fail(FAILED, "can't open the server side's object: %s", strerror(errno));
	error = server_bpf__load(skeleton);
	if (error)
		status = fail(FAILED, "the kernel refuses the server side's programs: %s",
			      strerror(-error));
	else if ((error = pin_programs(skeleton, pin_dir)))
		status = fail(FAILED, "can't pin the server side's programs in '%s': %s", directory,
			      strerror(-error));
	server_bpf__destroy(skeleton);
	if (status)
		programs_unpin(pin_dir);
	return status;
}

void programs_unpin(const char *pin_dir)
{
	char path[PATH_BYTES];

	unpin_all(pin_dir);
	pin_path(path, pin_dir, "");
	rmdir(path);
}

int programs_attach(const char *pin_dir, enum server_program program, uint32_t ifindex,
		    bool ethernet)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex, .attach_point = programs[program].point);
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = TC_HANDLE, .priority = TC_PRIORITY);
	char path[PATH_BYTES];
	int error;

	pin_path(path, pin_dir, ethernet ? programs[program].ethernet : programs[program].l3);
	opts.prog_fd = bpf_obj_get(path);
	if (opts.prog_fd < 0)
		return -errno;
	error = bpf_tc_attach(&hook, &opts);
	close(opts.prog_fd);
	return error;
}

int programs_detach(enum server_program program, uint32_t ifindex)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex, .attach_point = programs[program].point);
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = TC_HANDLE, .priority = TC_PRIORITY);

	return bpf_tc_detach(&hook, &opts);
}

bool programs_are_on(enum server_program program, uint32_t ifindex)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex, .attach_point = programs[program].point);
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = TC_HANDLE, .priority = TC_PRIORITY);

	return !bpf_tc_query(&hook, &opts);
}

int clsact_create(uint32_t ifindex, bool *was_there)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex,
		    .attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS);
	int error = bpf_tc_hook_create(&hook);

	*was_there = error == -EEXIST;
	return *was_there ? 0 : error;
}

static int note_filter(const struct nlmsghdr *header, void *found)
{
	(void)header;
	*(bool *)found = true;
	return MNL_CB_OK;
}

static bool has_filters(struct mnl_socket *socket, uint32_t ifindex, uint32_t parent)
{
	_Alignas(struct nlmsghdr) char buffer[32768];
	struct nlmsghdr *header = mnl_nlmsg_put_header(buffer);
	struct tcmsg *query = mnl_nlmsg_put_extra_header(header, sizeof(*query));
	bool found = false;
	int more = MNL_CB_OK;

	header->nlmsg_type = RTM_GETTFILTER;
	header->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	query->tcm_ifindex = ifindex;
	query->tcm_parent = parent;
	mnl_socket_sendto(socket, header, header->nlmsg_len);
	while (more > MNL_CB_STOP) {
		ssize_t length = mnl_socket_recvfrom(socket, buffer, sizeof(buffer));

		more = length < 0 ? MNL_CB_ERROR
				  : mnl_cb_run(buffer, length, 0, 0, note_filter, &found);
	}
	return found;
}

void clsact_destroy(uint32_t ifindex)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex,
		    .attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS);
	struct mnl_socket *socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	bool in_use = !socket;

	for (int i = 0; !in_use && i < 2; i++)
		in_use = has_filters(socket, ifindex, programs[i].parent);
	if (socket)
		mnl_socket_close(socket);
	if (!in_use)
		bpf_tc_hook_destroy(&hook);
}
