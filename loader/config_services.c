// SPDX-License-Identifier: GPL-2.0-only
/* The configuration file's `services`, and the backends that they name. */
#include <string.h>

#include "address.h"
#include "config_reader.h"

/* An item of `services`, which becomes one service for each port. */
struct draft {
	struct reader *reader;
	struct config_service service;
	struct place member[MAX_BACKENDS];
	struct place join_port;
	const yaml_node_t *ports;
};

/* An item of `backends`. Places whose line is 0: not said in this item. */
struct member {
	struct draft *draft;
	uint32_t index;
	uint16_t weight;
	struct config_backend backend;
	struct place address, lladdr, forward, state;
};

static enum status read_address(struct document *document, const yaml_node_t *node,
				struct address *address)
{
	const char *text;
	enum status status = document_text(document, node, "address", &text);

	if (status)
		return status;
	if (!address_parse(text, address))
		return document_error(document, document_place(node),
				      "address must be an IPv4 or IPv6 address, not '%s'", text);
	if (!address_is_unicast(address))
		return document_error(document, document_place(node), "%s is not a unicast address",
				      text);
	return DONE;
}

static enum status read_member_index(struct document *document, const yaml_node_t *node, void *into)
{
	struct member *member = into;
	uint32_t slots = 1u << member->draft->reader->config->index_bits;
	uint64_t value = 0;
	enum status status = document_number(document, node, "index", 0, slots - 1, &value);

	member->index = value;
	return status;
}

static enum status read_member_address(struct document *document, const yaml_node_t *node,
				       void *into)
{
	struct member *member = into;

	member->address = document_place(node);
	return read_address(document, node, &member->backend.address);
}

static enum status read_member_lladdr(struct document *document, const yaml_node_t *node,
				      void *into)
{
	struct member *member = into;
	const char *text;
	enum status status = document_text(document, node, "lladdr", &text);

	if (status)
		return status;
	if (!lladdr_parse(text, member->backend.lladdr))
		return document_error(document, document_place(node),
				      "lladdr must look like 02:00:00:00:00:0b, not '%s'", text);
	member->backend.lladdr_given = true;
	member->lladdr = document_place(node);
	return DONE;
}

static enum status read_member_forward(struct document *document, const yaml_node_t *node,
				       void *into)
{
	static const struct document_choice choices[] = {
		{ "l2", FORWARD_L2 }, { "ipip", FORWARD_IPIP }, { "gue", FORWARD_GUE }, { 0 }
	};
	struct member *member = into;
	int value = 0;
	enum status status = document_word(document, node, "forward", choices, &value);

	member->backend.forward = value;
	member->forward = document_place(node);
	return status;
}

static enum status read_member_state(struct document *document, const yaml_node_t *node, void *into)
{
	static const struct document_choice choices[] = {
		{ "up", BACKEND_UP }, { "drain", BACKEND_DRAIN }, { "down", BACKEND_DOWN }, { 0 }
	};
	struct member *member = into;
	int value = 0;
	enum status status = document_word(document, node, "state", choices, &value);

	member->backend.state = value;
	member->state = document_place(node);
	return status;
}

static enum status read_member_weight(struct document *document, const yaml_node_t *node,
				      void *into)
{
	struct member *member = into;
	uint64_t value = 0;
	enum status status = document_number(document, node, "weight", 0, WEIGHT_MAX, &value);

	member->weight = value;
	return status;
}

static const struct document_key member_keys[] = {
	{ "index", read_member_index, true },
	{ "address", read_member_address, false },
	{ "lladdr", read_member_lladdr, false },
	{ "forward", read_member_forward, false },
	{ "state", read_member_state, false },
	{ "weight", read_member_weight, false },
	{ 0 },
};

/*
 * Notes that this item says a thing about its backend. An error if an item before it
 * said another: a backend is cluster-wide.
 */
static enum status say_once(const struct member *member, const char *what, struct place here,
			    struct place *before, bool same)
{
	const struct document *document = &member->draft->reader->document;

	if (!here.line)
		return DONE;
	if (before->line && !same)
		return document_error(document, here,
				      "backend %u has another %s here than at line %u",
				      member->index, what, before->line);
	*before = here;
	return DONE;
}

static enum status merge_backend(const struct member *member)
{
	struct reader *reader = member->draft->reader;
	struct config_backend *backend = &reader->config->backends[member->index];
	const struct config_backend *said = &member->backend;
	struct places *places = &reader->places;
	uint32_t index = member->index;
	enum status status;

	status = say_once(member, "address", member->address, &places->address[index],
			  address_equal(&backend->address, &said->address));
	if (!status)
		status = say_once(member, "lladdr", member->lladdr, &places->lladdr[index],
				  !memcmp(backend->lladdr, said->lladdr, sizeof(said->lladdr)));
	if (!status)
		status = say_once(member, "forward", member->forward, &places->forward[index],
				  backend->forward == said->forward);
	if (!status)
		status = say_once(member, "state", member->state, &places->state[index],
				  backend->state == said->state);
	if (status)
		return status;
	backend->assigned = true;
	if (member->address.line)
		backend->address = said->address;
	if (member->forward.line)
		backend->forward = said->forward;
	if (member->state.line)
		backend->state = said->state;
	if (member->lladdr.line) {
		backend->lladdr_given = true;
		memcpy(backend->lladdr, said->lladdr, sizeof(said->lladdr));
	}
	return DONE;
}

static enum status read_member(struct document *document, const yaml_node_t *node, void *into)
{
	struct draft *draft = into;
	struct member member = { .draft = draft, .weight = WEIGHT_DEFAULT };
	struct place place = document_place(node), *before;
	enum status status = document_mapping(document, node, "a backend", member_keys, &member);

	if (status)
		return status;
	if (draft->member[member.index].line)
		return document_error(document, place,
				      "index %u is in this service twice, first at line %u",
				      member.index, draft->member[member.index].line);
	draft->member[member.index] = place;
	draft->service.weight[member.index] = 1 + member.weight;
	before = &draft->reader->places.backend[member.index];
	if (!before->line)
		*before = place;
	return merge_backend(&member);
}

static enum status read_service_address(struct document *document, const yaml_node_t *node,
					void *into)
{
	struct draft *draft = into;

	return read_address(document, node, &draft->service.address);
}

static enum status read_ports(struct document *document, const yaml_node_t *node, void *into)
{
	struct draft *draft = into;

	draft->ports = node;
	if (node->type == YAML_SEQUENCE_NODE &&
	    node->data.sequence.items.start == node->data.sequence.items.top)
		return document_error(document, document_place(node), "ports must name a port");
	return DONE;
}

static enum status read_joins(struct document *document, const yaml_node_t *node, void *into)
{
	static const struct document_choice choices[] = {
		{ "token", JOINS_TOKEN }, { "ring", JOINS_RING }, { "learn", NOT_BUILT }, { 0 }
	};
	struct draft *draft = into;
	int value = 0;
	enum status status = document_word(document, node, "joins", choices, &value);

	draft->service.joins = value;
	return status;
}

static enum status read_stamps(struct document *document, const yaml_node_t *node, void *into)
{
	struct draft *draft = into;
	int value = 0;
	enum status status = document_word(document, node, "stamps", document_on_off, &value);

	draft->service.stamps = value;
	return status;
}

static enum status read_flows(struct document *document, const yaml_node_t *node, void *into)
{
	static const struct document_choice choices[] = {
		{ "off", FLOWS_OFF }, { "joins", FLOWS_JOINS }, { "all", FLOWS_ALL }, { 0 }
	};
	struct draft *draft = into;
	int value = 0;
	enum status status = document_word(document, node, "flows", choices, &value);

	draft->service.flows = value;
	return status;
}

static enum status read_flow_entries(struct document *document, const yaml_node_t *node, void *into)
{
	struct draft *draft = into;
	uint64_t value = 0;
	enum status status = document_number(document, node, "flow-entries", FLOW_ENTRIES_MIN,
					     FLOW_ENTRIES_MAX, &value);

	draft->service.flow_entries = value;
	return status;
}

static enum status read_join_port(struct document *document, const yaml_node_t *node, void *into)
{
	struct draft *draft = into;
	uint64_t value = 0;
	const char *text;
	enum status status = document_text(document, node, "join-port", &text);

	draft->join_port = document_place(node);
	if (!status && strcmp(text, "off"))
		status = document_number(document, node, "join-port", 0, 65535, &value);
	draft->service.join_port = value;
	return status;
}

static enum status read_backends(struct document *document, const yaml_node_t *node, void *into)
{
	return document_list(document, node, "backends", read_member, into);
}

static const struct document_key service_keys[] = {
	{ "address", read_service_address, true },
	{ "ports", read_ports, true },
	{ "joins", read_joins, false },
	{ "stamps", read_stamps, false },
	{ "flows", read_flows, false },
	{ "backends", read_backends, false },
	{ "flow-entries", read_flow_entries, false },
	{ "join-port", read_join_port, false },
	{ 0 },
};

static enum status add_service(struct document *document, const yaml_node_t *node, void *into)
{
	struct draft *draft = into;
	struct reader *reader = draft->reader;
	struct config *config = reader->config;
	struct config_service *before;
	uint64_t port;
	enum status status = document_number(document, node, "port", 1, 65535, &port);

	if (status)
		return status;
	before = config_find_service(config, &draft->service.address, port);
	if (before)
		return document_error(document, document_place(node),
				      "service %s port %u is said twice, first at line %u",
				      address_print(&before->address).text, before->port,
				      reader->places.service[before - config->services].line);
	if (config->service_count == MAX_SERVICES)
		return document_error(document, document_place(node),
				      "there can be no more than %u services", MAX_SERVICES);
	reader->places.service[config->service_count] = document_place(node);
	reader->places.join_port[config->service_count] = draft->join_port;
	draft->service.port = port;
	config->services[config->service_count++] = draft->service;
	return DONE;
}

enum status read_service(struct document *document, const yaml_node_t *node, void *into)
{
	struct draft draft = { .reader = into };
	enum status status;

	config_service_defaults(&draft.service);
	status = document_mapping(document, node, "a service", service_keys, &draft);
	return status ? status : document_list(document, draft.ports, "ports", add_service, &draft);
}
