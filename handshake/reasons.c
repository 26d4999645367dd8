// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The table of reasons. */
#include "../include/mptcp_reason.h"

struct entry {
	enum mptcp_action action;
	const char *words;
};

#define REASON_ENTRY(name, action, words) { action, words },
static const struct entry entries[] = { MPTCP_REASONS(REASON_ENTRY) };

enum mptcp_action mptcp_reason_action(enum mptcp_reason reason)
{
	return entries[reason].action;
}

const char *mptcp_reason_words(enum mptcp_reason reason)
{
	return entries[reason].words;
}
