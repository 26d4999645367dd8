/* SPDX-License-Identifier: GPL-2.0-only */
/* The part of a publication that is about flow caches. */
#ifndef PUBLISH_FLOWS_H
#define PUBLISH_FLOWS_H

#include "tables_layout.h"

/*
 * Gives a service that has `flows` its caches: those that it has already, with what is in them,
 * unless their size changes. *next is where to look for a free id.
 */
enum status flows_place(struct tables *tables, const struct config_service *service, uint16_t *id,
			uint32_t *next);

/* Frees what the live bank does not name; no packet may go by the other any more. */
void flows_drop_unused(struct tables *tables);

#endif
