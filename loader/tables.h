/* SPDX-License-Identifier: GPL-2.0-only */
/* Configuration to maps and back: the only file that touches the balancer's maps. */
#ifndef TABLES_H
#define TABLES_H

#include "config.h"

#define PIN_DIR_DEFAULT "/sys/fs/bpf/mptcp-lb"

/*
 * The maps pinned in a directory, locked against every other command until closed.
 * Opaque. tables_open() says so and returns NOT_LOADED where there are none.
 */
struct tables;
enum status tables_open(const char *pin_dir, struct tables **tables);
/* Whether the maps there are such as this version goes by: says why not. Takes no lock. */
enum status tables_check(const char *pin_dir);
void tables_close(struct tables *tables);

/* What the live bank holds; config comes from config_new(). */
enum status tables_read(struct tables *tables, struct config *config);

/*
 * Fills the other bank and flips the generation, all or nothing. On failure nothing
 * has changed for packets.
 */
enum status tables_publish(struct tables *tables, const struct config *config);

/* The state map, mapped: readable and, for tests, writable. */
struct state *tables_state(struct tables *tables);

/* The live line of a backend: what the neighbours said is in there. */
const struct backend *tables_backend(struct tables *tables, uint32_t index);

/* Sums of the per-CPU counters, COUNTERS of them, into an array that the caller frees. */
enum status tables_counters(struct tables *tables, uint64_t **sums);

/* Adds one value of `stamped` to the places that it would have among COUNTERS. */
void tables_add_stamped(uint64_t sums[static COUNTERS], uint32_t part,
			const struct stamped *stamped);

/* The id of the live service at an address and port, 0 if there is none. */
uint16_t tables_service_id(struct tables *tables, const struct address *address, uint16_t port);

#endif
