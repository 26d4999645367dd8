// SPDX-License-Identifier: GPL-2.0-only
/* stats: how many packets went where, and why, and how old stamps are. */
#include <stdlib.h>

#include "../include/reason.h"
#include "address.h"
#include "cmd.h"
#include "report.h"

#define REASON_NAME(name, disposition, words) [REASON_##name] = #name,
static const char *const names[] = { REASONS(REASON_NAME) };
#define REASON_WORDS(name, disposition, words) [REASON_##name] = words,
static const char *const sentences[] = { REASONS(REASON_WORDS) };

/* Reasons that never happened are left out of text, not of JSON. */
static struct json_object *list_reasons(const uint64_t *row)
{
	struct json_object *list = json_object_new_array();

	for (int reason = 1; reason < REASON_COUNT; reason++) {
		struct json_object *object;

		if (!row[reason] && !options.json)
			continue;
		object = json_object_new_object();
		report_text(object, "reason", names[reason]);
		report_number(object, "packets", row[reason]);
		report_text(object, "means", sentences[reason]);
		json_object_array_add(list, object);
	}
	return list;
}

/* Sums over the services and over packets of none. */
static struct json_object *list_all_reasons(const uint64_t *counters)
{
	uint64_t sums[COUNTER_REASONS] = {};

	for (int i = 0; i < COUNTER_BACKENDS; i++)
		sums[i % COUNTER_REASONS] += counters[i];
	return list_reasons(sums);
}

static struct json_object *list_services(const struct edit *edit, const uint64_t *counters)
{
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; i < edit->config->service_count; i++) {
		const struct config_service *service = &edit->config->services[i];
		uint32_t id = tables_service_id(edit->tables, &service->address, service->port);
		struct json_object *object = json_object_new_object();

		report_text(object, "address", address_print(&service->address).text);
		report_number(object, "port", service->port);
		report_add(object, "reasons", list_reasons(counters + id * COUNTER_REASONS));
		json_object_array_add(list, object);
	}
	return list;
}

static struct json_object *list_backends(const struct edit *edit, const uint64_t *counters)
{
	struct json_object *list = json_object_new_array();

	for (uint32_t i = 0; i < MAX_BACKENDS; i++) {
		struct json_object *object;

		if (!edit->config->backends[i].assigned)
			continue;
		object = json_object_new_object();
		report_number(object, "index", i);
		report_text(object, "address",
			    address_print(&edit->config->backends[i].address).text);
		report_number(object, "packets", counters[COUNTER_BACKENDS + i]);
		json_object_array_add(list, object);
	}
	return list;
}

/* Ages that no stamp had are left out of text, not of JSON. below-s: 0 where there is no bound. */
static struct json_object *list_stamp_ages(const struct state *state)
{
	struct json_object *list = json_object_new_array();

	for (int age = 0; age < STAMP_AGES; age++) {
		uint64_t past = state->stamp_ages[0][age], future = state->stamp_ages[1][age];
		struct json_object *object;

		if (!past && !future && !options.json)
			continue;
		object = json_object_new_object();
		report_number(object, "below-s",
			      age < STAMP_AGES - 1 ? (1u << STAMP_AGE_SHIFT(age)) / 1000 : 0);
		report_number(object, "past", past);
		report_number(object, "future", future);
		json_object_array_add(list, object);
	}
	return list;
}

enum status cmd_stats(struct words *words)
{
	struct json_object *object;
	uint64_t *counters = NULL;
	struct edit edit;
	enum status status = words_end(words);

	if (!status)
		status = edit_begin(&edit);
	if (status)
		return status;
	status = tables_counters(edit.tables, &counters);
	if (!status) {
		object = json_object_new_object();
		report_add(object, "reasons", list_all_reasons(counters));
		report_add(object, "services", list_services(&edit, counters));
		report_add(object, "backends", list_backends(&edit, counters));
		report_add(object, "stamp-ages", list_stamp_ages(tables_state(edit.tables)));
		report(object);
	}
	free(counters);
	edit_end(&edit);
	return status;
}
