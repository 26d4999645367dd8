// SPDX-License-Identifier: GPL-2.0-only
#include <net/if.h>
#include <stdio.h>
#include <time.h>

#include "address.h"
#include "report.h"

#define CLOCK_STEP_MAX_MS 3600000

static void print_lists(struct json_object *object, int depth);

static const char *plain(struct json_object *value)
{
	if (json_object_is_type(value, json_type_boolean))
		return json_object_get_boolean(value) ? "on" : "off";
	return json_object_get_string(value);
}

static bool is_nested(struct json_object *value)
{
	return json_object_is_type(value, json_type_array) ||
	       json_object_is_type(value, json_type_object);
}

static void print_plain(struct json_object *object, int depth)
{
	bool first = true;

	json_object_object_foreach(object, key, value)
	{
		if (is_nested(value))
			continue;
		printf("%*s%s %s", first ? depth * 4 : 1, "", key, plain(value));
		first = false;
	}
	if (!first)
		putchar('\n');
}

static void print_object(struct json_object *object, int depth)
{
	print_plain(object, depth);
	print_lists(object, depth + 1);
}

static void print_list(const char *key, struct json_object *list, int depth)
{
	size_t length = json_object_array_length(list);

	if (!length)
		return;
	printf("%*s%s:\n", depth * 4, "", key);
	for (size_t i = 0; i < length; i++)
		print_object(json_object_array_get_idx(list, i), depth + 1);
}

static void print_lists(struct json_object *object, int depth)
{
	json_object_object_foreach(object, key, value)
	{
		if (json_object_is_type(value, json_type_array)) {
			print_list(key, value, depth);
		} else if (json_object_is_type(value, json_type_object)) {
			printf("%*s%s:\n", depth * 4, "", key);
			print_object(value, depth + 1);
		}
	}
}

void report(struct json_object *object)
{
	struct json_object *versioned;

	if (options.json) {
		versioned = json_object_new_object();
		report_number(versioned, "version", 1);
		json_object_object_foreach(object, key, value)
			report_add(versioned, key, json_object_get(value));
		puts(json_object_to_json_string_ext(
			versioned, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE));
		json_object_put(versioned);
	} else {
		print_plain(object, 0);
		print_lists(object, 0);
	}
	json_object_put(object);
}

void report_add(struct json_object *object, const char *key, struct json_object *value)
{
	json_object_object_add(object, key, value);
}

void report_text(struct json_object *object, const char *key, const char *text)
{
	report_add(object, key, json_object_new_string(text));
}

void report_number(struct json_object *object, const char *key, uint64_t number)
{
	report_add(object, key, json_object_new_uint64(number));
}

static struct json_object *list_in(struct json_object *object, const char *key)
{
	struct json_object *list = json_object_new_array();

	report_add(object, key, list);
	return list;
}

static void report_next_hop(struct json_object *object, const struct backend *line)
{
	char lladdr[LLADDR_TEXT_MAX], device[IF_NAMESIZE];

	if (!line->ifindex) {
		report_text(object, "neighbour", "missing");
		return;
	}
	lladdr_print(line->eth_dst, lladdr);
	report_text(object, "lladdr", lladdr);
	report_text(object, "dev", if_indextoname(line->ifindex, device) ? device : "gone");
	report_number(object, "mtu", line->mtu);
}

struct json_object *report_backends(const struct edit *edit, uint32_t only)
{
	static const char *const states[] = { "up", "drain", "down" };
	static const char *const forwards[] = { "l2", "ipip", "gue" };
	struct json_object *object = json_object_new_object();
	struct json_object *list = list_in(object, "backends");

	for (uint32_t i = 0; i < MAX_BACKENDS; i++) {
		const struct config_backend *backend = &edit->config->backends[i];
		struct json_object *row;

		if (!backend->assigned || (only != MAX_BACKENDS && only != i))
			continue;
		row = json_object_new_object();
		report_number(row, "index", i);
		report_text(row, "address", address_print(&backend->address).text);
		report_text(row, "forward", forwards[backend->forward]);
		report_text(row, "state", states[backend->state]);
		report_next_hop(row, tables_backend(edit->tables, i));
		json_object_array_add(list, row);
	}
	return object;
}

static struct json_object *report_members(const struct config_service *service)
{
	struct json_object *list = json_object_new_array();

	for (uint32_t i = 0; i < MAX_BACKENDS; i++) {
		struct json_object *row;

		if (!service->weight[i])
			continue;
		row = json_object_new_object();
		report_number(row, "index", i);
		report_number(row, "weight", service->weight[i] - 1);
		json_object_array_add(list, row);
	}
	return list;
}

struct json_object *report_services(const struct edit *edit, const struct config_service *only)
{
	static const char *const flows[] = { "off", "joins", "all" };
	struct json_object *object = json_object_new_object();
	struct json_object *list = list_in(object, "services");

	for (size_t i = 0; i < edit->config->service_count; i++) {
		const struct config_service *service = &edit->config->services[i];
		struct json_object *row;

		if (only && only != service)
			continue;
		row = json_object_new_object();
		report_text(row, "address", address_print(&service->address).text);
		report_number(row, "port", service->port);
		report_text(row, "joins", service->joins == JOINS_TOKEN ? "token" : "ring");
		report_add(row, "stamps", json_object_new_boolean(service->stamps));
		report_text(row, "flows", flows[service->flows]);
		if (service->flows != FLOWS_OFF)
			report_number(row, "flow-entries", service->flow_entries);
		if (service->join_port)
			report_number(row, "join-port", service->join_port);
		report_add(row, "backends", report_members(service));
		json_object_array_add(list, row);
	}
	return object;
}

/* Nothing, where there was none. Milliseconds mod 2^32: after 49 days it begins anew. */
static void report_last_join(struct json_object *row, const struct state *state, uint32_t epoch)
{
	struct timespec now;
	uint32_t ago_ms;

	if (!state->joined[epoch])
		return;
	clock_gettime(CLOCK_REALTIME, &now);
	ago_ms = now.tv_sec * 1000ull + now.tv_nsec / 1000000 - state->joined[epoch];
	if (ago_ms > UINT32_MAX - CLOCK_STEP_MAX_MS)
		ago_ms = 0; /* the clock was set back since */
	report_number(row, "last-join-s", ago_ms / 1000);
}

struct json_object *report_secrets(const struct edit *edit)
{
	struct json_object *object = json_object_new_object();
	struct json_object *list = list_in(object, "secrets");

	for (uint32_t epoch = 0; epoch < TOKEN_EPOCHS; epoch++) {
		struct json_object *row;

		if (!edit->config->secrets[epoch].present)
			continue;
		row = json_object_new_object();
		report_number(row, "epoch", epoch);
		report_text(row, "file", edit->config->secrets[epoch].file);
		report_text(row, "secret", "(hidden)");
		report_add(row, "issuing", json_object_new_boolean(epoch == edit->config->epoch));
		report_last_join(row, tables_state(edit->tables), epoch);
		json_object_array_add(list, row);
	}
	return object;
}
