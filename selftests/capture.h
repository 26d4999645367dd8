/* SPDX-License-Identifier: GPL-2.0-only */
/* A directory of a test's own, and what a call prints there on stdout and stderr. */
#ifndef CAPTURE_H
#define CAPTURE_H

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CAPTURE_MAX 131072

struct capture {
	int fd;   /* 1 or 2 */
	int kept; /* what it was */
	FILE *file;
	char text[CAPTURE_MAX];
};

static inline void capture_begin(struct capture *capture, int fd)
{
	fflush(NULL);
	capture->fd = fd;
	capture->kept = dup(fd);
	capture->file = tmpfile();
	if (!capture->file || dup2(fileno(capture->file), fd) < 0)
		abort();
}

static inline void capture_end(struct capture *capture)
{
	fflush(NULL);
	dup2(capture->kept, capture->fd);
	close(capture->kept);
	rewind(capture->file);
	capture->text[fread(capture->text, 1, CAPTURE_MAX - 1, capture->file)] = 0;
	fclose(capture->file);
}

/* Replaces the working directory's name by "DIR", so that sentences can be compared. */
static inline void capture_hide_directory(struct capture *capture)
{
	char directory[PATH_MAX], *at;

	if (!getcwd(directory, sizeof(directory)))
		abort();
	while ((at = strstr(capture->text, directory))) {
		memmove(at + 3, at + strlen(directory), strlen(at + strlen(directory)) + 1);
		memcpy(at, "DIR", 3);
	}
}

static inline void write_file(const char *name, const char *text, mode_t mode)
{
	FILE *file = fopen(name, "w");

	if (!file || fputs(text, file) < 0 || fclose(file) || chmod(name, mode))
		abort();
}

/* Makes a directory and goes there; leave_directory() removes it with all its files. */
static inline void enter_directory(void)
{
	char name[] = "/tmp/mptcp-lb-test-XXXXXX";

	if (!mkdtemp(name) || chdir(name))
		abort();
}

static inline void leave_directory(void)
{
	if (system("rm -rf -- \"$PWD\""))
		abort();
}

#endif
