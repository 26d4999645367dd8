// SPDX-License-Identifier: GPL-2.0-only
/* server show: the server side as it runs. */
#include <arpa/inet.h>

#include "address.h"
#include "report.h"
#include "server_commands.h"
#include "server_connections.h"
#include "server_devices.h"
#include "server_maps.h"
#include "synchronised.h"
#include "sysctls.h"

#define COUNTER_NAME(name, words) #name,
static const char *const counter_names[] = { SERVER_COUNTERS(COUNTER_NAME) };
#undef COUNTER_NAME

static const char *phase(const struct server_state *state)
{
	if (state->recording)
		return "switching";
	return state->stamping ? "stamping" : "draining";
}

static struct json_object *show_devices(const struct server_state *state)
{
	struct json_object *list = json_object_new_array();

	for (int slot = 0; slot < SERVER_DEVICES_MAX; slot++) {
		struct json_object *row;

		if (!state->devices[slot])
			continue;
		row = json_object_new_object();
		report_text(row, "dev", device_name(state->devices[slot]).text);
		json_object_array_add(list, row);
	}
	return list;
}

static void show_service(const struct server_service *service, void *list)
{
	struct json_object *row = json_object_new_object();

	report_text(row, "address", address_print(&service->address).text);
	report_number(row, "port", ntohs(service->port));
	json_object_array_add(list, row);
}

static struct json_object *show_services(struct server_maps *maps)
{
	struct json_object *list = json_object_new_array();

	server_maps_each_service(maps, show_service, list);
	return list;
}

static struct json_object *show_sysctls(void)
{
	static const char *const names[] = { SYSCTL_SYNCOOKIES, SYSCTL_TIMESTAMPS,
					     SYSCTL_MPTCP_ENABLED };
	struct json_object *object = json_object_new_object();
	uint32_t value;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!sysctl_read(names[i], &value))
			report_number(object, names[i], value);
	return object;
}

static struct json_object *show_counters(struct server_maps *maps)
{
	struct json_object *object = json_object_new_object();
	uint64_t sums[SERVER_COUNTER_COUNT];

	if (server_maps_counters(maps, sums))
		return object;
	for (int counter = 0; counter < SERVER_COUNTER_COUNT; counter++)
		report_number(object, counter_names[counter], sums[counter]);
	return object;
}

/* Both are taken off at the address, whichever the configuration says. */
static void show_tunnel(struct json_object *object, const struct server_state *state)
{
	static const char *const words[] = { [FORWARD_IPIP] = "ipip", [FORWARD_GUE] = "gue" };

	report_text(object, "address", address_print(&state->address).text);
	if (!state->overhead)
		return;
	report_text(object, "decapsulates", words[state->forward]);
	report_add(object, "mss", json_object_new_int(-(int)state->overhead));
}

static struct json_object *show(struct server_maps *maps, const struct connections_living *living)
{
	const struct server_state *state = server_maps_state(maps);
	struct json_object *object = json_object_new_object();

	report_number(object, "index", state->index);
	report_number(object, "index-bits", state->index_bits);
	show_tunnel(object, state);
	report_text(object, "phase", phase(state));
	report_number(object, state->stamping ? "exempt" : "stamped",
		      state->stamping ? living->exempt : living->stamped);
	report_number(object, "keys-queued", server_maps_keys_queued(maps));
	report_number(object, "keys-room", state->keys_room);
	report_number(object, "keys-reserve", state->keys_reserve);
	report_add(object, "run", json_object_new_boolean(server_maps_queue_is_claimed(maps)));
	report_number(object, "stamp-offset", state->offset);
	report_text(object, "clock", clock_is_synchronised() ? "synchronised" : "unsynchronised");
	report_add(object, "devices", show_devices(state));
	report_add(object, "services", show_services(maps));
	report_add(object, "sysctls", show_sysctls());
	report_add(object, "counters", show_counters(maps));
	return object;
}

enum status server_show(struct words *words)
{
	struct connections_living living;
	enum status status = words_end(words);
	struct server_maps *maps;

	if (!status)
		status = server_maps_open(options.pin_dir, &maps);
	if (status)
		return status;
	status = connections_count(maps, &living);
	if (!status)
		report(show(maps, &living));
	server_maps_close(maps);
	return status;
}
