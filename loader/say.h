/* SPDX-License-Identifier: GPL-2.0-only */
/* What the user is told: one sentence per error on stderr, and the exit status. */
#ifndef SAY_H
#define SAY_H

#include <stdbool.h>

/* Exit status, and what functions return that may fail in the user's sight. */
enum status {
	DONE = 0,
	FAILED = 1, /* or findings */
	USAGE = 2,
	NOT_LOADED = 3,
	BAD_CONFIG = 4,
};

/* What stands before or after the noun on the command line. */
struct options {
	bool json;               /* -j */
	const char *pin_dir;     /* -p */
	const char *config_file; /* -c */
};

extern struct options options;

/*
 * Says why, once, in the user's words, without a final full stop; returns status so
 * that `return fail(...)` reads well. Under -j it is {"error": ..., "status": ...}.
 */
enum status fail(enum status status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Something that the user should know but that stops nothing. */
void warn(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
