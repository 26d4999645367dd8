/* SPDX-License-Identifier: GPL-2.0-only */
/* Which backend of the configuration this host is. */
#ifndef SERVER_IDENTITY_H
#define SERVER_IDENTITY_H

#include <net/if.h>

#include "config.h"

#define INDEX_UNKNOWN UINT32_MAX

/*
 * Sets *index to the backend whose address this host has, unless it is given; says so
 * where there is none, or no service has it for a backend.
 */
enum status identity_find(const struct config *config, uint32_t *index);

/* Whether this host has an address, and on which device. */
bool identity_find_address(const struct address *address, char device[static IF_NAMESIZE]);

#endif
