/* SPDX-License-Identifier: GPL-2.0-only */
/* What `server run` issues keys for, and when the configuration wants it otherwise. */
#ifndef SERVER_GOAL_H
#define SERVER_GOAL_H

#include <sys/stat.h>

#include "config.h"
#include "keysearch.h"

/* The configuration and the secret in use, as they were last seen. */
struct goal_files {
	char secret[SECRET_FILE_MAX];
	struct stat seen[2];
	uint64_t horizon_ms; /* how old a stamp of this index may grow */
	bool touched;        /* by the last look; it may still be being written */
};

/* Reads the configuration. Says why it can't, or does not fit the attachment. */
enum status goal_read(const struct server_state *state, struct keysearch_goal *goal,
		      struct goal_files *files);

/* Once after a change, when it has come to rest between two calls. */
bool goal_files_changed(struct goal_files *files);

bool goal_equal(const struct keysearch_goal *a, const struct keysearch_goal *b);

#endif
