// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <string.h>

#include "../include/stamp.h"
#include "horizon.h"
#include "server_goal.h"

static const char *config_file(void)
{
	return options.config_file ? options.config_file : CONFIG_FILE_DEFAULT;
}

static enum status goal_of(const struct config *config, const struct server_state *state,
			   struct keysearch_goal *goal)
{
	if (config->index_bits != state->index_bits)
		return fail(BAD_CONFIG,
			    "the server side was attached with index-bits %u, and the "
			    "configuration says %u",
			    state->index_bits, config->index_bits);
	if (!config->secrets[config->epoch].present)
		return fail(BAD_CONFIG,
			    "there is no secret for epoch %u, under which keys are issued",
			    config->epoch);
	*goal = (struct keysearch_goal){
		.secret = config->secrets[config->epoch].secret,
		.epoch = config->epoch,
		.index_bits = state->index_bits,
		.index = state->index,
		.version = MPTCP_V1, /* the only one that Linux speaks */
	};
	return DONE;
}

/* A file that is gone is seen as all zeros. */
static void look(const struct goal_files *files, struct stat seen[static 2])
{
	memset(seen, 0, 2 * sizeof(*seen));
	stat(config_file(), &seen[0]);
	stat(files->secret, &seen[1]);
}

/* The files are seen before they are read: what is changed meanwhile is read again. */
enum status goal_read(const struct server_state *state, struct keysearch_goal *goal,
		      struct goal_files *files)
{
	struct config *config = config_new();
	enum status status;

	look(files, files->seen);
	status = config_read(config_file(), config);
	if (!status)
		status = goal_of(config, state, goal);
	if (!status)
		files->horizon_ms =
			stamp_horizon_ms(horizon_gap(config, state->index), state->index_bits);
	if (!status && strcmp(files->secret, config->secrets[config->epoch].file)) {
		snprintf(files->secret, sizeof(files->secret), "%s",
			 config->secrets[config->epoch].file);
		stat(files->secret, &files->seen[1]);
	}
	config_free(config);
	return status;
}

static bool is_same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

bool goal_files_changed(struct goal_files *files)
{
	bool was_touched = files->touched;
	struct stat now[2];

	look(files, now);
	files->touched = !is_same(&now[0], &files->seen[0]) || !is_same(&now[1], &files->seen[1]);
	memcpy(files->seen, now, sizeof(now));
	return was_touched && !files->touched;
}

bool goal_equal(const struct keysearch_goal *a, const struct keysearch_goal *b)
{
	return a->epoch == b->epoch && a->index_bits == b->index_bits && a->index == b->index &&
	       !memcmp(&a->secret, &b->secret, sizeof(a->secret));
}
