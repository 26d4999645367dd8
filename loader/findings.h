/* SPDX-License-Identifier: GPL-2.0-only */
/* What `server check` finds: a sentence each, with what to do about it. */
#ifndef FINDINGS_H
#define FINDINGS_H

#include <json-c/json.h>

#include "config.h"
#include "server_maps.h"

void find(struct json_object *findings, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* What is wrong with the kernel and its settings, attached or not. */
void find_in_kernel(struct json_object *findings);

/* What of this host's network is not as a backend's must be. */
void find_in_network(struct json_object *findings, struct server_maps *maps);

/* What the attachment, its queue of keys and its listeners lack. config: may be NULL. */
void find_in_attachment(struct json_object *findings, struct server_maps *maps,
			const struct config *config);

/*
 * Makes so many handshakes with each service's listener; appends to `list` how they went, and to
 * findings what is wrong with them. config: may be NULL, then tokens are not judged.
 */
enum status find_by_handshakes(struct json_object *findings, struct server_maps *maps,
			       const struct config *config, uint32_t handshakes,
			       struct json_object *list);

#endif
