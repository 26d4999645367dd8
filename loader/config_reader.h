/* SPDX-License-Identifier: GPL-2.0-only */
/* What the two halves of the reader share: the configuration, and where the file says what. */
#ifndef CONFIG_READER_H
#define CONFIG_READER_H

#include "config.h"
#include "document.h"

#define NOT_BUILT (-1)

/* By index, or by place in config->services. */
struct places {
	struct place cluster, epoch;
	struct place backend[MAX_BACKENDS];
	struct place address[MAX_BACKENDS];
	struct place lladdr[MAX_BACKENDS];
	struct place forward[MAX_BACKENDS];
	struct place state[MAX_BACKENDS];
	struct place service[MAX_SERVICES];
	struct place join_port[MAX_SERVICES]; /* line 0: it has none */
};

struct reader {
	struct document document;
	struct config *config;
	const struct config *loaded; /* whose secrets "-" keeps; NULL: none */
	struct places places;
	const yaml_node_t *cluster, *services; /* NULL: not in the file */
};

/* The value of on and of off. */
extern const struct document_choice document_on_off[];

/* Reads an item of `services`; into is the reader, whose index_bits are known by now. */
document_reader read_service;

#endif
