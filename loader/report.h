/* SPDX-License-Identifier: GPL-2.0-only */
/* What the running balancer shows: built as JSON, printed as such or as text. */
#ifndef REPORT_H
#define REPORT_H

#include <json-c/json.h>

#include "edit.h"

/*
 * Prints on stdout and releases: JSON with "version": 1 under -j; else indented text, a
 * line for an object's plain values and, below it, its lists.
 */
void report(struct json_object *object);

/* {"backends": [...]}, {"services": [...]}; only: MAX_BACKENDS or NULL for all of them. */
struct json_object *report_backends(const struct edit *edit, uint32_t only);
struct json_object *report_services(const struct edit *edit, const struct config_service *only);

/* {"secrets": [...]}: which epochs have one, and its file; never the secret. */
struct json_object *report_secrets(const struct edit *edit);

/* Appends "key": value; each takes over what it is given. */
void report_text(struct json_object *object, const char *key, const char *text);
void report_number(struct json_object *object, const char *key, uint64_t number);
void report_add(struct json_object *object, const char *key, struct json_object *value);

#endif
