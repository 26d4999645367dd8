// SPDX-License-Identifier: GPL-2.0-only
#include <json-c/json.h>
#include <stdarg.h>
#include <stdio.h>

#include "say.h"

#define SENTENCE_MAX 512

static void say_json(const char *key, const char *sentence, enum status status)
{
	struct json_object *object = json_object_new_object();

	json_object_object_add(object, "version", json_object_new_int(1));
	json_object_object_add(object, key, json_object_new_string(sentence));
	if (status)
		json_object_object_add(object, "status", json_object_new_int(status));
	fprintf(stderr, "%s\n",
		json_object_to_json_string_ext(object, JSON_C_TO_STRING_SPACED |
							       JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(object);
}

enum status fail(enum status status, const char *format, ...)
{
	char sentence[SENTENCE_MAX];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(sentence, sizeof(sentence), format, arguments);
	va_end(arguments);
	if (options.json)
		say_json("error", sentence, status);
	else
		fprintf(stderr, "mptcp-lb: %s\n", sentence);
	return status;
}

void warn(const char *format, ...)
{
	char sentence[SENTENCE_MAX];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(sentence, sizeof(sentence), format, arguments);
	va_end(arguments);
	if (options.json)
		say_json("warning", sentence, DONE);
	else
		fprintf(stderr, "mptcp-lb: warning: %s\n", sentence);
}
