/* SPDX-License-Identifier: GPL-2.0-only */
/* Which devices of this network namespace the balancer's programs are attached to. */
#ifndef ATTACHMENT_H
#define ATTACHMENT_H

#include <stddef.h>
#include <stdint.h>

#include "say.h"

struct attachment {
	uint32_t ifindex;
	const char *mode; /* "native" or "generic" */
	bool other;       /* an XDP program that is not ours */
};

/* What is attached to a device. False: no XDP program at all. */
bool attachment_query(uint32_t ifindex, struct attachment *attachment);

/* How many devices ours is attached to; their names go into text, with commas between. */
int attachment_list(char *text, size_t size);

#endif
