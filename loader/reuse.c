// SPDX-License-Identifier: GPL-2.0-only
#include <time.h>

#include "../include/stamp.h"
#include "address.h"
#include "horizon.h"
#include "reuse.h"

/* How long stamps may still name the backend that had the index. A clock set back counts as none.
 */
static uint64_t rest_ms(const struct backend *line, const struct config *wanted, uint32_t index)
{
	uint64_t horizon = stamp_horizon_ms(horizon_gap(wanted, index), wanted->index_bits);
	uint64_t now = time(NULL), age = 0;

	if (now > line->removed_at)
		age = (now - line->removed_at) * 1000;
	return age < horizon ? horizon - age : 0;
}

static enum status check(const struct backend *line, const struct config *wanted, uint32_t index)
{
	const struct address *address = &wanted->backends[index].address;
	char rest[HORIZON_TEXT_MAX];
	uint64_t ms;

	if (address_is_zero(&line->address) || address_equal(&line->address, address))
		return DONE;
	if (line->assigned)
		return fail(FAILED,
			    "backend %u is at %s, whose connections would go to the new address; "
			    "'force' does it all the same",
			    index, address_print(&line->address).text);
	ms = rest_ms(line, wanted, index);
	if (!ms)
		return DONE;
	horizon_print(ms, rest);
	return fail(FAILED,
		    "index %u was %s not long ago, and idle connections may come back to it for "
		    "%s; 'force' gives it away all the same",
		    index, address_print(&line->address).text, rest);
}

enum status reuse_check(struct tables *tables, const struct config *wanted)
{
	enum status status = DONE;

	for (uint32_t i = 0; !status && i < MAX_BACKENDS; i++)
		if (wanted->backends[i].assigned)
			status = check(tables_backend(tables, i), wanted, i);
	return status;
}
