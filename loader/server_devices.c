// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server_devices.h"
#include "server_programs.h"

enum link { LINK_ETHERNET, LINK_NONE, LINK_OTHER };

static enum link link_of_type(uint16_t type)
{
	switch (type) {
	case ARPHRD_ETHER:
		return LINK_ETHERNET;
	case ARPHRD_NONE: /* tun, WireGuard */
	case ARPHRD_TUNNEL:
	case ARPHRD_TUNNEL6:
	case ARPHRD_SIT:
		return LINK_NONE;
	}
	return LINK_OTHER;
}

static enum link link_of(const char *name)
{
	struct ifreq request = {};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	enum link link = LINK_OTHER;

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	if (fd >= 0 && !ioctl(fd, SIOCGIFHWADDR, &request))
		link = link_of_type(request.ifr_hwaddr.sa_family);
	if (fd >= 0)
		close(fd);
	return link;
}

static enum status take_name(struct words *words, const char **name)
{
	if (!words_take(words, "dev"))
		return words->count ? fail(USAGE, "expected 'dev DEV', not '%s'", words->at[0])
				    : fail(USAGE, "expected 'dev DEV'");
	*name = words_next(words);
	return *name ? DONE : fail(USAGE, "dev needs the name of a device");
}

static enum status add_to_list(struct device_list *devices, uint32_t ifindex, const char *name)
{
	for (size_t i = 0; i < devices->count; i++)
		if (devices->ifindex[i] == ifindex)
			return fail(USAGE, "the device '%s' is named twice", name);
	if (devices->count == SERVER_DEVICES_MAX)
		return fail(USAGE, "no more than %d devices", SERVER_DEVICES_MAX);
	devices->ifindex[devices->count++] = ifindex;
	return DONE;
}

enum status words_device(struct words *words, struct device_list *devices)
{
	const char *name;
	enum status status = take_name(words, &name);
	uint32_t ifindex;

	if (status)
		return status;
	ifindex = if_nametoindex(name);
	if (!ifindex)
		return fail(FAILED, "there is no device '%s'", name);
	if (link_of(name) == LINK_OTHER)
		return fail(FAILED, "the device '%s' is neither Ethernet nor an IP tunnel", name);
	return add_to_list(devices, ifindex, name);
}

enum status words_attached_device(struct words *words, struct device_list *devices)
{
	const char *name;
	enum status status = take_name(words, &name);
	uint32_t ifindex;
	char *end = "";

	if (status)
		return status;
	ifindex = if_nametoindex(name);
	if (!ifindex)
		ifindex = strtoul(name, &end, 10);
	if (!ifindex || *end)
		return fail(FAILED, "there is no device '%s'", name);
	return add_to_list(devices, ifindex, name);
}

struct device_name device_name(uint32_t ifindex)
{
	struct device_name name;

	if (!if_indextoname(ifindex, name.text))
		snprintf(name.text, sizeof(name.text), "%u", ifindex);
	return name;
}

int device_slot(const struct server_state *state, uint32_t ifindex)
{
	for (int slot = 0; slot < SERVER_DEVICES_MAX; slot++)
		if (state->devices[slot] == ifindex)
			return slot;
	return -1;
}

static enum status add_device(struct server_state *state, uint32_t ifindex)
{
	int slot = device_slot(state, 0), error;
	bool was_there;

	if (slot < 0)
		return fail(FAILED, "the server side is on %d devices already: there is no room",
			    SERVER_DEVICES_MAX);
	error = clsact_create(ifindex, &was_there);
	if (error)
		return fail(FAILED, "can't give the device '%s' a clsact qdisc: %s",
			    device_name(ifindex).text, strerror(-error));
	state->clsact_was_there[slot] = was_there;
	state->devices[slot] = ifindex;
	return DONE;
}

static void release(struct server_state *state, int slot)
{
	if (!state->clsact_was_there[slot])
		clsact_destroy(state->devices[slot]);
	state->devices[slot] = 0;
}

static enum status put_program(const char *pin_dir, uint32_t ifindex, enum server_program program)
{
	bool ethernet = link_of(device_name(ifindex).text) == LINK_ETHERNET;
	int error = programs_attach(pin_dir, program, ifindex, ethernet);

	if (error == -EEXIST)
		return fail(FAILED, "the device '%s' has a server side from elsewhere already",
			    device_name(ifindex).text);
	if (error)
		return fail(FAILED, "can't attach to the device '%s': %s",
			    device_name(ifindex).text, strerror(-error));
	return DONE;
}

enum status devices_attach(const char *pin_dir, struct server_state *state,
			   const struct device_list *devices)
{
	enum status status = DONE;
	size_t added = 0, ingress = 0, egress = 0;

	while (!status && added < devices->count) {
		status = add_device(state, devices->ifindex[added]);
		added += !status;
	}
	while (!status && ingress < devices->count) {
		status = put_program(pin_dir, devices->ifindex[ingress], SERVER_INGRESS);
		ingress += !status;
	}
	while (!status && egress < devices->count) {
		status = put_program(pin_dir, devices->ifindex[egress], SERVER_EGRESS);
		egress += !status;
	}
	if (!status)
		return DONE;
	while (egress > 0)
		programs_detach(SERVER_EGRESS, devices->ifindex[--egress]);
	while (ingress > 0)
		programs_detach(SERVER_INGRESS, devices->ifindex[--ingress]);
	while (added > 0)
		release(state, device_slot(state, devices->ifindex[--added]));
	return status;
}

enum status devices_complete(const char *pin_dir, const struct server_state *state)
{
	enum status status = DONE;

	for (enum server_program program = SERVER_INGRESS; program <= SERVER_EGRESS; program++)
		for (int slot = 0; !status && slot < SERVER_DEVICES_MAX; slot++)
			if (state->devices[slot] && !programs_are_on(program, state->devices[slot]))
				status = put_program(pin_dir, state->devices[slot], program);
	return status;
}

void device_detach(struct server_state *state, int slot)
{
	programs_detach(SERVER_EGRESS, state->devices[slot]);
	programs_detach(SERVER_INGRESS, state->devices[slot]);
	release(state, slot);
}
