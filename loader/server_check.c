// SPDX-License-Identifier: GPL-2.0-only
/* server check: the command, and how its findings are told. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "findings.h"
#include "scratch_client.h"
#include "server_commands.h"
#include "synchronised.h"

#define FINDING_BYTES 320
#define HANDSHAKES_DEFAULT 16

void find(struct json_object *findings, const char *format, ...)
{
	char finding[FINDING_BYTES];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(finding, sizeof(finding), format, arguments);
	va_end(arguments);
	json_object_array_add(findings, json_object_new_string(finding));
}

/* A host may have none, unless one is named; then *config is NULL. */
static enum status read_configuration(struct config **config)
{
	const char *file = options.config_file ? options.config_file : CONFIG_FILE_DEFAULT;
	enum status status;

	*config = NULL;
	if (!options.config_file && access(file, F_OK))
		return DONE;
	*config = config_new();
	status = config_read(file, *config);
	if (status)
		config_free(*config);
	return status;
}

static void check_clock(struct json_object *findings, const struct config *config)
{
	if (clock_is_synchronised())
		return;
	if (config && config->strict_clock)
		find(findings,
		     "the clock is not synchronised, and strict-clock is on: run chrony or "
		     "another NTP client");
	else
		warn("the clock is not synchronised: run chrony or another NTP client");
}

static enum status check_attached(struct json_object *findings, uint32_t handshakes,
				  struct json_object *list)
{
	struct server_maps *maps;
	struct config *config;
	enum status status = server_maps_open(options.pin_dir, &maps);

	if (status)
		return status;
	status = read_configuration(&config);
	if (!status) {
		check_clock(findings, config);
		find_in_network(findings, maps);
		find_in_attachment(findings, maps, config);
		if (handshakes)
			status = find_by_handshakes(findings, maps, config, handshakes, list);
		if (config)
			config_free(config);
	}
	server_maps_close(maps);
	return status;
}

static enum status check(struct json_object *findings, uint32_t handshakes,
			 struct json_object *list)
{
	find_in_kernel(findings);
	errno = 0;
	if (server_maps_attached(options.pin_dir))
		return check_attached(findings, handshakes, list);
	if (errno == EPERM || errno == EACCES)
		return fail(FAILED, "this needs root");
	find(findings, "the server side is not attached: see 'server attach'");
	return DONE;
}

static int number(struct json_object *row, const char *key)
{
	return json_object_get_int(json_object_object_get(row, key));
}

static void print_handshakes(struct json_object *row)
{
	struct json_object *tokens = json_object_object_get(row, "tokens");

	printf("%s port %d: %d of %d handshakes, ",
	       json_object_get_string(json_object_object_get(row, "address")), number(row, "port"),
	       number(row, "established"), number(row, "handshakes"));
	if (tokens)
		printf("%d of %d tokens decode to this index, ", json_object_get_int(tokens),
		       number(row, "keys"));
	printf("%d of %d keys adopted, stamps right on %d of %d segments out and %d of %d in\n",
	       number(row, "adopted"), number(row, "keys"), number(row, "sent-right"),
	       number(row, "sent"), number(row, "received-right"), number(row, "received"));
}

static void print_text(struct json_object *findings, struct json_object *list)
{
	for (size_t i = 0; i < json_object_array_length(list); i++)
		print_handshakes(json_object_array_get_idx(list, i));
	for (size_t i = 0; i < json_object_array_length(findings); i++)
		puts(json_object_get_string(json_object_array_get_idx(findings, i)));
}

static void print_json(struct json_object *findings, struct json_object *list)
{
	struct json_object *object = json_object_new_object();

	json_object_object_add(object, "version", json_object_new_int(1));
	json_object_object_add(object, "findings", json_object_get(findings));
	json_object_object_add(object, "handshakes", json_object_get(list));
	puts(json_object_to_json_string_ext(object, JSON_C_TO_STRING_SPACED));
	json_object_put(object);
}

static enum status parse_handshakes(struct words *words, uint32_t *handshakes)
{
	uint64_t number = HANDSHAKES_DEFAULT;
	enum status status = DONE;

	if (words_take(words, "handshakes"))
		status = words_number(words, "handshakes", 0, SCRATCH_CONNECTIONS_MAX, &number);
	*handshakes = number;
	return status ? status : words_end(words);
}

enum status server_check(struct words *words)
{
	struct json_object *findings, *list;
	uint32_t handshakes;
	enum status status = parse_handshakes(words, &handshakes);

	if (status)
		return status;
	findings = json_object_new_array();
	list = json_object_new_array();
	status = check(findings, handshakes, list);
	if (!status && options.json)
		print_json(findings, list);
	else if (!status)
		print_text(findings, list);
	if (!status && json_object_array_length(findings))
		status = FAILED;
	json_object_put(findings);
	json_object_put(list);
	return status;
}
