// SPDX-License-Identifier: GPL-2.0-only
/* server attach: from a configuration and a list of devices to stamps and keys. */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../include/stamp.h"
#include "bpffs.h"
#include "netns.h"
#include "overhead.h"
#include "server_commands.h"
#include "server_connections.h"
#include "server_devices.h"
#include "server_identity.h"
#include "server_maps.h"
#include "server_programs.h"
#include "server_switch.h"
#include "stamp_offset.h"
#include "sysctls.h"

struct request {
	struct device_list devices;
	uint32_t index;
	struct config *config;
};

static enum status parse_request(struct words *words, struct request *request)
{
	enum status status = words_device(words, &request->devices);
	uint64_t index;

	while (!status && words->count) {
		if (!words_take(words, "index")) {
			status = words_device(words, &request->devices);
			continue;
		}
		status = words_number(words, "index", 0, MAX_BACKENDS - 1, &index);
		if (!status)
			request->index = index;
		return status ? status : words_end(words);
	}
	return status;
}

static enum status read_request(struct words *words, struct request *request)
{
	const char *file = options.config_file ? options.config_file : CONFIG_FILE_DEFAULT;
	enum status status = parse_request(words, request);

	if (status)
		return status;
	request->config = config_new();
	status = config_read(file, request->config);
	return status ? status : identity_find(request->config, &request->index);
}

static enum status add_services(struct server_maps *maps, const struct request *request)
{
	for (size_t i = 0; i < request->config->service_count; i++) {
		const struct config_service *service = &request->config->services[i];
		int error;

		if (!service->weight[request->index])
			continue;
		error = server_maps_add_service(maps, &service->address, htons(service->port));
		if (error)
			return fail(FAILED, "can't note a service: %s", strerror(-error));
	}
	return DONE;
}

static enum status remember_sysctls(struct server_state *state)
{
	if (sysctl_read(SYSCTL_SYNCOOKIES, &state->syncookies_before))
		return fail(FAILED, "can't read the sysctl " SYSCTL_SYNCOOKIES);
	if (sysctl_read(SYSCTL_TIMESTAMPS, &state->timestamps_before))
		return fail(FAILED, "can't read the sysctl " SYSCTL_TIMESTAMPS);
	return DONE;
}

static void fill_tunnel(struct server_state *state, const struct config_backend *backend)
{
	state->address = backend->address;
	state->forward = backend->forward;
	state->overhead = overhead_of(backend);
}

static enum status fill_state(struct server_state *state, const struct request *request)
{
	enum status status = stamp_offset_of_boot(request->config->strict_clock, &state->offset);

	if (!status)
		status = remember_sysctls(state);
	if (status)
		return status;
	state->netns = netns_cookie();
	state->index = request->index;
	state->index_bits = request->config->index_bits;
	state->constant = stamp_constant(state->offset, state->index, state->index_bits);
	state->joins_max = SERVER_JOINS_MAX;
	fill_tunnel(state, &request->config->backends[state->index]);
	return DONE;
}

/* With abi set it counts as attached, and a further attach adds no services. */
static enum status attach_first(struct server_maps *maps, const struct request *request)
{
	struct server_state *state = server_maps_state(maps);
	enum status status = fill_state(state, request);

	if (!status)
		status = add_services(maps, request);
	if (status)
		return status;
	__atomic_store_n(&state->abi, SERVER_ABI, __ATOMIC_RELEASE);
	switch_prepare(state);
	status = devices_attach(options.pin_dir, state, &request->devices);
	return status ? status : switch_on(maps);
}

static enum status attach_fresh(const struct request *request)
{
	struct server_maps *maps;
	enum status status = programs_load(options.pin_dir);

	if (status)
		return status;
	status = server_maps_open_new(options.pin_dir, &maps);
	if (status)
		return status;
	status = attach_first(maps, request);
	if (status)
		server_remove(server_maps_state(maps));
	server_maps_close(maps);
	return status;
}

static void find_new_devices(const struct server_state *state, const struct device_list *wanted,
			     struct device_list *missing)
{
	for (size_t i = 0; i < wanted->count; i++)
		if (device_slot(state, wanted->ifindex[i]) < 0)
			missing->ifindex[missing->count++] = wanted->ifindex[i];
}

/* The programs of this build in the place of an older one's, under living connections. */
static enum status upgrade(struct server_state *state, uint32_t ifindex)
{
	uint32_t renewed = 0;
	enum status status = programs_renew(options.pin_dir);

	if (!status)
		status = devices_complete(options.pin_dir, state);
	if (!status)
		status = devices_renew(options.pin_dir, state, &renewed);
	if (!status && !renewed)
		return fail(FAILED,
			    "the server side is on the device '%s' already, and it is this version",
			    device_name(ifindex).text);
	return status;
}

/*
 * Nothing tells which of the living connections run through a further device, where they were
 * not stamped so far.
 */
static enum status refuse_living(struct server_maps *maps, uint32_t ifindex)
{
	struct connections_living living;
	enum status status = connections_count(maps, &living);

	if (!status && living.all)
		return fail(FAILED,
			    "the services have %u living connections, and those through '%s' would "
			    "break: detach the server side, and attach it to all devices at once",
			    living.all, device_name(ifindex).text);
	return status;
}

/* A further device, an upgrade, or the way back from an attach or detach that did not end. */
static enum status attach_more(struct server_maps *maps, const struct request *request)
{
	struct server_state *state = server_maps_state(maps);
	struct device_list missing = {};
	enum status status = DONE;

	if (state->index != request->index || state->index_bits != request->config->index_bits)
		return fail(FAILED,
			    "the server side is attached with index %u of %u bits: detach it first",
			    state->index, state->index_bits);
	find_new_devices(state, &request->devices, &missing);
	if (state->replacing && !missing.count)
		return upgrade(state, request->devices.ifindex[0]);
	if (state->replacing)
		status = refuse_living(maps, missing.ifindex[0]);
	if (!status)
		status = devices_attach(options.pin_dir, state, &missing);
	if (status || state->replacing)
		return status;
	status = devices_complete(options.pin_dir, state);
	if (!status)
		status = switch_on(maps);
	return status;
}

static enum status attach(const struct request *request)
{
	char directory[4096];
	struct server_maps *maps;
	enum status status;
	int lock;

	snprintf(directory, sizeof(directory), "%s/server", options.pin_dir);
	status = bpffs_prepare(directory);
	if (!status)
		status = server_maps_lock(options.pin_dir, &lock);
	if (status)
		return status;
	if (server_maps_attached(options.pin_dir)) {
		status = server_maps_open(options.pin_dir, &maps);
		if (!status) {
			status = attach_more(maps, request);
			server_maps_close(maps);
		}
	} else {
		status = attach_fresh(request);
	}
	close(lock);
	return status;
}

enum status server_attach(struct words *words)
{
	struct request request = { .index = INDEX_UNKNOWN };
	enum status status = read_request(words, &request);

	if (!status)
		status = attach(&request);
	if (request.config)
		config_free(request.config);
	return status;
}
