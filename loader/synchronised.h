/* SPDX-License-Identifier: GPL-2.0-only */
/* Whether the kernel says that the wall clock follows a reference. */
#ifndef SYNCHRONISED_H
#define SYNCHRONISED_H

#include <stdbool.h>
#include <sys/timex.h>

static inline bool clock_is_synchronised(void)
{
	struct timex timex = {};

	return adjtimex(&timex) != TIME_ERROR && !(timex.status & STA_UNSYNC);
}

#endif
