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
	static const char *const pins[] = {
		"ingress",     "egress", "ingress_l3", "egress_l3", "state",    "services",
		"connections", "keys",   "handed_out", "networks",  "counters", "service_lines"
	};
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

/* libbpf pins the maps as it creates them, below the pin root path; those there are it takes. */
static enum status load_skeleton(const char *pin_dir, struct server_bpf **skeleton)
{
	char directory[PATH_BYTES];
	LIBBPF_OPTS(bpf_object_open_opts, open_options, .pin_root_path = directory);
	int error;

	pin_path(directory, pin_dir, "");
	*skeleton = server_bpf__open_opts(&open_options);
	if (!*skeleton)
		return fail(FAILED, "can't open the server side's object: %s", strerror(errno));
	error = server_bpf__load(*skeleton);
	if (!error)
		return DONE;
	server_bpf__destroy(*skeleton);
	return fail(FAILED, "the kernel refuses the server side's programs: %s", strerror(-error));
}

enum status programs_load(const char *pin_dir)
{
	struct server_bpf *skeleton;
	enum status status;
	int error;

	unpin_all(pin_dir); /* what a killed attach or detach left */
	status = load_skeleton(pin_dir, &skeleton);
	if (!status) {
		error = pin_programs(skeleton, pin_dir);
		if (error)
			status = fail(FAILED, "can't pin the server side's programs in '%s': %s",
				      pin_dir, strerror(-error));
		server_bpf__destroy(skeleton);
	}
	if (status)
		programs_unpin(pin_dir);
	return status;
}

/* The kernel's digest of a program's instructions; 0: unknown. */
static uint64_t tag_of(int fd)
{
	struct bpf_prog_info info = {};
	uint32_t length = sizeof(info);
	uint64_t tag;

	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &length))
		return 0;
	memcpy(&tag, info.tag, sizeof(tag));
	return tag;
}

/* In one step: who opens the pin has the old one or the new one. */
static int repin(struct bpf_program *program, const char *pin_dir)
{
	char path[PATH_BYTES], temporary[PATH_BYTES];
	int error;

	pin_path(path, pin_dir, bpf_program__name(program));
	pin_path(temporary, pin_dir, "new");
	unlink(temporary);
	error = bpf_program__pin(program, temporary);
	if (error)
		return error;
	return rename(temporary, path) ? -errno : 0;
}

enum status programs_renew(const char *pin_dir)
{
	struct bpf_program *program;
	struct server_bpf *skeleton;
	enum status status = load_skeleton(pin_dir, &skeleton);
	int error = 0;

	if (status)
		return status;
	bpf_object__for_each_program(program, skeleton->obj)
	{
		if (!error)
			error = repin(program, pin_dir);
	}
	server_bpf__destroy(skeleton);
	return error ? fail(FAILED, "can't pin the server side's programs in '%s': %s", pin_dir,
			    strerror(-error))
		     : DONE;
}

void programs_unpin(const char *pin_dir)
{
	char path[PATH_BYTES];

	unpin_all(pin_dir);
	pin_path(path, pin_dir, "");
	rmdir(path);
}

static int open_pin(const char *pin_dir, enum server_program program, bool ethernet)
{
	char path[PATH_BYTES];

	pin_path(path, pin_dir, ethernet ? programs[program].ethernet : programs[program].l3);
	return bpf_obj_get(path);
}

static int put(const char *pin_dir, enum server_program program, uint32_t ifindex, bool ethernet,
	       uint32_t flags)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex, .attach_point = programs[program].point);
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = TC_HANDLE, .priority = TC_PRIORITY,
		    .flags = flags);
	int error;

	opts.prog_fd = open_pin(pin_dir, program, ethernet);
	if (opts.prog_fd < 0)
		return -errno;
	error = bpf_tc_attach(&hook, &opts);
	close(opts.prog_fd);
	return error;
}

int programs_attach(const char *pin_dir, enum server_program program, uint32_t ifindex,
		    bool ethernet)
{
	return put(pin_dir, program, ifindex, ethernet, 0);
}

int programs_replace(const char *pin_dir, enum server_program program, uint32_t ifindex,
		     bool ethernet)
{
	return put(pin_dir, program, ifindex, ethernet, BPF_TC_F_REPLACE);
}

bool programs_are_old(const char *pin_dir, enum server_program program, uint32_t ifindex,
		      bool ethernet)
{
	int pinned = open_pin(pin_dir, program, ethernet);
	int there = bpf_prog_get_fd_by_id(programs_on(program, ifindex));
	bool old = tag_of(pinned) != tag_of(there);

	if (pinned >= 0)
		close(pinned);
	if (there >= 0)
		close(there);
	return old;
}

int programs_detach(enum server_program program, uint32_t ifindex)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex, .attach_point = programs[program].point);
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = TC_HANDLE, .priority = TC_PRIORITY);

	return bpf_tc_detach(&hook, &opts);
}

uint32_t programs_on(enum server_program program, uint32_t ifindex)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex, .attach_point = programs[program].point);
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = TC_HANDLE, .priority = TC_PRIORITY);

	return bpf_tc_query(&hook, &opts) ? 0 : opts.prog_id;
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
