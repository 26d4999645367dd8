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
#include "server_maps.h"
#include "server_programs.h"
#include "server_switch.h"

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

/* The number goes last: who sees it finds the name. */
static void remember(struct server_state *state, int slot, uint32_t ifindex)
{
	snprintf(state->device_names[slot], SERVER_DEVICE_NAME_MAX, "%s",
		 device_name(ifindex).text);
	__atomic_store_n(&state->devices[slot], ifindex, __ATOMIC_RELEASE);
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
	remember(state, slot, ifindex);
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

static enum status complete(const char *pin_dir, struct server_state *state, uint32_t ifindex,
			    enum server_program program)
{
	if (!ifindex || programs_on(program, ifindex))
		return DONE;
	switch_judge(state);
	return put_program(pin_dir, ifindex, program);
}

enum status devices_complete(const char *pin_dir, struct server_state *state)
{
	enum status status = DONE;

	for (enum server_program program = SERVER_INGRESS; program <= SERVER_EGRESS; program++)
		for (int slot = 0; !status && slot < SERVER_DEVICES_MAX; slot++)
			status = complete(pin_dir, state, state->devices[slot], program);
	return status;
}

static int renew(const char *pin_dir, enum server_program program, uint32_t ifindex,
		 uint32_t *renewed)
{
	bool ethernet = link_of(device_name(ifindex).text) == LINK_ETHERNET;

	if (!programs_on(program, ifindex) ||
	    !programs_are_old(pin_dir, program, ifindex, ethernet))
		return 0;
	*renewed += 1;
	return programs_replace(pin_dir, program, ifindex, ethernet);
}

/* Ingress first: the maps are the same, so either understands what the other one does. */
enum status devices_renew(const char *pin_dir, const struct server_state *state, uint32_t *renewed)
{
	*renewed = 0;
	for (enum server_program program = SERVER_INGRESS; program <= SERVER_EGRESS; program++)
		for (int slot = 0; slot < SERVER_DEVICES_MAX; slot++) {
			int error = renew(pin_dir, program, state->devices[slot], renewed);

			if (error)
				return fail(FAILED, "can't replace the programs of '%s': %s",
					    device_name(state->devices[slot]).text,
					    strerror(-error));
		}
	return DONE;
}

void device_detach(struct server_state *state, int slot)
{
	programs_detach(SERVER_EGRESS, state->devices[slot]);
	programs_detach(SERVER_INGRESS, state->devices[slot]);
	release(state, slot);
}

/* 0, or -errno; ingress first, as ever. */
static int put_both(const char *pin_dir, struct server_state *state, int slot, uint32_t ifindex)
{
	bool ethernet = link_of(device_name(ifindex).text) == LINK_ETHERNET, was_there;
	int error = clsact_create(ifindex, &was_there);

	switch_judge(state);
	for (enum server_program program = SERVER_INGRESS; program <= SERVER_EGRESS; program++)
		if (!error && !programs_on(program, ifindex))
			error = programs_attach(pin_dir, program, ifindex, ethernet);
	if (error)
		return error;
	if (!was_there)
		state->clsact_was_there[slot] = 0;
	remember(state, slot, ifindex);
	return 0;
}

/* Under the lock: who attaches or detaches knows better what is to be there. 0 or -errno. */
static int mend(const char *pin_dir, struct server_state *state, int slot, uint32_t ifindex)
{
	uint32_t before = state->devices[slot];
	int lock = server_maps_try_lock(pin_dir);
	int error = -EWOULDBLOCK;

	if (lock < 0)
		return error;
	if (state->abi == SERVER_ABI && before && before == state->devices[slot])
		error = put_both(pin_dir, state, slot, ifindex);
	close(lock);
	return error;
}

/* The device and the programs are there, or were made to be. */
static void note_whole(struct device_guard *guard, uint32_t ifindex)
{
	guard->program = programs_on(SERVER_EGRESS, ifindex);
	guard->gone = guard->lost = guard->again = false;
}

static enum device_fate guard_bare(const char *pin_dir, struct server_state *state, int slot,
				   uint32_t ifindex, struct device_guard *guard)
{
	int error = mend(pin_dir, state, slot, ifindex);
	bool said = guard->lost;

	guard->again = error;
	guard->lost = said || (error && error != -EWOULDBLOCK);
	if (error)
		return guard->lost && !said ? DEVICE_LOST : DEVICE_AS_BEFORE;
	note_whole(guard, ifindex);
	return DEVICE_MENDED;
}

static enum device_fate guard_missing(const char *pin_dir, struct server_state *state, int slot,
				      struct device_guard *guard)
{
	uint32_t ifindex = if_nametoindex(guard->name);
	bool said = guard->gone;
	enum device_fate fate;

	guard->gone = guard->again = true;
	if (!ifindex || device_slot(state, ifindex) >= 0)
		return said ? DEVICE_AS_BEFORE : DEVICE_GONE;
	fate = guard_bare(pin_dir, state, slot, ifindex, guard);
	return fate == DEVICE_MENDED ? DEVICE_BACK : fate;
}

/* A device that was given another name will come back under that one. */
static void keep_name(struct server_state *state, int slot, const struct device_guard *guard)
{
	if (strncmp(state->device_names[slot], guard->name, SERVER_DEVICE_NAME_MAX))
		memcpy(state->device_names[slot], guard->name, SERVER_DEVICE_NAME_MAX);
}

enum device_fate device_guard(const char *pin_dir, struct server_state *state, int slot,
			      struct device_guard *guard)
{
	uint32_t ifindex = state->devices[slot], before = guard->program;

	memcpy(guard->name, state->device_names[slot], sizeof(guard->name));
	if (!if_indextoname(ifindex, guard->name))
		return guard_missing(pin_dir, state, slot, guard);
	keep_name(state, slot, guard);
	if (!programs_on(SERVER_INGRESS, ifindex) || !programs_on(SERVER_EGRESS, ifindex))
		return guard_bare(pin_dir, state, slot, ifindex, guard);
	note_whole(guard, ifindex);
	return before && before != guard->program ? DEVICE_UPGRADED : DEVICE_AS_BEFORE;
}
