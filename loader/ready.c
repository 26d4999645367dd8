// SPDX-License-Identifier: GPL-2.0-only
/* ready: whether routers may be told to send packets to this balancer. */
#include <net/if.h>
#include <stdio.h>

#include "address.h"
#include "attachment.h"
#include "cmd.h"
#include "edit.h"
#include "findings.h"
#include "report.h"
#include "synchronised.h"

/* Whether new connections may go to it, and packets can. */
static bool serves(const struct edit *edit, const struct config_service *service, uint32_t index)
{
	char device[IF_NAMESIZE];

	return service->weight[index] > 1 && edit->config->backends[index].state == BACKEND_UP &&
	       if_indextoname(tables_backend(edit->tables, index)->ifindex, device);
}

static void find_in_service(struct json_object *findings, const struct edit *edit,
			    const struct config_service *service)
{
	for (uint32_t i = 0; i < MAX_BACKENDS; i++)
		if (serves(edit, service, i))
			return;
	find(findings, "service %s port %u has no backend that is up and whose neighbour is known",
	     address_print(&service->address).text, service->port);
}

static void find_all(struct json_object *findings, const struct edit *edit)
{
	char devices[256];

	if (!attachment_list(devices, sizeof(devices)))
		find(findings, "the balancer is attached to no device");
	if (!edit->config->service_count)
		find(findings, "no service is configured: 'apply' first");
	for (size_t i = 0; i < edit->config->service_count; i++)
		find_in_service(findings, edit, &edit->config->services[i]);
	if (edit->config->strict_clock && !clock_is_synchronised())
		find(findings, "the clock is not synchronised, and strict-clock is on");
}

static void print(struct json_object *findings)
{
	size_t count = json_object_array_length(findings);
	struct json_object *object;

	if (options.json) {
		object = json_object_new_object();
		report_add(object, "ready", json_object_new_boolean(!count));
		report_add(object, "findings", json_object_get(findings));
		report(object);
		return;
	}
	for (size_t i = 0; i < count; i++)
		puts(json_object_get_string(json_object_array_get_idx(findings, i)));
	if (!count)
		puts("ready");
}

enum status cmd_ready(struct words *words)
{
	struct json_object *findings;
	struct edit edit;
	enum status status = words_end(words);

	if (!status)
		status = edit_begin(&edit);
	if (status)
		return status;
	findings = json_object_new_array();
	find_all(findings, &edit);
	print(findings);
	if (json_object_array_length(findings))
		status = FAILED;
	json_object_put(findings);
	edit_end(&edit);
	return status;
}
