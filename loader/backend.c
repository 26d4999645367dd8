// SPDX-License-Identifier: GPL-2.0-only
/* backend: add, set, drain, del and show one backend of the running configuration. */
#include <string.h>

#include "address.h"
#include "cmd.h"
#include "drain.h"
#include "edit.h"
#include "report.h"

static const char *const state_names[] = { "up", "drain", "down", NULL };
static const char *const forward_names[] = { "l2", "ipip", "gue", NULL };

static enum status take_index(struct words *words, uint32_t *index)
{
	uint64_t number = 0;
	enum status status =
		words_number(words, "the index of a backend", 0, MAX_BACKENDS - 1, &number);

	*index = number;
	return status;
}

static enum status take_lladdr(struct words *words, struct config_backend *backend)
{
	const char *word = words_next(words);

	if (!word || !lladdr_parse(word, backend->lladdr))
		return fail(USAGE, "lladdr needs a link-layer address such as 52:54:00:12:34:56");
	backend->lladdr_given = true;
	return DONE;
}

/* One `word value` pair. */
static enum status take_pair(struct words *words, struct config_backend *backend)
{
	unsigned int choice = 0;
	enum status status;

	if (words_take(words, "address"))
		return words_address(words, "address", &backend->address);
	if (words_take(words, "lladdr"))
		return take_lladdr(words, backend);
	if (words_take(words, "forward")) {
		status = words_choice(words, "forward", forward_names, &choice);
		backend->forward = choice;
		return status;
	}
	if (!words_take(words, "state"))
		return words_end(words);
	status = words_choice(words, "state", state_names, &choice);
	backend->state = choice;
	return status;
}

static enum status change(struct words *words, bool add)
{
	struct config_backend *backend;
	struct edit edit;
	uint32_t index;
	enum status status = take_index(words, &index);

	if (!status)
		status = edit_begin(&edit);
	if (status)
		return status;
	backend = &edit.config->backends[index];
	if (add && backend->assigned)
		status = fail(FAILED, "backend %u is there already, at %s", index,
			      address_print(&backend->address).text);
	else if (!add && !backend->assigned)
		status = fail(FAILED, "there is no backend %u", index);
	while (!status && words->count) {
		if (words_take(words, "force"))
			edit.force = true;
		else
			status = take_pair(words, backend);
	}
	if (!status && address_is_zero(&backend->address))
		status = fail(USAGE, "backend %u needs an address", index);
	backend->assigned = true;
	return edit_publish(&edit, status);
}

static enum status add(struct words *words)
{
	return change(words, true);
}

static enum status set(struct words *words)
{
	return change(words, false);
}

static const struct config_service *service_with(const struct config *config, uint32_t index)
{
	for (size_t i = 0; i < config->service_count; i++)
		if (config->services[i].weight[index])
			return &config->services[i];
	return NULL;
}

static enum status del(struct words *words)
{
	const struct config_service *service;
	struct edit edit;
	uint32_t index;
	enum status status = take_index(words, &index);

	if (!status)
		status = words_end(words);
	if (!status)
		status = edit_begin(&edit);
	if (status)
		return status;
	service = service_with(edit.config, index);
	if (!edit.config->backends[index].assigned)
		status = fail(FAILED, "there is no backend %u", index);
	else if (service)
		status = fail(FAILED,
			      "backend %u still serves %s port %u: "
			      "'service backend del' first",
			      index, address_print(&service->address).text, service->port);
	memset(&edit.config->backends[index], 0, sizeof(edit.config->backends[index]));
	return edit_publish(&edit, status);
}

/* All of them, or the one whose index is given. */
static enum status show(struct words *words)
{
	uint32_t only = MAX_BACKENDS;
	struct edit edit;
	enum status status = words->count ? take_index(words, &only) : DONE;

	if (!status)
		status = words_end(words);
	if (!status)
		status = edit_begin(&edit);
	if (status)
		return status;
	if (only < MAX_BACKENDS && !edit.config->backends[only].assigned)
		status = fail(FAILED, "there is no backend %u", only);
	else
		report(report_backends(&edit, only));
	edit_end(&edit);
	return status;
}

static const struct command commands[] = {
	{ "add", "INDEX address A [lladdr MAC] [forward l2|ipip|gue] [state up|drain|down] [force]",
	  add },
	{ "set",
	  "INDEX [address A] [lladdr MAC] [forward l2|ipip|gue] [state up|drain|down] [force]",
	  set },
	{ "drain", "INDEX [wait SECONDS]", backend_drain },
	{ "del", "INDEX", del },
	{ "show", "[INDEX]", show },
	{ 0 },
};

enum status cmd_backend(struct words *words)
{
	return words_dispatch(words, "mptcp-lb backend", commands);
}
