// SPDX-License-Identifier: GPL-2.0-only
/* show: the balancer as it runs, all of it. */
#include <net/if.h>
#include <stdio.h>

#include "attachment.h"
#include "cmd.h"
#include "fingerprint.h"
#include "report.h"
#include "synchronised.h"

static void report_prefix(struct json_object *object, const char *key, const struct prefix *prefix)
{
	char text[INET6_ADDRSTRLEN + sizeof("/128")];

	if (!prefix->length)
		return;
	snprintf(text, sizeof(text), "%s/%u", address_print(&prefix->address).text, prefix->length);
	report_text(object, key, text);
}

static struct json_object *show_cluster(const struct edit *edit)
{
	struct json_object *object = json_object_new_object();
	char fingerprint[17];

	config_fingerprint(edit->config, fingerprint);
	report_number(object, "index-bits", edit->config->index_bits);
	report_number(object, "ring-seed", edit->config->ring_seed);
	report_number(object, "epoch", edit->config->epoch);
	report_text(object, "fingerprint", fingerprint);
	report_number(object, "generation", tables_state(edit->tables)->generation);
	report_prefix(object, "tunnel-source", &edit->config->tunnel_source);
	report_prefix(object, "tunnel-source-v6", &edit->config->tunnel_source_v6);
	report_text(object, "df-clear",
		    edit->config->df_clear == DF_CLEAR_FRAGMENT ? "fragment" : "too-big");
	report_add(object, "strict-clock", json_object_new_boolean(edit->config->strict_clock));
	report_text(object, "clock", clock_is_synchronised() ? "synchronised" : "unsynchronised");
	return object;
}

static struct json_object *show_devices(void)
{
	struct json_object *list = json_object_new_array();
	struct if_nameindex *devices = if_nameindex();
	struct attachment attachment;

	for (struct if_nameindex *device = devices; device && device->if_index; device++) {
		struct json_object *row;

		if (!attachment_query(device->if_index, &attachment) || !attachment.ours)
			continue;
		row = json_object_new_object();
		report_text(row, "dev", device->if_name);
		report_text(row, "mode", attachment_mode(&attachment));
		report_add(row, "dispatcher", json_object_new_boolean(attachment.dispatcher));
		json_object_array_add(list, row);
	}
	if_freenameindex(devices);
	return list;
}

/* Moves the one list that `from` holds. */
static void take_list(struct json_object *into, struct json_object *from)
{
	json_object_object_foreach(from, key, value) report_add(into, key, json_object_get(value));
	json_object_put(from);
}

enum status cmd_show(struct words *words)
{
	struct json_object *object;
	struct edit edit;
	enum status status = words_end(words);

	if (!status)
		status = edit_begin(&edit);
	if (status)
		return status;
	object = json_object_new_object();
	report_add(object, "cluster", show_cluster(&edit));
	take_list(object, report_secrets(&edit));
	report_add(object, "devices", show_devices());
	take_list(object, report_services(&edit, NULL));
	take_list(object, report_backends(&edit, MAX_BACKENDS));
	report(object);
	edit_end(&edit);
	return DONE;
}
