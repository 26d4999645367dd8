// SPDX-License-Identifier: GPL-2.0-only
/* What is in the server side's maps: keys, networks, connections, services. */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "server_maps_layout.h"

#define BATCH 4096 /* no bucket of a hash holds so many, so a batch always gets on */

int server_maps_push_key(struct server_maps *maps, const struct server_key *key)
{
	int error;

	__atomic_add_fetch(&maps->state->keys_queued, 1, __ATOMIC_RELAXED);
	error = bpf_map_update_elem(maps->fd[KEYS], NULL, key, BPF_ANY);
	if (error)
		__atomic_sub_fetch(&maps->state->keys_queued, 1, __ATOMIC_RELAXED);
	return error;
}

int server_maps_pop_key(struct server_maps *maps, struct server_key *key)
{
	int error = bpf_map_lookup_and_delete_elem(maps->fd[KEYS], NULL, key);

	if (!error)
		__atomic_sub_fetch(&maps->state->keys_queued, 1, __ATOMIC_RELAXED);
	return error;
}

uint32_t server_maps_keys_queued(struct server_maps *maps)
{
	int32_t queued = __atomic_load_n(&maps->state->keys_queued, __ATOMIC_RELAXED);

	return queued > 0 ? queued : 0;
}

void server_maps_set_keys_queued(struct server_maps *maps, uint32_t queued)
{
	int32_t *count = &maps->state->keys_queued;

	__atomic_sub_fetch(count, __atomic_load_n(count, __ATOMIC_RELAXED) - (int32_t)queued,
			   __ATOMIC_RELAXED);
}

/* Written again as it was, so that it is not the next to be forgotten. */
void server_maps_note_client(struct server_maps *maps, const struct address *client)
{
	struct address network = *client;
	uint64_t whole_at = 0;

	server_network(&network);
	bpf_map_lookup_elem(maps->fd[NETWORKS], &network, &whole_at);
	bpf_map_update_elem(maps->fd[NETWORKS], &network, &whole_at, BPF_ANY);
}

/* Calls `each` for the entries of a hash, a batch at a time. */
static void each_entry(int fd, size_t key_size, size_t value_size,
		       void (*each)(const void *key, const void *value, void *context),
		       void *context)
{
	char *keys = malloc(BATCH * key_size), *values = malloc(BATCH * value_size);
	uint32_t position, count;
	void *from = NULL;
	int error = 0;

	while (keys && values && !error) {
		count = BATCH;
		error = bpf_map_lookup_batch(fd, from, &position, keys, values, &count, NULL);
		if (error && error != -ENOENT)
			break;
		for (uint32_t i = 0; i < count; i++)
			each(keys + i * key_size, values + i * value_size, context);
		from = &position;
	}
	free(keys);
	free(values);
}

struct handed_out_walk {
	void (*each)(uint32_t token, uint32_t age_s, void *context);
	void *context;
	uint64_t now_ns;
	int fd;
};

static void each_handed_out(const void *key, const void *value, void *context)
{
	const struct handed_out_walk *walk = context;
	int64_t age_s = (int64_t)(walk->now_ns - *(const uint64_t *)value) / 1000000000;

	if (age_s > COOKIE_LIFETIME_S)
		bpf_map_delete_elem(walk->fd, key);
	else
		walk->each(*(const uint32_t *)key, age_s > 0 ? age_s : 0, walk->context);
}

void server_maps_each_handed_out(struct server_maps *maps,
				 void (*each)(uint32_t token, uint32_t age_s, void *context),
				 void *context)
{
	struct handed_out_walk walk = { each, context, .fd = maps->fd[HANDED_OUT] };
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	walk.now_ns = now.tv_sec * 1000000000ull + now.tv_nsec;
	each_entry(walk.fd, sizeof(uint32_t), sizeof(uint64_t), each_handed_out, &walk);
}

int server_maps_add_connection(struct server_maps *maps, const struct connection *connection,
			       enum treatment treatment)
{
	uint32_t value = treatment;
	int error = bpf_map_update_elem(maps->fd[CONNECTIONS], connection, &value, BPF_NOEXIST);

	if (!error)
		__atomic_store_n(&maps->state->noted, 1, __ATOMIC_SEQ_CST);
	return error;
}

/* A program that notes one meanwhile has either done so before the look, or says so after it. */
void server_maps_look_for_connections(struct server_maps *maps)
{
	struct connection first;

	__atomic_store_n(&maps->state->noted, 0, __ATOMIC_SEQ_CST);
	if (!bpf_map_get_next_key(maps->fd[CONNECTIONS], NULL, &first))
		__atomic_store_n(&maps->state->noted, 1, __ATOMIC_SEQ_CST);
}

int server_maps_delete_connection(struct server_maps *maps, const struct connection *connection)
{
	return bpf_map_delete_elem(maps->fd[CONNECTIONS], connection);
}

enum treatment server_maps_treatment(struct server_maps *maps, const struct connection *connection)
{
	uint32_t value;

	return bpf_map_lookup_elem(maps->fd[CONNECTIONS], connection, &value) ? 0 : value;
}

struct connection_walk {
	void (*each)(const struct connection *connection, enum treatment treatment, void *context);
	void *context;
};

static void each_connection(const void *key, const void *value, void *context)
{
	const struct connection_walk *walk = context;

	walk->each(key, *(const uint32_t *)value, walk->context);
}

void server_maps_each_connection(struct server_maps *maps,
				 void (*each)(const struct connection *connection,
					      enum treatment treatment, void *context),
				 void *context)
{
	struct connection_walk walk = { each, context };

	each_entry(maps->fd[CONNECTIONS], sizeof(struct connection), sizeof(uint32_t),
		   each_connection, &walk);
}

int server_maps_add_service(struct server_maps *maps, const struct address *address, __be16 port)
{
	struct server_service service = { .address = *address, .port = port }, there;
	uint32_t value = 1, line = server_service_line(address, port);
	int error = bpf_map_update_elem(maps->fd[SERVICES], &service, &value, BPF_ANY);

	if (!error)
		error = bpf_map_lookup_elem(maps->fd[LINES], &line, &there);
	if (!error && !there.port)
		error = bpf_map_update_elem(maps->fd[LINES], &line, &service, BPF_ANY);
	return error;
}

bool server_maps_is_service(struct server_maps *maps, const struct address *address, __be16 port)
{
	struct server_service service = { .address = *address, .port = port };
	uint32_t value;

	return !bpf_map_lookup_elem(maps->fd[SERVICES], &service, &value);
}

struct service_walk {
	void (*each)(const struct server_service *service, void *context);
	void *context;
};

static void each_service(const void *key, const void *value, void *context)
{
	const struct service_walk *walk = context;

	(void)value;
	walk->each(key, walk->context);
}

void server_maps_each_service(struct server_maps *maps,
			      void (*each)(const struct server_service *service, void *context),
			      void *context)
{
	struct service_walk walk = { each, context };

	each_entry(maps->fd[SERVICES], sizeof(struct server_service), sizeof(uint32_t),
		   each_service, &walk);
}
