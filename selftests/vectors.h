/* SPDX-License-Identifier: GPL-2.0-only */
/* The golden vectors: sections of lines in selftests/vectors.txt and vectors-more.txt. */
#ifndef VECTORS_H
#define VECTORS_H

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tap.h"

static char vectors_directory[PATH_MAX];

/* To be called in the repository's root, where tests are started. */
static inline void vectors_locate(void)
{
	if (!realpath("selftests", vectors_directory))
		abort();
}

static inline bool vectors_title_is(const char *line, const char *title)
{
	return !strncmp(line + 2, title, strlen(title)) && line[2 + strlen(title)] == ':';
}

/* How many lines of a file's sections of this title are right; -1 if one is wrong. */
static inline int vectors_check_file(const char *name, const char *title,
				     bool (*check)(const char *line))
{
	char path[PATH_MAX + 32], line[512];
	bool inside = false;
	int right = 0;
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", vectors_directory, name);
	file = fopen(path, "r");
	while (file && right >= 0 && fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = 0;
		if (line[0] == '#') {
			inside = vectors_title_is(line, title);
		} else if (inside && check(line)) {
			right++;
		} else if (inside) {
			diag("%s: %s", name, line);
			right = -1;
		}
	}
	if (file)
		fclose(file);
	return file ? right : -1;
}

/* As above, over both files. */
static inline int vectors_check(const char *title, bool (*check)(const char *line))
{
	int given = vectors_check_file("vectors.txt", title, check);
	int ours = vectors_check_file("vectors-more.txt", title, check);

	return given < 0 || ours < 0 ? -1 : given + ours;
}

#endif
