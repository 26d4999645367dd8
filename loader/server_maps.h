/* SPDX-License-Identifier: GPL-2.0-only */
/* The server side's maps: no file but server_maps.c and server_entries.c touches them. */
#ifndef SERVER_MAPS_H
#define SERVER_MAPS_H

#include <stdbool.h>

#include "../include/server.h"
#include "say.h"

struct server_maps;

/*
 * The maps pinned in DIR/server/. server_maps_open() says so and returns NOT_LOADED where
 * there are none, and FAILED where they belong to another network namespace. The other
 * function is for who has just loaded them and will fill in the state.
 */
enum status server_maps_open(const char *pin_dir, struct server_maps **maps);
enum status server_maps_open_new(const char *pin_dir, struct server_maps **maps);
void server_maps_close(struct server_maps *maps);

/* Whether a server side is attached, of whatever version. Says nothing. */
bool server_maps_attached(const char *pin_dir);

/*
 * The lock of DIR/server/, so that one attach or detach works at a time: a descriptor to
 * close. Fails where another one is at work.
 */
enum status server_maps_lock(const char *pin_dir, int *lock);

/* Likewise, without a word: -1 if it is not to be had. */
int server_maps_try_lock(const char *pin_dir);

/*
 * `server run` claims the queue of keys for as long as the maps are open; false if another
 * one has. The other function only asks whether one has.
 */
bool server_maps_claim_queue(struct server_maps *maps);
bool server_maps_queue_is_claimed(struct server_maps *maps);

/*
 * The state map, mapped: readable and writable while the maps are open. Its abi is 0 once the
 * server side has been detached.
 */
struct server_state *server_maps_state(struct server_maps *maps);

/* Both return 0, or -errno: -E2BIG if the queue is full, -ENOENT if it is empty. */
int server_maps_push_key(struct server_maps *maps, const struct server_key *key);
int server_maps_pop_key(struct server_maps *maps, struct server_key *key);

/* 0 to SERVER_KEYS_MAX. */
uint32_t server_maps_keys_queued(struct server_maps *maps);

/* For who knows better than the count; keys may be popped meanwhile. */
void server_maps_set_keys_queued(struct server_maps *maps, uint32_t queued);

/* Notes the network of a client that a connection was made from. */
void server_maps_note_client(struct server_maps *maps, const struct address *client);

/* What was handed out within COOKIE_LIFETIME_S; forgets what is older. age_s: seconds since. */
void server_maps_each_handed_out(struct server_maps *maps,
				 void (*each)(uint32_t token, uint32_t age_s, void *context),
				 void *context);

/* Sums over all CPUs, by enum server_counter. Returns 0 or -errno. */
int server_maps_counters(struct server_maps *maps, uint64_t sums[static SERVER_COUNTER_COUNT]);

/* Adds a connection unless it is there; 0 or -errno (-EEXIST among them). */
int server_maps_add_connection(struct server_maps *maps, const struct connection *connection,
			       enum treatment treatment);
int server_maps_delete_connection(struct server_maps *maps, const struct connection *connection);
/* Lets programs know if there is none left, after deleting some. */
void server_maps_look_for_connections(struct server_maps *maps);
/* 0: not in the map. */
enum treatment server_maps_treatment(struct server_maps *maps, const struct connection *connection);
void server_maps_each_connection(struct server_maps *maps,
				 void (*each)(const struct connection *connection,
					      enum treatment treatment, void *context),
				 void *context);

int server_maps_add_service(struct server_maps *maps, const struct address *address, __be16 port);
bool server_maps_is_service(struct server_maps *maps, const struct address *address, __be16 port);
void server_maps_each_service(struct server_maps *maps,
			      void (*each)(const struct server_service *service, void *context),
			      void *context);

#endif
