// SPDX-License-Identifier: GPL-2.0-only
/* Reads YAML with libyaml, keeping the place of every node. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "document.h"

#define SENTENCE_MAX 384
#define LIST_MAX 160

static struct place place_of(yaml_mark_t mark)
{
	return (struct place){ mark.line + 1, mark.column + 1 };
}

struct place document_place(const yaml_node_t *node)
{
	return place_of(node->start_mark);
}

enum status document_error(const struct document *document, struct place place, const char *format,
			   ...)
{
	char sentence[SENTENCE_MAX];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(sentence, sizeof(sentence), format, arguments);
	va_end(arguments);
	return fail(BAD_CONFIG, "%s:%u:%u: %s", document->file, place.line, place.column, sentence);
}

/* libyaml gives bytes that are no text an offset only. Their column is counted in bytes. */
static struct place place_of_offset(FILE *stream, size_t offset)
{
	struct place place = { 1, 1 };

	rewind(stream);
	while (offset-- > 0) {
		bool newline = fgetc(stream) == '\n';

		place.line += newline;
		place.column = newline ? 1 : place.column + 1;
	}
	return place;
}

static enum status parser_error(const struct document *document, const yaml_parser_t *parser,
				FILE *stream)
{
	struct place place = place_of(parser->problem_mark);

	if (ferror(stream))
		return fail(FAILED, "cannot read %s: %s", document->file, strerror(errno));
	if (parser->error == YAML_MEMORY_ERROR)
		return fail(FAILED, "not enough memory to read %s", document->file);
	if (parser->error == YAML_READER_ERROR)
		place = place_of_offset(stream, parser->problem_offset);
	return document_error(document, place, "not YAML: %s", parser->problem);
}

static enum status refuse_second(const struct document *document, yaml_parser_t *parser,
				 FILE *stream)
{
	enum status status = DONE;
	yaml_document_t second;

	if (!yaml_parser_load(parser, &second))
		return parser_error(document, parser, stream);
	if (yaml_document_get_root_node(&second))
		status = document_error(document, place_of(second.start_mark),
					"a second document begins here; there can be only one");
	yaml_document_delete(&second);
	return status;
}

static enum status load_only(struct document *document, yaml_parser_t *parser, FILE *stream)
{
	enum status status;

	if (!yaml_parser_load(parser, &document->yaml))
		return parser_error(document, parser, stream);
	if (!yaml_document_get_root_node(&document->yaml))
		status = document_error(document, (struct place){ 1, 1 }, "the file is empty");
	else
		status = refuse_second(document, parser, stream);
	if (status)
		document_free(document);
	return status;
}

enum status document_load(struct document *document, const char *file)
{
	FILE *stream = fopen(file, "re");
	enum status status;
	yaml_parser_t parser;

	document->file = file;
	if (!stream)
		return fail(FAILED, "cannot open %s: %s", file, strerror(errno));
	if (yaml_parser_initialize(&parser)) {
		yaml_parser_set_input_file(&parser, stream);
		status = load_only(document, &parser, stream);
		yaml_parser_delete(&parser);
	} else {
		status = fail(FAILED, "not enough memory to read %s", file);
	}
	fclose(stream);
	return status;
}

void document_free(struct document *document)
{
	yaml_document_delete(&document->yaml);
}

enum status document_text(const struct document *document, const yaml_node_t *node,
			  const char *what, const char **text)
{
	if (node->type != YAML_SCALAR_NODE)
		return document_error(document, document_place(node),
				      "%s must be one value, not a %s", what,
				      node->type == YAML_MAPPING_NODE ? "mapping" : "list");
	*text = (const char *)node->data.scalar.value;
	if (strlen(*text) != node->data.scalar.length)
		return document_error(document, document_place(node), "%s holds a zero byte", what);
	return DONE;
}

/* Appends a word to "a, b and c" as item `at` of `count`. */
static void list_word(char list[static LIST_MAX], const char *word, size_t at, size_t count,
		      const char *conjunction)
{
	size_t length = strlen(list);
	const char *before = "";

	if (at)
		before = at + 1 < count ? ", " : conjunction;
	snprintf(list + length, LIST_MAX - length, "%s%s", before, word);
}

static enum status unknown_key(const struct document *document, const yaml_node_t *node,
			       const char *word, const char *what, const struct document_key *keys)
{
	char list[LIST_MAX] = "";
	size_t count = 0, at = 0;

	for (const struct document_key *key = keys; key->word; key++)
		count += !!key->read;
	for (const struct document_key *key = keys; key->word; key++)
		if (key->read)
			list_word(list, key->word, at++, count, " and ");
	return document_error(document, document_place(node), "unknown key '%s'; %s has %s", word,
			      what, list);
}

/* seen: by row of keys, where it was. */
static enum status read_pair(struct document *document, const yaml_node_pair_t *pair,
			     const char *what, const struct document_key *keys, struct place *seen,
			     void *into)
{
	const yaml_node_t *node = yaml_document_get_node(&document->yaml, pair->key);
	size_t row = 0;
	enum status status;
	const char *word;

	status = document_text(document, node, "a key", &word);
	if (status)
		return status;
	while (keys[row].word && strcmp(keys[row].word, word))
		row++;
	if (!keys[row].word)
		return unknown_key(document, node, word, what, keys);
	if (!keys[row].read)
		return document_error(document, document_place(node),
				      "%s is not built yet; leave it out", word);
	if (seen[row].line)
		return document_error(document, document_place(node),
				      "%s is said twice, first at line %u", word, seen[row].line);
	seen[row] = document_place(node);
	return keys[row].read(document, yaml_document_get_node(&document->yaml, pair->value), into);
}

enum status document_mapping(struct document *document, const yaml_node_t *node, const char *what,
			     const struct document_key *keys, void *into)
{
	struct place seen[DOCUMENT_KEYS_MAX] = { 0 };
	enum status status;

	if (node->type != YAML_MAPPING_NODE)
		return document_error(document, document_place(node),
				      "%s must be a mapping of keys to values", what);
	for (const yaml_node_pair_t *pair = node->data.mapping.pairs.start;
	     pair < node->data.mapping.pairs.top; pair++) {
		status = read_pair(document, pair, what, keys, seen, into);
		if (status)
			return status;
	}
	for (size_t row = 0; keys[row].word; row++)
		if (keys[row].required && !seen[row].line)
			return document_error(document, document_place(node), "%s needs %s", what,
					      keys[row].word);
	return DONE;
}

enum status document_list(struct document *document, const yaml_node_t *node, const char *what,
			  document_reader *read, void *into)
{
	enum status status = DONE;

	if (node->type != YAML_SEQUENCE_NODE)
		return document_error(document, document_place(node), "%s must be a list", what);
	for (const yaml_node_item_t *item = node->data.sequence.items.start;
	     !status && item < node->data.sequence.items.top; item++)
		status = read(document, yaml_document_get_node(&document->yaml, *item), into);
	return status;
}

/* Decimal without a leading zero, which YAML 1.1 would take for octal. */
static bool parse_decimal(const char *text, uint64_t *value)
{
	size_t digits = strspn(text, "0123456789");

	if (!digits || text[digits] || (text[0] == '0' && digits > 1))
		return false;
	errno = 0;
	*value = strtoull(text, NULL, 10);
	return !errno;
}

enum status document_number(const struct document *document, const yaml_node_t *node,
			    const char *what, uint64_t min, uint64_t max, uint64_t *value)
{
	const char *text;
	enum status status = document_text(document, node, what, &text);

	if (status)
		return status;
	if (!parse_decimal(text, value) || *value < min || *value > max)
		return document_error(document, document_place(node),
				      "%s must be a number from %llu to %llu, not '%s'", what,
				      (unsigned long long)min, (unsigned long long)max, text);
	return DONE;
}

static void list_choices(char list[static LIST_MAX], const struct document_choice *choices)
{
	size_t count = 0, at = 0;

	for (const struct document_choice *choice = choices; choice->word; choice++)
		count += choice->value >= 0;
	for (const struct document_choice *choice = choices; choice->word; choice++)
		if (choice->value >= 0)
			list_word(list, choice->word, at++, count, " or ");
}

enum status document_word(const struct document *document, const yaml_node_t *node,
			  const char *what, const struct document_choice *choices, int *value)
{
	const struct document_choice *choice = choices;
	char list[LIST_MAX] = "";
	const char *text;
	enum status status = document_text(document, node, what, &text);

	if (status)
		return status;
	while (choice->word && strcmp(choice->word, text))
		choice++;
	*value = choice->value;
	if (choice->word && choice->value >= 0)
		return DONE;
	list_choices(list, choices);
	if (choice->word)
		return document_error(document, document_place(node),
				      "%s '%s' is not built yet; use %s", what, text, list);
	return document_error(document, document_place(node), "%s must be %s, not '%s'", what, list,
			      text);
}
