/* SPDX-License-Identifier: GPL-2.0-only */
/* The balancer's maps as tables.c and publish.c hold them; no other file includes this. */
#ifndef TABLES_LAYOUT_H
#define TABLES_LAYOUT_H

#include "tables.h"

enum map {
	STATE,
	SERVICES,
	BACKENDS,
	SECRETS,
	RINGS,
	FLOWS,
	COUNTERS_MAP,
	STAMPED_MAP,
	DEVICES,
	MAPS
};

struct tables {
	int directory; /* locked */
	int fd[MAPS];
	void *memory[MAPS]; /* NULL where a map is read and written by system call */
};

static inline struct service *services_of(struct tables *tables, uint32_t bank)
{
	return (struct service *)tables->memory[SERVICES] + bank * SERVICE_LINES;
}

static inline struct backend *backends_of(struct tables *tables, uint32_t bank)
{
	return (struct backend *)tables->memory[BACKENDS] + bank * MAX_BACKENDS;
}

static inline struct secret *secrets_of(struct tables *tables, uint32_t bank)
{
	return (struct secret *)tables->memory[SECRETS] + bank * TOKEN_EPOCHS;
}

static inline uint32_t live_bank(struct tables *tables)
{
	return tables_state(tables)->generation % BANKS;
}

/*
 * To be called before the id is used: a killed command leaves nothing that is not found. There
 * is no looking at all ids, for up to Linux 6.7 each look into a map of maps waits for RCU.
 */
static inline void tables_note_end(uint32_t *end, uint32_t id)
{
	if (*end <= id)
		*end = id + 1;
}

/* The live line of a service, NULL if there is none. port: host order. */
const struct service *tables_find_service(struct tables *tables, const struct address *address,
					  uint16_t port);

/* From now on packets of services with these ids are counted from 0. No others are missed. */
enum status tables_clear_counters(struct tables *tables, const uint16_t *ids, size_t count);

/* False if there is no ring of that id. */
bool tables_read_ring(struct tables *tables, uint32_t id, struct ring *ring);

#endif
