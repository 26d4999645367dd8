// SPDX-License-Identifier: GPL-2.0-only
/* The configuration file as a whole, and its `cluster`. */
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "address.h"
#include "config_reader.h"
#include "problem.h"
#include "secret_file.h"

const struct document_choice document_on_off[] = { { "on", 1 }, { "off", 0 }, { 0 } };

static enum status read_index_bits(struct document *document, const yaml_node_t *node, void *into)
{
	struct reader *reader = into;
	uint64_t value = 0;
	enum status status = document_number(document, node, "index-bits", TOKEN_INDEX_BITS_MIN,
					     TOKEN_INDEX_BITS_MAX, &value);

	reader->config->index_bits = value;
	return status;
}

static enum status read_ring_seed(struct document *document, const yaml_node_t *node, void *into)
{
	struct reader *reader = into;

	return document_number(document, node, "ring-seed", 0, UINT64_MAX,
			       &reader->config->ring_seed);
}

static enum status read_epoch(struct document *document, const yaml_node_t *node, void *into)
{
	struct reader *reader = into;
	uint64_t value = 0;
	enum status status = document_number(document, node, "epoch", 0, TOKEN_EPOCHS - 1, &value);

	reader->config->epoch = value;
	reader->places.epoch = document_place(node);
	return status;
}

static enum status read_strict_clock(struct document *document, const yaml_node_t *node, void *into)
{
	struct reader *reader = into;
	int value = 0;
	enum status status = document_word(document, node, "strict-clock", document_on_off, &value);

	reader->config->strict_clock = value;
	return status;
}

static enum status read_prefix(struct document *document, const yaml_node_t *node, const char *what,
			       bool v4, struct prefix *prefix)
{
	const char *text;
	enum status status = document_text(document, node, what, &text);

	if (status)
		return status;
	if (!prefix_parse(text, prefix) || address_is_v4(&prefix->address) != v4)
		return document_error(document, document_place(node),
				      "%s must be an %s prefix such as %s, not '%s'", what,
				      v4 ? "IPv4" : "IPv6",
				      v4 ? "100.64.0.0/24" : "2001:db8:64::/96", text);
	return DONE;
}

static enum status read_tunnel_source(struct document *document, const yaml_node_t *node,
				      void *into)
{
	struct reader *reader = into;

	return read_prefix(document, node, "tunnel-source", true, &reader->config->tunnel_source);
}

static enum status read_tunnel_source_v6(struct document *document, const yaml_node_t *node,
					 void *into)
{
	struct reader *reader = into;

	return read_prefix(document, node, "tunnel-source-v6", false,
			   &reader->config->tunnel_source_v6);
}

static enum status read_df_clear(struct document *document, const yaml_node_t *node, void *into)
{
	static const struct document_choice choices[] = { { "too-big", DF_CLEAR_TOO_BIG },
							  { "fragment", DF_CLEAR_FRAGMENT },
							  { 0 } };
	struct reader *reader = into;
	int value = 0;
	enum status status = document_word(document, node, "df-clear", choices, &value);

	reader->config->df_clear = value;
	return status;
}

/* Absolute, as maps keep it for commands that run elsewhere. False if it is too long. */
static bool secret_path(const char *config_file, const char *file,
			char path[static SECRET_FILE_MAX])
{
	char directory[PATH_MAX] = "", near[PATH_MAX];

	if (file[0] != '/') {
		snprintf(near, sizeof(near), "%s", config_file);
		if (!realpath(dirname(near), directory))
			snprintf(directory, sizeof(directory), ".");
		strncat(directory, "/", sizeof(directory) - strlen(directory) - 1);
	}
	return snprintf(path, SECRET_FILE_MAX, "%s%s", directory, file) < SECRET_FILE_MAX;
}

static enum status keep_secret(const struct reader *reader, struct place place, uint64_t epoch)
{
	const struct config_secret *loaded =
		reader->loaded ? &reader->loaded->secrets[epoch] : NULL;

	if (!loaded)
		return document_error(&reader->document, place,
				      "secret '-' is the loaded one, which only apply knows");
	if (!loaded->present)
		return document_error(&reader->document, place,
				      "secret '-' is the loaded one, but none is loaded");
	reader->config->secrets[epoch] = *loaded;
	return DONE;
}

static enum status load_secret(const struct reader *reader, struct place place, const char *file,
			       struct config_secret *secret)
{
	const struct document *document = &reader->document;
	char why[SECRET_WHY_MAX];
	enum status status;

	if (!secret_path(document->file, file, secret->file))
		return document_error(document, place, "a secret file's path has at most %d bytes",
				      SECRET_FILE_MAX - 1);
	status = secret_load(secret->file, &secret->secret, why);
	if (status)
		return fail(status, "%s:%u:%u: secret file %s %s", document->file, place.line,
			    place.column, file, why);
	secret->present = true;
	return DONE;
}

static enum status read_secret(struct reader *reader, const yaml_node_pair_t *pair)
{
	struct document *document = &reader->document;
	const yaml_node_t *key = yaml_document_get_node(&document->yaml, pair->key);
	const yaml_node_t *value = yaml_document_get_node(&document->yaml, pair->value);
	uint64_t epoch;
	const char *file;
	enum status status =
		document_number(document, key, "a secret's epoch", 0, TOKEN_EPOCHS - 1, &epoch);

	if (!status)
		status = document_text(document, value, "a secret's file", &file);
	if (status)
		return status;
	if (reader->config->secrets[epoch].present)
		return document_error(document, document_place(key), "epoch %u has two secrets",
				      (unsigned int)epoch);
	if (!*file)
		return document_error(document, document_place(value),
				      "a secret needs the name of its file");
	if (!strcmp(file, "-"))
		return keep_secret(reader, document_place(value), epoch);
	return load_secret(reader, document_place(value), file, &reader->config->secrets[epoch]);
}

static enum status read_secrets(struct document *document, const yaml_node_t *node, void *into)
{
	enum status status = DONE;

	if (node->type != YAML_MAPPING_NODE)
		return document_error(document, document_place(node),
				      "secrets must be a mapping of epochs to files");
	for (const yaml_node_pair_t *pair = node->data.mapping.pairs.start;
	     !status && pair < node->data.mapping.pairs.top; pair++)
		status = read_secret(into, pair);
	return status;
}

static const struct document_key cluster_keys[] = {
	{ "index-bits", read_index_bits, false },
	{ "ring-seed", read_ring_seed, false },
	{ "epoch", read_epoch, false },
	{ "secrets", read_secrets, false },
	{ "strict-clock", read_strict_clock, false },
	{ "tunnel-source", read_tunnel_source, false },
	{ "tunnel-source-v6", read_tunnel_source_v6, false },
	{ "df-clear", read_df_clear, false },
	{ 0 },
};

static enum status note_cluster(struct document *document, const yaml_node_t *node, void *into)
{
	struct reader *reader = into;

	(void)document;
	reader->cluster = node;
	return DONE;
}

static enum status note_services(struct document *document, const yaml_node_t *node, void *into)
{
	struct reader *reader = into;

	(void)document;
	reader->services = node;
	return DONE;
}

static const struct document_key file_keys[] = {
	{ "cluster", note_cluster, false },
	{ "services", note_services, false },
	{ 0 },
};

static struct place place_of_problem(const struct reader *reader, const struct problem *problem)
{
	const struct places *places = &reader->places;

	if (problem->about == ABOUT_BACKEND)
		return places->address[problem->which].line ? places->address[problem->which]
							    : places->backend[problem->which];
	if (problem->about == ABOUT_JOIN_PORT && places->join_port[problem->which].line)
		return places->join_port[problem->which];
	if (problem->about == ABOUT_SERVICE || problem->about == ABOUT_JOIN_PORT)
		return places->service[problem->which];
	return places->epoch.line ? places->epoch : places->cluster;
}

/* The cluster first, wherever it stands: index-bits bounds every index. */
static enum status read_file(struct reader *reader)
{
	struct document *document = &reader->document;
	yaml_node_t *root = yaml_document_get_root_node(&document->yaml);
	struct problem problem;
	enum status status = document_mapping(document, root, "the file", file_keys, reader);

	reader->places.cluster = document_place(reader->cluster ? reader->cluster : root);
	if (!status && reader->cluster)
		status = document_mapping(document, reader->cluster, "cluster", cluster_keys,
					  reader);
	if (!status && reader->services)
		status =
			document_list(document, reader->services, "services", read_service, reader);
	if (!status && config_has_problem(reader->config, &problem))
		status = document_error(document, place_of_problem(reader, &problem), "%s",
					problem.sentence);
	return status;
}

enum status config_read_over(const char *file, const struct config *loaded, struct config *config)
{
	struct reader *reader = calloc(1, sizeof(*reader));
	enum status status;

	if (!reader)
		return fail(FAILED, "not enough memory to read %s", file);
	reader->config = config;
	reader->loaded = loaded;
	status = document_load(&reader->document, file);
	if (!status) {
		status = read_file(reader);
		document_free(&reader->document);
	}
	free(reader);
	return status;
}

enum status config_read(const char *file, struct config *config)
{
	return config_read_over(file, NULL, config);
}
