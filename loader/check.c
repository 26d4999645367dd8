// SPDX-License-Identifier: GPL-2.0-only
/* `check`: what a configuration file says and what it is worth, without root or maps. */
#include <stdio.h>

#include "address.h"
#include "cmd.h"
#include "../include/stamp.h"
#include "fingerprint.h"
#include "horizon.h"
#include "report.h"
#include "synchronised.h"

/* What check finds out about a configuration. */
struct findings {
	const char *file;
	const struct config *config;
	uint32_t backends;
	bool stamps; /* some service goes by stamps */
	bool synchronised;
	bool has_free; /* some index is free, and free_index is the best */
	uint32_t free_index;
	char fingerprint[17];
};

static struct findings find_out(const char *file, const struct config *config)
{
	struct findings findings = { .file = file, .config = config };

	for (uint32_t index = 0; index < MAX_BACKENDS; index++)
		findings.backends += config->backends[index].assigned;
	for (size_t i = 0; i < config->service_count; i++)
		findings.stamps |= config->services[i].stamps;
	findings.synchronised = clock_is_synchronised();
	findings.has_free = horizon_best_free(config, &findings.free_index);
	config_fingerprint(config, findings.fingerprint);
	return findings;
}

static uint64_t idle_ms(const struct config *config, uint32_t index)
{
	return stamp_horizon_ms(horizon_gap(config, index), config->index_bits);
}

static void print_backend(const struct config *config, uint32_t index)
{
	static const char *const states[] = { "", ", drain", ", down" };
	const struct config_backend *backend = &config->backends[index];
	char lladdr[LLADDR_TEXT_MAX], horizon[HORIZON_TEXT_MAX];

	lladdr_print(backend->lladdr, lladdr);
	horizon_print(idle_ms(config, index), horizon);
	printf("backend %u at %s%s: idle connections survive %s\n", index,
	       address_is_zero(&backend->address) ? lladdr : address_print(&backend->address).text,
	       states[backend->state], horizon);
}

static void print_service(const struct config_service *service)
{
	unsigned int members = 0;

	for (uint32_t index = 0; index < MAX_BACKENDS; index++)
		members += !!service->weight[index];
	printf("service %s port %u: joins %s, stamps %s, %u backend%s\n",
	       address_print(&service->address).text, service->port,
	       service->joins == JOINS_TOKEN ? "token" : "ring", service->stamps ? "on" : "off",
	       members, members == 1 ? "" : "s");
}

static void print_text(const struct findings *findings)
{
	const struct config *config = findings->config;
	char allowed[HORIZON_TEXT_MAX];

	printf("%s: %zu services, %u backends, index-bits %u\n", findings->file,
	       config->service_count, findings->backends, config->index_bits);
	for (size_t i = 0; i < config->service_count; i++)
		print_service(&config->services[i]);
	for (uint32_t index = 0; index < MAX_BACKENDS; index++)
		if (config->backends[index].assigned)
			print_backend(config, index);
	horizon_print(stamp_clock_error_ms(config->index_bits), allowed);
	printf("clocks may differ by %s\n", allowed);
	if (findings->has_free)
		printf("best free index: %u\n", findings->free_index);
	else
		puts("best free index: none, all are backends");
	printf("fingerprint: %s\n", findings->fingerprint);
}

static struct json_object *json_backend(const struct config *config, uint32_t index)
{
	const struct config_backend *backend = &config->backends[index];
	struct json_object *object = json_object_new_object();
	char lladdr[LLADDR_TEXT_MAX];

	report_number(object, "index", index);
	if (!address_is_zero(&backend->address))
		report_text(object, "address", address_print(&backend->address).text);
	if (backend->lladdr_given) {
		lladdr_print(backend->lladdr, lladdr);
		report_text(object, "lladdr", lladdr);
	}
	report_number(object, "idle-ms", idle_ms(config, index));
	return object;
}

static void print_json(const struct findings *findings)
{
	const struct config *config = findings->config;
	struct json_object *object = json_object_new_object();
	struct json_object *backends = json_object_new_array();

	for (uint32_t index = 0; index < MAX_BACKENDS; index++)
		if (config->backends[index].assigned)
			json_object_array_add(backends, json_backend(config, index));
	report_number(object, "index-bits", config->index_bits);
	report_number(object, "services", config->service_count);
	report_add(object, "backends", backends);
	report_number(object, "clock-error-ms", stamp_clock_error_ms(config->index_bits));
	report_add(object, "clock-synchronised", json_object_new_boolean(findings->synchronised));
	if (findings->has_free)
		report_number(object, "best-free-index", findings->free_index);
	report_text(object, "fingerprint", findings->fingerprint);
	report(object);
}

/* One sentence for the worst pair of neighbours, if an even spread would serve it better. */
static void warn_of_neighbours(const struct findings *findings)
{
	const struct config *config = findings->config;
	uint32_t even = horizon_even_gap(findings->backends, config->index_bits);
	uint32_t slots = 1u << config->index_bits, least = even, worst = 0;
	char has[HORIZON_TEXT_MAX], could[HORIZON_TEXT_MAX];

	for (uint32_t index = 0; index < slots; index++)
		if (config->backends[index].assigned && horizon_gap(config, index) < least) {
			worst = index;
			least = horizon_gap(config, index);
		}
	if (least == even)
		return;
	horizon_print(stamp_horizon_ms(least, config->index_bits), has);
	horizon_print(stamp_horizon_ms(even, config->index_bits), could);
	warn("backends %u and %u are neighbours: an idle connection to %u survives %s; with all "
	     "indices evenly spaced it would be %s",
	     (worst + slots - least) % slots, worst, worst, has, could);
}

static void warn_of_empty_services(const struct config *config)
{
	for (size_t i = 0; i < config->service_count; i++) {
		const struct config_service *service = &config->services[i];
		bool open = false;

		for (uint32_t index = 0; index < MAX_BACKENDS; index++)
			open |= service->weight[index] > 1 &&
				config->backends[index].state == BACKEND_UP;
		if (!open)
			warn("service %s port %u has no backend for new connections",
			     address_print(&service->address).text, service->port);
	}
}

static enum status judge(const struct findings *findings)
{
	char allowed[HORIZON_TEXT_MAX];

	warn_of_empty_services(findings->config);
	if (!findings->stamps)
		return DONE;
	if (findings->backends)
		warn_of_neighbours(findings);
	if (findings->synchronised)
		return DONE;
	if (findings->config->strict_clock)
		return fail(FAILED, "the clock is not synchronised, and strict-clock is on");
	horizon_print(stamp_clock_error_ms(findings->config->index_bits), allowed);
	warn("the clock is not synchronised: stamps need it to %s", allowed);
	return DONE;
}

static enum status check(const char *file, struct config *config)
{
	enum status status = config_read(file, config);
	struct findings findings;

	if (status)
		return status;
	findings = find_out(file, config);
	if (options.json)
		print_json(&findings);
	else
		print_text(&findings);
	return judge(&findings);
}

enum status cmd_check(struct words *words)
{
	const char *file = words_next(words);
	enum status status = words_end(words);
	struct config *config;

	if (status)
		return status;
	if (!file)
		file = options.config_file ? options.config_file : CONFIG_FILE_DEFAULT;
	config = config_new();
	status = check(file, config);
	config_free(config);
	return status;
}
