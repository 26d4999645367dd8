// SPDX-License-Identifier: GPL-2.0-only
/* apply: the whole configuration of a file, all or nothing. */
#include <stdio.h>

#include "../include/stamp.h"
#include "cmd.h"
#include "edit.h"
#include "fingerprint.h"
#include "horizon.h"
#include "reuse.h"
#include "synchronised.h"

/* Every token and every stamp in flight would change its meaning. */
static enum status refuse_new_index_bits(const struct config *config, const struct config *loaded,
					 bool force)
{
	if (force || !loaded->service_count || config->index_bits == loaded->index_bits)
		return DONE;
	return fail(FAILED,
		    "index-bits is %u and would become %u, which breaks every connection; "
		    "'force' does it all the same",
		    loaded->index_bits, config->index_bits);
}

static enum status check_clock(const struct config *config)
{
	char error[HORIZON_TEXT_MAX];

	if (clock_is_synchronised())
		return DONE;
	if (config->strict_clock)
		return fail(FAILED, "the clock is not synchronised, and strict-clock is on");
	horizon_print(stamp_clock_error_ms(config->index_bits), error);
	warn("the clock is not synchronised: stamps need it to %s", error);
	return DONE;
}

static enum status publish(struct edit *edit, const char *file, bool force)
{
	struct config *wanted = config_new();
	enum status status = config_read_over(file, edit->config, wanted);
	char fingerprint[17];

	if (!status)
		status = refuse_new_index_bits(wanted, edit->config, force);
	if (!status && !force)
		status = reuse_check(edit->tables, wanted);
	if (!status)
		status = check_clock(wanted);
	if (!status)
		status = tables_publish(edit->tables, wanted);
	if (!status && !options.json) {
		config_fingerprint(wanted, fingerprint);
		printf("applied: %zu services, fingerprint %s\n", wanted->service_count,
		       fingerprint);
	}
	config_free(wanted);
	return status;
}

enum status cmd_apply(struct words *words)
{
	const char *file = words_next(words);
	bool force = words_take(words, "force");
	enum status status = words_end(words);
	struct edit edit;

	if (!file)
		file = options.config_file ? options.config_file : CONFIG_FILE_DEFAULT;
	if (!status)
		status = edit_begin(&edit);
	if (status)
		return status;
	status = publish(&edit, file, force);
	edit_end(&edit);
	return status;
}
