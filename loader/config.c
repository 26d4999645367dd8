// SPDX-License-Identifier: GPL-2.0-only
/* A configuration in memory, and the rules that hold wherever it came from. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "address.h"
#include "config.h"
#include "problem.h"

struct config *config_new(void)
{
	struct config *config = calloc(1, sizeof(*config));

	if (!config)
		exit(fail(FAILED, "not enough memory for a configuration"));
	config->index_bits = INDEX_BITS_DEFAULT;
	return config;
}

void config_free(struct config *config)
{
	if (config)
		explicit_bzero(config->secrets, sizeof(config->secrets));
	free(config);
}

void config_service_defaults(struct config_service *service)
{
	*service = (struct config_service){ .stamps = true, .flow_entries = FLOW_ENTRIES_DEFAULT };
}

struct config_service *config_find_service(struct config *config, const struct address *address,
					   uint16_t port)
{
	for (size_t i = 0; i < config->service_count; i++)
		if (config->services[i].port == port &&
		    address_equal(&config->services[i].address, address))
			return &config->services[i];
	return NULL;
}

/* Notes what is wrong; true, so that `return broken(...)` reads well. */
static bool __attribute__((format(printf, 2, 3)))
broken(struct problem *problem, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(problem->sentence, sizeof(problem->sentence), format, arguments);
	va_end(arguments);
	return true;
}

static bool cluster_has_problem(const struct config *config, struct problem *problem)
{
	problem->about = ABOUT_CLUSTER;
	if (config->index_bits < TOKEN_INDEX_BITS_MIN || config->index_bits > TOKEN_INDEX_BITS_MAX)
		return broken(problem, "index-bits must lie between %u and %u, not %u",
			      TOKEN_INDEX_BITS_MIN, TOKEN_INDEX_BITS_MAX, config->index_bits);
	if (config->service_count > MAX_SERVICES)
		return broken(problem, "there can be no more than %u services", MAX_SERVICES);
	problem->about = ABOUT_EPOCH;
	if (config->epoch >= TOKEN_EPOCHS)
		return broken(problem, "epoch must lie between 0 and %u, not %u", TOKEN_EPOCHS - 1,
			      config->epoch);
	return false;
}

static bool lladdr_is_of_one_device(const uint8_t lladdr[static 6])
{
	static const uint8_t zero[6];

	return memcmp(lladdr, zero, sizeof(zero)) && !(lladdr[0] & 1);
}

/* Two indices for one server: its stamps and tokens could only carry one of them. */
static bool address_is_taken(const struct config *config, uint32_t index, struct problem *problem)
{
	const struct address *address = &config->backends[index].address;

	for (uint32_t lower = 0; lower < index; lower++)
		if (config->backends[lower].assigned &&
		    address_equal(&config->backends[lower].address, address))
			return broken(problem, "backends %u and %u have the same address %s", lower,
				      index, address_print(address).text);
	return false;
}

static bool lacks_tunnel_source(const struct config *config, uint32_t index,
				struct problem *problem)
{
	const struct config_backend *backend = &config->backends[index];
	bool v4 = address_is_v4(&backend->address);
	const struct prefix *source = v4 ? &config->tunnel_source : &config->tunnel_source_v6;

	if (backend->forward == FORWARD_L2 || source->length)
		return false;
	return broken(problem, "backend %u is reached by a tunnel, which needs %s", index,
		      v4 ? "tunnel-source" : "tunnel-source-v6");
}

static bool backend_has_problem(const struct config *config, uint32_t index,
				struct problem *problem)
{
	const struct config_backend *backend = &config->backends[index];

	problem->about = ABOUT_BACKEND;
	problem->which = index;
	if (index >= 1u << config->index_bits)
		return broken(problem, "backend %u does not fit in %u index bits: 0 to %u", index,
			      config->index_bits, (1u << config->index_bits) - 1);
	if (address_is_zero(&backend->address))
		return broken(problem, "backend %u has no address", index);
	if (!address_is_unicast(&backend->address))
		return broken(problem, "backend %u: %s is not a unicast address", index,
			      address_print(&backend->address).text);
	if (backend->lladdr_given && !lladdr_is_of_one_device(backend->lladdr))
		return broken(problem, "backend %u: its lladdr is not that of one device", index);
	return lacks_tunnel_source(config, index, problem) ||
	       address_is_taken(config, index, problem);
}

static bool is_said_before(const struct config *config, size_t which)
{
	const struct config_service *service = &config->services[which];

	for (size_t i = 0; i < which; i++)
		if (config->services[i].port == service->port &&
		    address_equal(&config->services[i].address, &service->address))
			return true;
	return false;
}

/* Kernels' join ports belong to a host, so those of an address are shared by its services. */
static bool join_port_has_problem(const struct config *config, size_t which,
				  struct problem *problem)
{
	const struct config_service *service = &config->services[which];
	struct address_text address = address_print(&service->address);
	uint32_t first = service->join_port, last = first + (1u << config->index_bits) - 1;

	if (!first)
		return false;
	problem->about = ABOUT_JOIN_PORT;
	if (last > 65535)
		return broken(problem, "join-port must not exceed %u, since indices have %u bits",
			      65536 - (1u << config->index_bits), config->index_bits);
	for (size_t i = 0; i < config->service_count; i++) {
		const struct config_service *other = &config->services[i];

		if (!address_equal(&other->address, &service->address))
			continue;
		if (other->port >= first && other->port <= last)
			return broken(problem, "the join ports %u to %u hold a service, %s port %u",
				      first, last, address.text, other->port);
		if (i < which && other->join_port && other->join_port != first)
			return broken(
				problem, "join-port of %s port %u is %u, but that of port %u is %u",
				address.text, service->port, first, other->port, other->join_port);
	}
	return false;
}

static bool service_has_problem(const struct config *config, size_t which, struct problem *problem)
{
	const struct config_service *service = &config->services[which];
	struct address_text address = address_print(&service->address);

	problem->about = ABOUT_SERVICE;
	problem->which = which;
	if (!address_is_unicast(&service->address))
		return broken(problem, "service: %s is not a unicast address", address.text);
	if (!service->port)
		return broken(problem, "service %s: port must lie between 1 and 65535, not 0",
			      address.text);
	if (is_said_before(config, which))
		return broken(problem, "service %s port %u is said twice", address.text,
			      service->port);
	for (uint32_t index = 0; index < MAX_BACKENDS; index++)
		if (service->weight[index] && !config->backends[index].assigned)
			return broken(problem, "index %u of service %s port %u is not a backend",
				      index, address.text, service->port);
	if (join_port_has_problem(config, which, problem))
		return true;
	problem->about = ABOUT_SERVICE;
	if (service->joins != JOINS_TOKEN || config->secrets[config->epoch].present)
		return false;
	problem->about = ABOUT_EPOCH;
	return broken(problem, "epoch %u has no secret, but service %s port %u has joins token",
		      config->epoch, address.text, service->port);
}

bool config_has_problem(const struct config *config, struct problem *problem)
{
	if (cluster_has_problem(config, problem))
		return true;
	for (uint32_t index = 0; index < MAX_BACKENDS; index++)
		if (config->backends[index].assigned && backend_has_problem(config, index, problem))
			return true;
	for (size_t which = 0; which < config->service_count; which++)
		if (service_has_problem(config, which, problem))
			return true;
	return false;
}

enum status config_validate(const struct config *config)
{
	struct problem problem;

	if (config_has_problem(config, &problem))
		return fail(BAD_CONFIG, "%s", problem.sentence);
	return DONE;
}
