/* SPDX-License-Identifier: GPL-2.0-only */
/* A YAML file as a tree that is read by tables of keys; complaints name FILE:LINE:COLUMN. */
#ifndef DOCUMENT_H
#define DOCUMENT_H

#include <stdint.h>
#include <yaml.h>

#include "say.h"

#define DOCUMENT_KEYS_MAX 16

struct document {
	const char *file;
	yaml_document_t yaml;
};

/* Counted from 1; line 0 is nowhere. */
struct place {
	unsigned int line, column;
};

/* Reads a node into what the caller of document_mapping() or document_list() gave. */
typedef enum status document_reader(struct document *document, const yaml_node_t *node, void *into);

/* A row for each key that a mapping may have; the last has no word. */
struct document_key {
	const char *word;
	document_reader *read; /* NULL: the design has this key, the program not yet */
	bool required;
};

/* A row for each word that a value may be; the last has no word. */
struct document_choice {
	const char *word;
	int value; /* below 0: the design has this word, the program not yet */
};

/* On success there is a root, and document_free() is due. */
enum status document_load(struct document *document, const char *file);
void document_free(struct document *document);

struct place document_place(const yaml_node_t *node);

/* BAD_CONFIG, with a sentence that begins with FILE:LINE:COLUMN. */
enum status document_error(const struct document *document, struct place place, const char *format,
			   ...) __attribute__((format(printf, 3, 4)));

/* In each, `what` is the node's name in a sentence that says what is wrong with it. */
enum status document_mapping(struct document *document, const yaml_node_t *node, const char *what,
			     const struct document_key *keys, void *into);
enum status document_list(struct document *document, const yaml_node_t *node, const char *what,
			  document_reader *read, void *into);

/* *text lives as long as the document. */
enum status document_text(const struct document *document, const yaml_node_t *node,
			  const char *what, const char **text);
enum status document_number(const struct document *document, const yaml_node_t *node,
			    const char *what, uint64_t min, uint64_t max, uint64_t *value);
enum status document_word(const struct document *document, const yaml_node_t *node,
			  const char *what, const struct document_choice *choices, int *value);

#endif
