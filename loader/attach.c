// SPDX-License-Identifier: GPL-2.0-only
/* attach and detach: the XDP program on and off a device. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "attachment.h"
#include "cmd.h"
#include "dispatcher.h"
#include "pins.h"
#include "report.h"

struct target {
	const char *name;
	uint32_t ifindex;
	bool generic;
	int libxdp_error; /* why there is no dispatcher; 0: libxdp found that the kernel can't */
};

static enum status find_device(struct words *words, struct target *target)
{
	if (!words_take(words, "dev"))
		return words->count ? fail(USAGE, "expected 'dev DEV', not '%s'", words->at[0])
				    : fail(USAGE, "say which device: 'dev DEV'");
	target->name = words_next(words);
	if (!target->name)
		return fail(USAGE, "dev needs the name of a device");
	target->ifindex = if_nametoindex(target->name);
	return target->ifindex ? DONE : fail(FAILED, "there is no device '%s'", target->name);
}

/*
 * Behind libxdp's dispatcher where that is possible. Else the pinned program itself is
 * attached, also in place of the copy that libxdp falls back to without a word.
 */
static int attach_program(struct target *target, const char *program)
{
	int err = dispatcher_attach(target->ifindex, target->generic, program);
	struct attachment attachment;

	target->libxdp_error = err;
	if (attachment_query(target->ifindex, &attachment) && attachment.dispatcher)
		return err;
	return attachment_put(target->ifindex, target->generic, program, attachment.ours);
}

static void print_attached(const struct target *target, const struct attachment *attachment)
{
	const char *skip = getenv("LIBXDP_SKIP_DISPATCHER");

	printf("attached to %s, %s, ", target->name, attachment_mode(attachment));
	if (attachment->dispatcher)
		puts("behind libxdp's dispatcher");
	else if (skip && !strcmp(skip, "1"))
		puts("alone, as LIBXDP_SKIP_DISPATCHER says");
	else if (target->libxdp_error)
		printf("alone: libxdp fails (%s)\n", strerror(-target->libxdp_error));
	else
		puts("alone: the kernel refuses libxdp's dispatcher");
}

static void report_attached(const struct target *target, const struct attachment *attachment)
{
	struct json_object *object = json_object_new_object();

	report_text(object, "dev", target->name);
	report_text(object, "mode", attachment_mode(attachment));
	report_add(object, "dispatcher", json_object_new_boolean(attachment->dispatcher));
	report(object);
}

static enum status say_why_not(const struct target *target, int err)
{
	struct attachment attachment;

	if (attachment_query(target->ifindex, &attachment) && attachment.dispatcher)
		return fail(FAILED, "libxdp can't add the balancer to its dispatcher on %s: %s",
			    target->name, strerror(-err));
	if (err == -EPERM || err == -EACCES)
		return fail(FAILED, "can't attach to %s: this needs root", target->name);
	if (target->generic)
		return fail(FAILED, "can't attach to %s: %s", target->name, strerror(-err));
	return fail(FAILED,
		    "%s does not take XDP programs in native mode (%s); 'generic' works on "
		    "any device, slowly",
		    target->name, strerror(-err));
}

static enum status check_programs(void)
{
	bool has_first = pin_exists("lb"), has_second = pin_exists("lb_frags");

	if (has_first && has_second)
		return DONE;
	if (has_first || has_second)
		return fail(NOT_LOADED, "the program '%s/%s' is missing: 'unload' and 'load' again",
			    options.pin_dir, has_first ? "lb_frags" : "lb");
	return fail(NOT_LOADED,
		    "no program is pinned at '%s': whoever pinned the maps there has to attach it",
		    options.pin_dir);
}

/* The second program is for devices whose MTU the first can't take. */
static enum status attach(struct target *target)
{
	enum status status = check_programs();
	struct attachment attachment;
	int err;

	if (status)
		return status;
	err = attach_program(target, "lb");
	if (err && err != -EPERM)
		err = attach_program(target, "lb_frags");
	if (err)
		return say_why_not(target, err);
	if (!attachment_query(target->ifindex, &attachment) || !attachment.ours)
		return fail(FAILED, "%s lost the program at once", target->name);
	if (options.json)
		report_attached(target, &attachment);
	else
		print_attached(target, &attachment);
	return DONE;
}

static enum status attach_unless_occupied(struct target *target)
{
	struct attachment attachment;

	if (!attachment_query(target->ifindex, &attachment))
		return attach(target);
	if (attachment.ours)
		return fail(FAILED, "the balancer is attached to %s already, in %s mode",
			    target->name, attachment_mode(&attachment));
	if (!attachment.dispatcher)
		return fail(FAILED,
			    "%s has another XDP program already, which is not behind libxdp's "
			    "dispatcher",
			    target->name);
	if (attachment.generic != target->generic)
		return fail(FAILED, "%s has another XDP program already, in %s mode", target->name,
			    attachment_mode(&attachment));
	return attach(target);
}

enum status cmd_attach(struct words *words)
{
	struct target target = {};
	enum status status = find_device(words, &target);
	int lock;

	target.generic = words_take(words, "generic");
	if (!target.generic)
		words_take(words, "native");
	if (!status)
		status = words_end(words);
	if (!status)
		status = pins_lock(options.pin_dir, &lock);
	if (status)
		return status;
	status = attach_unless_occupied(&target);
	close(lock);
	return status;
}

static int detach_alone(const struct target *target, const struct attachment *attachment)
{
	LIBBPF_OPTS(bpf_xdp_attach_opts, detach_options);
	uint32_t flags = attachment->generic ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE;
	int fd = bpf_prog_get_fd_by_id(attachment->ours), err;

	if (fd < 0)
		return -errno;
	detach_options.old_prog_fd = fd;
	err = bpf_xdp_detach(target->ifindex, flags, &detach_options);
	close(fd);
	return err;
}

static enum status detach(const struct target *target)
{
	struct attachment attachment;
	int err;

	if (!attachment_query(target->ifindex, &attachment))
		return fail(FAILED, "no XDP program is attached to %s", target->name);
	if (!attachment.ours)
		return fail(FAILED, "the XDP program on %s is not the one loaded at '%s'",
			    target->name, options.pin_dir);
	err = attachment.dispatcher
		      ? dispatcher_detach(target->ifindex, attachment.generic, attachment.ours)
		      : detach_alone(target, &attachment);
	return err ? fail(FAILED, "can't detach from %s: %s", target->name, strerror(-err)) : DONE;
}

enum status cmd_detach(struct words *words)
{
	struct target target = {};
	enum status status = find_device(words, &target);
	int lock;

	if (!status)
		status = words_end(words);
	if (!status)
		status = pins_lock(options.pin_dir, &lock);
	if (status)
		return status;
	status = detach(&target);
	close(lock);
	return status;
}
