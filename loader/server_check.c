// SPDX-License-Identifier: GPL-2.0-only
/* server check: what keeps this host from being a good backend, one finding a line. */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../include/stamp.h"
#include "address.h"
#include "config.h"
#include "server_commands.h"
#include "server_devices.h"
#include "server_identity.h"
#include "server_maps.h"
#include "server_programs.h"
#include "sockets.h"
#include "stamp_offset.h"
#include "synchronised.h"
#include "sysctls.h"

#define FINDING_BYTES 256

static void __attribute__((format(printf, 2, 3)))
find(struct json_object *findings, const char *format, ...)
{
	char finding[FINDING_BYTES];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(finding, sizeof(finding), format, arguments);
	va_end(arguments);
	json_object_array_add(findings, json_object_new_string(finding));
}

static void check_sysctl(struct json_object *findings, const char *name, uint32_t wanted)
{
	uint32_t value;

	if (sysctl_read(name, &value))
		find(findings, "the kernel has no sysctl %s", name);
	else if (value != wanted)
		find(findings, "the sysctl %s is %u and must be %u", name, value, wanted);
}

static void check_devices(struct json_object *findings, const struct server_state *state)
{
	char name[IF_NAMESIZE];

	for (int slot = 0; slot < SERVER_DEVICES_MAX; slot++) {
		uint32_t ifindex = state->devices[slot];

		if (ifindex && !if_indextoname(ifindex, name))
			find(findings, "the device with the number %u is gone", ifindex);
		else if (ifindex && (!programs_are_on(SERVER_INGRESS, ifindex) ||
				     !programs_are_on(SERVER_EGRESS, ifindex)))
			find(findings, "the programs are gone from the device '%s'", name);
	}
}

static void check_state(struct json_object *findings, const struct server_state *state)
{
	int32_t drift = stamp_offset_now() - state->offset;

	if (!state->stamping)
		find(findings, "new connections get no stamps: a detach has begun");
	else if (!state->replacing)
		find(findings, "new connections get no keys: an attach or detach has stopped "
			       "half-way");
	if (abs(drift) > (int32_t)stamp_clock_error_ms(state->index_bits))
		find(findings,
		     "the clock was set by %d s since the stamps of this boot began: they name "
		     "other backends until the host is booted anew",
		     drift / 1000);
}

static void check_queue(struct json_object *findings, struct server_maps *maps)
{
	if (!server_maps_queue_is_claimed(maps))
		find(findings, "'server run' is not running: nothing refills the queue of keys");
	if (!server_maps_keys_queued(maps))
		find(findings, "the queue of keys is empty: new connections lose their joins");
}

static void check_tunnel(struct json_object *findings, struct server_maps *maps)
{
	uint64_t sums[SERVER_COUNTER_COUNT];

	if (!server_maps_counters(maps, sums) && sums[SERVER_tunnel_refused])
		find(findings,
		     "%" PRIu64 " tunnelled packets could not be unwrapped and were dropped: GRO "
		     "must not merge UDP, see 'ethtool -K DEV rx-udp-gro-forwarding off'",
		     sums[SERVER_tunnel_refused]);
}

struct listener_walk {
	const struct server_service *service;
	bool found, found_mptcp;
};

static void note_listener(const struct address *address, __be16 port, bool is_mptcp, void *context)
{
	static const struct address any_v4 = { .bytes = { [10] = 0xff, [11] = 0xff } }, any_v6;
	struct listener_walk *walk = context;
	const struct address *wanted = &walk->service->address;
	const struct address *any = address_is_v4(wanted) ? &any_v4 : &any_v6;

	if (port != walk->service->port ||
	    (!address_equal(address, wanted) && !address_equal(address, any)))
		return;
	walk->found = true;
	walk->found_mptcp |= is_mptcp;
}

static void check_service(const struct server_service *service, void *findings)
{
	struct listener_walk walk = { .service = service };
	struct address_text address = address_print(&service->address);
	int error = sockets_each_listener(note_listener, &walk);

	if (!identity_has_address(&service->address))
		find(findings, "this host does not have the service address %s", address.text);
	if (error)
		find(findings, "can't list the listeners: %s", strerror(-error));
	else if (!walk.found)
		find(findings, "nothing listens on %s port %u", address.text, ntohs(service->port));
	else if (!walk.found_mptcp)
		find(findings, "what listens on %s port %u does not speak MPTCP", address.text,
		     ntohs(service->port));
}

static void compare(struct json_object *findings, struct server_maps *maps,
		    const struct config *config)
{
	const struct server_state *state = server_maps_state(maps);

	if (config->index_bits != state->index_bits)
		find(findings,
		     "the configuration has index-bits %u, and the server side was attached with "
		     "%u: detach and attach",
		     config->index_bits, state->index_bits);
	for (size_t i = 0; i < config->service_count; i++) {
		const struct config_service *service = &config->services[i];

		if (service->weight[state->index] &&
		    !server_maps_is_service(maps, &service->address, htons(service->port)))
			find(findings,
			     "the configuration has service %s port %u, which is not stamped: "
			     "detach and attach",
			     address_print(&service->address).text, service->port);
	}
}

/* A host may have none, unless one is named. */
static enum status check_configuration(struct json_object *findings, struct server_maps *maps)
{
	const char *file = options.config_file ? options.config_file : CONFIG_FILE_DEFAULT;
	struct config *config;
	enum status status;

	if (!options.config_file && access(file, F_OK))
		return DONE;
	config = config_new();
	status = config_read(file, config);
	if (!status)
		compare(findings, maps, config);
	config_free(config);
	return status;
}

static enum status check_attachment(struct json_object *findings)
{
	struct server_maps *maps;
	enum status status = server_maps_open(options.pin_dir, &maps);

	if (status)
		return status;
	check_sysctl(findings, SYSCTL_SYNCOOKIES, SYNCOOKIES_ALWAYS);
	check_sysctl(findings, SYSCTL_TIMESTAMPS, TIMESTAMPS_NO_OFFSET);
	check_state(findings, server_maps_state(maps));
	check_devices(findings, server_maps_state(maps));
	check_queue(findings, maps);
	check_tunnel(findings, maps);
	server_maps_each_service(maps, check_service, findings);
	status = check_configuration(findings, maps);
	server_maps_close(maps);
	return status;
}

static enum status print_findings(struct json_object *findings)
{
	size_t count = json_object_array_length(findings);
	struct json_object *object = json_object_new_object();

	json_object_object_add(object, "version", json_object_new_int(1));
	json_object_object_add(object, "findings", json_object_get(findings));
	if (options.json)
		puts(json_object_to_json_string_ext(object, JSON_C_TO_STRING_SPACED));
	for (size_t i = 0; !options.json && i < count; i++)
		puts(json_object_get_string(json_object_array_get_idx(findings, i)));
	json_object_put(object);
	return count ? FAILED : DONE;
}

enum status server_check(struct words *words)
{
	struct json_object *findings;
	enum status status = words_end(words);

	if (status)
		return status;
	findings = json_object_new_array();
	check_sysctl(findings, SYSCTL_MPTCP_ENABLED, 1);
	errno = 0;
	if (server_maps_attached(options.pin_dir))
		status = check_attachment(findings);
	else if (errno == EPERM || errno == EACCES)
		status = fail(FAILED, "this needs root");
	else
		find(findings, "the server side is not attached");
	if (!status && !clock_is_synchronised())
		warn("the clock is not synchronised");
	if (!status)
		status = print_findings(findings);
	json_object_put(findings);
	return status;
}
