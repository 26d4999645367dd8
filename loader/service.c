// SPDX-License-Identifier: GPL-2.0-only
/* service: add, set, del and show one service of the running configuration, and its members. */
#include <string.h>

#include "address.h"
#include "cmd.h"
#include "edit.h"
#include "report.h"

static const char *const joins_names[] = { "token", "ring", NULL };
static const char *const switch_names[] = { "off", "on", NULL };
static const char *const flows_names[] = { "off", "joins", "all", NULL };

/* The words ADDR port N that name a service. */
struct name {
	struct address address;
	uint16_t port;
};

static enum status take_name(struct words *words, struct name *name)
{
	uint64_t port = 0;
	enum status status = words_address(words, "a service", &name->address);

	if (!status && !words_take(words, "port"))
		status = fail(USAGE, "a service needs its port: 'ADDR port N'");
	if (!status)
		status = words_number(words, "port", 1, 65535, &port);
	name->port = port;
	return status;
}

/* Begins an edit with the service that the words name; NULL if it is not there yet. */
static enum status begin(struct words *words, struct edit *edit, struct name *name,
			 struct config_service **service)
{
	enum status status = take_name(words, name);

	if (!status)
		status = edit_begin(edit);
	if (!status)
		*service = config_find_service(edit->config, &name->address, name->port);
	return status;
}

static enum status no_service(const struct name *name)
{
	return fail(FAILED, "there is no service %s port %u", address_print(&name->address).text,
		    name->port);
}

static enum status take_join_port(struct words *words, struct config_service *service)
{
	uint64_t base = 0;
	enum status status = DONE;

	if (!words_take(words, "off"))
		status = words_number(words, "join-port", 0, 65535, &base);
	service->join_port = base;
	return status;
}

static enum status take_flow_entries(struct words *words, struct config_service *service)
{
	uint64_t entries = 0;
	enum status status =
		words_number(words, "flow-entries", FLOW_ENTRIES_MIN, FLOW_ENTRIES_MAX, &entries);

	service->flow_entries = entries;
	return status;
}

static enum status take_pair(struct words *words, struct config_service *service)
{
	unsigned int choice = 0;
	enum status status;

	if (words_take(words, "flows")) {
		status = words_choice(words, "flows", flows_names, &choice);
		service->flows = choice;
		return status;
	}
	if (words_take(words, "flow-entries"))
		return take_flow_entries(words, service);
	if (words_take(words, "join-port"))
		return take_join_port(words, service);
	if (words_take(words, "stamps")) {
		status = words_choice(words, "stamps", switch_names, &choice);
		service->stamps = choice;
		return status;
	}
	if (!words_take(words, "joins"))
		return words_end(words);
	status = words_choice(words, "joins", joins_names, &choice);
	service->joins = choice;
	return status;
}

/* Likewise, with one that is there. */
static enum status begin_known(struct words *words, struct edit *edit,
			       struct config_service **service)
{
	struct name name;
	enum status status = begin(words, edit, &name, service);

	if (status || *service)
		return status;
	edit_end(edit);
	return no_service(&name);
}

static enum status make_room(const struct config *config, const struct config_service *taken)
{
	if (taken)
		return fail(FAILED, "service %s port %u is there already",
			    address_print(&taken->address).text, taken->port);
	if (config->service_count == MAX_SERVICES)
		return fail(FAILED, "there are %d services already, which is the most",
			    MAX_SERVICES);
	return DONE;
}

static enum status add(struct words *words)
{
	struct config_service *service;
	struct edit edit;
	struct name name;
	enum status status = begin(words, &edit, &name, &service);

	if (status)
		return status;
	status = make_room(edit.config, service);
	if (status)
		return edit_publish(&edit, status);
	service = &edit.config->services[edit.config->service_count++];
	config_service_defaults(service);
	service->address = name.address;
	service->port = name.port;
	while (!status && words->count)
		status = take_pair(words, service);
	return edit_publish(&edit, status);
}

static enum status set(struct words *words)
{
	struct config_service *service;
	struct edit edit;
	enum status status = begin_known(words, &edit, &service);

	if (status)
		return status;
	while (!status && words->count)
		status = take_pair(words, service);
	return edit_publish(&edit, status);
}

static enum status del(struct words *words)
{
	struct config_service *service, *last;
	struct edit edit;
	enum status status = begin_known(words, &edit, &service);

	if (status)
		return status;
	last = &edit.config->services[--edit.config->service_count];
	memmove(service, last, sizeof(*service));
	memset(last, 0, sizeof(*last));
	return edit_publish(&edit, words_end(words));
}

static enum status show(struct words *words)
{
	struct config_service *only = NULL;
	enum status status;
	struct edit edit;
	struct name name;
	bool one = words->count;

	status = one ? begin(words, &edit, &name, &only) : edit_begin(&edit);
	if (status)
		return status;
	status = words_end(words);
	if (!status && one && !only)
		status = no_service(&name);
	if (!status)
		report(report_services(&edit, only));
	edit_end(&edit);
	return status;
}

/* Members. */

struct membership {
	struct edit edit;
	struct config_service *service;
	uint32_t index;
};

static enum status begin_member(struct words *words, struct membership *m)
{
	uint64_t index = 0;
	struct name name;
	enum status status = begin(words, &m->edit, &name, &m->service);

	if (status)
		return status;
	if (!m->service)
		status = no_service(&name);
	else if (!words_take(words, "index"))
		status = fail(USAGE, "say which backend: 'index I'");
	else
		status = words_number(words, "index", 0, MAX_BACKENDS - 1, &index);
	m->index = index;
	if (status)
		edit_end(&m->edit);
	return status;
}

static enum status no_member(const struct membership *m)
{
	return fail(FAILED, "backend %u does not serve %s port %u", m->index,
		    address_print(&m->service->address).text, m->service->port);
}

/* *weight is 1 + the present one, or 0; without the word it stays, or becomes the default. */
static enum status take_weight(struct words *words, uint16_t *weight)
{
	uint64_t number = *weight ? *weight - 1u : WEIGHT_DEFAULT;
	enum status status = DONE;

	if (words_take(words, "weight"))
		status = words_number(words, "weight", 0, WEIGHT_MAX, &number);
	*weight = 1 + number;
	return status ? status : words_end(words);
}

static enum status add_member(struct words *words)
{
	struct membership m;
	enum status status = begin_member(words, &m);

	if (status)
		return status;
	if (!m.edit.config->backends[m.index].assigned)
		status = fail(FAILED, "there is no backend %u: 'backend add' first", m.index);
	else if (m.service->weight[m.index])
		status = fail(FAILED, "backend %u serves %s port %u already", m.index,
			      address_print(&m.service->address).text, m.service->port);
	else
		status = take_weight(words, &m.service->weight[m.index]);
	return edit_publish(&m.edit, status);
}

static enum status set_member(struct words *words)
{
	struct membership m;
	enum status status = begin_member(words, &m);

	if (status)
		return status;
	if (!m.service->weight[m.index])
		status = no_member(&m);
	else
		status = take_weight(words, &m.service->weight[m.index]);
	return edit_publish(&m.edit, status);
}

static enum status del_member(struct words *words)
{
	struct membership m;
	enum status status = begin_member(words, &m);

	if (status)
		return status;
	status = m.service->weight[m.index] ? words_end(words) : no_member(&m);
	m.service->weight[m.index] = 0;
	return edit_publish(&m.edit, status);
}

static const struct command member_commands[] = {
	{ "add", "ADDR port N index I [weight W]", add_member },
	{ "set", "ADDR port N index I [weight W]", set_member },
	{ "del", "ADDR port N index I", del_member },
	{ 0 },
};

static enum status member(struct words *words)
{
	return words_dispatch(words, "mptcp-lb service backend", member_commands);
}

#define SETTINGS \
	"ADDR port N [joins token|ring] [stamps on|off] [flows off|joins|all] [flow-entries N] " \
	"[join-port BASE]"

static const struct command commands[] = {
	{ "add", SETTINGS, add },
	{ "set", SETTINGS, set },
	{ "del", "ADDR port N", del },
	{ "show", "[ADDR port N]", show },
	{ "backend", "{ add | set | del } ...", member },
	{ 0 },
};

enum status cmd_service(struct words *words)
{
	return words_dispatch(words, "mptcp-lb service", commands);
}
