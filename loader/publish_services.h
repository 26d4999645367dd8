/* SPDX-License-Identifier: GPL-2.0-only */
/* The part of a publication that is about services: their lines, ids and rings. */
#ifndef PUBLISH_SERVICES_H
#define PUBLISH_SERVICES_H

#include "tables_layout.h"

/* Fills a bank that no packet goes by. */
enum status publish_services(struct tables *tables, uint32_t bank, const struct config *config);

/* Returns when no packet goes by what was there before. */
enum status rings_write(struct tables *tables, uint32_t id, const struct ring *ring);

/* Frees what the live bank does not name; no packet may go by the other any more. */
void rings_drop_unused(struct tables *tables);

#endif
