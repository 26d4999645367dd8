// SPDX-License-Identifier: GPL-2.0-only
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <xdp/libxdp.h>

#include "dispatcher.h"
#include "balancer_programs.h"

static int say_nothing(enum libxdp_print_level level, const char *format, va_list arguments)
{
	(void)level;
	(void)format;
	(void)arguments;
	return 0;
}

/*
 * A program that is loaded as such can't go behind the dispatcher, for it becomes part of
 * it. So there it is loaded anew, with the maps that are pinned, and alone of its object.
 */
static struct lb_bpf *open_object(const char *wanted)
{
	struct lb_bpf *skeleton = balancer_open();
	struct bpf_program *program;

	if (skeleton)
		bpf_object__for_each_program(program, skeleton->obj) bpf_program__set_autoload(
			program, !strcmp(bpf_program__name(program), wanted));
	return skeleton;
}

static int attach(const struct lb_bpf *skeleton, uint32_t ifindex, bool generic, const char *name)
{
	DECLARE_LIBXDP_OPTS(xdp_program_opts, program_options, .obj = skeleton->obj,
			    .prog_name = name);
	struct xdp_program *program = xdp_program__create(&program_options);
	int err = libxdp_get_error(program);

	if (err)
		return err;
	if (!strcmp(name, "lb_frags"))
		xdp_program__set_xdp_frags_support(program, true);
	err = xdp_program__attach(program, ifindex, generic ? XDP_MODE_SKB : XDP_MODE_NATIVE, 0);
	xdp_program__close(program);
	return err;
}

int dispatcher_attach(uint32_t ifindex, bool generic, const char *program)
{
	struct lb_bpf *skeleton;
	int err;

	libxdp_set_print(say_nothing);
	skeleton = open_object(program);
	if (!skeleton)
		return -errno;
	err = attach(skeleton, ifindex, generic, program);
	lb_bpf__destroy(skeleton);
	return err;
}

int dispatcher_detach(uint32_t ifindex, bool generic, uint32_t id)
{
	struct xdp_program *program;
	int err;

	libxdp_set_print(say_nothing);
	program = xdp_program__from_id(id);
	err = libxdp_get_error(program);
	if (err)
		return err;
	err = xdp_program__detach(program, ifindex, generic ? XDP_MODE_SKB : XDP_MODE_NATIVE, 0);
	xdp_program__close(program);
	return err;
}

int dispatcher_programs(uint32_t ifindex, uint32_t programs[static DISPATCHER_PROGRAMS_MAX])
{
	struct xdp_program *program = NULL;
	struct xdp_multiprog *dispatcher;
	int count = 0;

	libxdp_set_print(say_nothing);
	dispatcher = xdp_multiprog__get_from_ifindex(ifindex);
	if (libxdp_get_error(dispatcher))
		return 0;
	while (count < DISPATCHER_PROGRAMS_MAX &&
	       (program = xdp_multiprog__next_prog(program, dispatcher)))
		programs[count++] = xdp_program__id(program);
	xdp_multiprog__close(dispatcher);
	return count;
}
