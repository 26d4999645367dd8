// SPDX-License-Identifier: GPL-2.0-only
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "netns.h"
#include "server_maps.h"

#define PATH_BYTES 4096
#define BATCH 4096 /* no bucket of a hash holds so many, so a batch always gets on */

enum map { STATE, SERVICES, CONNECTIONS, KEYS, HANDED_OUT, CLIENTS, COUNTERS_MAP, LINES, MAPS };

static const struct {
	const char *name;
	size_t value_size;
} layout[MAPS] = {
	[STATE] = { "state", sizeof(struct server_state) },
	[SERVICES] = { "services", sizeof(uint32_t) },
	[CONNECTIONS] = { "connections", sizeof(uint32_t) },
	[KEYS] = { "keys", sizeof(struct server_key) },
	[HANDED_OUT] = { "handed_out", sizeof(uint64_t) },
	[CLIENTS] = { "clients", sizeof(uint64_t) },
	[COUNTERS_MAP] = { "counters", sizeof(uint64_t) },
	[LINES] = { "service_lines", sizeof(struct server_service) },
};

struct server_maps {
	int fd[MAPS];
	int claim; /* directory whose lock is the claim on the queue */
	struct server_state *state;
};

static size_t page_size(void)
{
	return sysconf(_SC_PAGESIZE);
}

static enum status open_map(struct server_maps *maps, const char *pin_dir, enum map map)
{
	struct bpf_map_info info = {};
	uint32_t length = sizeof(info);
	char path[PATH_BYTES];

	snprintf(path, sizeof(path), "%s/server/%s", pin_dir, layout[map].name);
	maps->fd[map] = bpf_obj_get(path);
	if (maps->fd[map] < 0 && errno == ENOENT)
		return fail(NOT_LOADED, "the server side is not attached: nothing at '%s'", path);
	if (maps->fd[map] < 0)
		return fail(FAILED, "can't open the map '%s': %s", path,
			    errno == EPERM || errno == EACCES ? "this needs root"
							      : strerror(errno));
	if (bpf_obj_get_info_by_fd(maps->fd[map], &info, &length) ||
	    info.value_size != layout[map].value_size)
		return fail(NOT_LOADED, "the map '%s' is of another version of mptcp-lb", path);
	return DONE;
}

static enum status map_state(struct server_maps *maps, const char *pin_dir)
{
	void *memory =
		mmap(NULL, page_size(), PROT_READ | PROT_WRITE, MAP_SHARED, maps->fd[STATE], 0);

	if (memory == MAP_FAILED)
		return fail(FAILED, "can't map the state of '%s': %s", pin_dir, strerror(errno));
	maps->state = memory;
	return DONE;
}

static enum status open_claim(struct server_maps *maps, const char *pin_dir)
{
	char path[PATH_BYTES];

	snprintf(path, sizeof(path), "%s/server/run", pin_dir);
	if (mkdir(path, 0700) && errno != EEXIST)
		return fail(FAILED, "can't make '%s': %s", path, strerror(errno));
	maps->claim = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (maps->claim < 0)
		return fail(FAILED, "can't open '%s': %s", path, strerror(errno));
	return DONE;
}

enum status server_maps_open_new(const char *pin_dir, struct server_maps **maps)
{
	struct server_maps *m = calloc(1, sizeof(*m));
	enum status status = DONE;

	if (!m)
		return fail(FAILED, "out of memory");
	for (int map = 0; map < MAPS; map++)
		m->fd[map] = -1;
	m->claim = -1;
	for (int map = 0; !status && map < MAPS; map++)
		status = open_map(m, pin_dir, map);
	if (!status)
		status = map_state(m, pin_dir);
	if (!status)
		status = open_claim(m, pin_dir);
	if (status)
		server_maps_close(m);
	else
		*maps = m;
	return status;
}

static enum status judge_state(const struct server_state *state, const char *pin_dir)
{
	if (!state->abi)
		return fail(NOT_LOADED, "the server side is not attached");
	if (state->abi != SERVER_ABI)
		return fail(NOT_LOADED, "what is attached at '%s' is of another version", pin_dir);
	if (state->netns != netns_cookie())
		return fail(FAILED,
			    "the server side pinned in '%s/server' is of another network "
			    "namespace; if that one is gone: rm -r %s/server",
			    pin_dir, pin_dir);
	return DONE;
}

enum status server_maps_open(const char *pin_dir, struct server_maps **maps)
{
	enum status status = server_maps_open_new(pin_dir, maps);

	if (status)
		return status;
	status = judge_state((*maps)->state, pin_dir);
	if (status)
		server_maps_close(*maps);
	return status;
}

void server_maps_close(struct server_maps *maps)
{
	if (maps->state)
		munmap(maps->state, page_size());
	for (int map = 0; map < MAPS; map++)
		if (maps->fd[map] >= 0)
			close(maps->fd[map]);
	if (maps->claim >= 0)
		close(maps->claim);
	free(maps);
}

bool server_maps_attached(const char *pin_dir)
{
	struct server_state state = {};
	char path[PATH_BYTES];
	uint32_t zero = 0;
	int fd;

	snprintf(path, sizeof(path), "%s/server/%s", pin_dir, layout[STATE].name);
	fd = bpf_obj_get(path);
	if (fd >= 0) {
		bpf_map_lookup_elem(fd, &zero, &state);
		close(fd);
	}
	return state.abi;
}

/* -errno: -EWOULDBLOCK where somebody has it. */
static int lock_directory(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), error;

	if (fd < 0 || !flock(fd, LOCK_EX | LOCK_NB))
		return fd < 0 ? -errno : fd;
	error = -errno;
	close(fd);
	return error;
}

enum status server_maps_lock(const char *pin_dir, int *lock)
{
	char path[PATH_BYTES];

	snprintf(path, sizeof(path), "%s/server", pin_dir);
	*lock = lock_directory(path);
	if (*lock == -ENOENT)
		return fail(NOT_LOADED, "the server side is not attached: there is no '%s'", path);
	if (*lock == -EWOULDBLOCK)
		return fail(FAILED, "another 'server attach' or 'server detach' is at work");
	if (*lock < 0)
		return fail(FAILED, "can't open '%s': %s", path,
			    *lock == -EACCES ? "this needs root" : strerror(-*lock));
	return DONE;
}

int server_maps_try_lock(const char *pin_dir)
{
	char path[PATH_BYTES];
	int fd;

	snprintf(path, sizeof(path), "%s/server", pin_dir);
	fd = lock_directory(path);
	return fd < 0 ? -1 : fd;
}

bool server_maps_claim_queue(struct server_maps *maps)
{
	return !flock(maps->claim, LOCK_EX | LOCK_NB);
}

bool server_maps_queue_is_claimed(struct server_maps *maps)
{
	if (flock(maps->claim, LOCK_EX | LOCK_NB))
		return true;
	flock(maps->claim, LOCK_UN);
	return false;
}

struct server_state *server_maps_state(struct server_maps *maps)
{
	return maps->state;
}

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

	server_client_network(&network);
	bpf_map_lookup_elem(maps->fd[CLIENTS], &network, &whole_at);
	bpf_map_update_elem(maps->fd[CLIENTS], &network, &whole_at, BPF_ANY);
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

int server_maps_counters(struct server_maps *maps, uint64_t sums[static SERVER_COUNTER_COUNT])
{
	int cpus = libbpf_num_possible_cpus(), error = 0;
	uint64_t *values = cpus > 0 ? calloc(cpus, sizeof(*values)) : NULL;

	if (!values)
		return -ENOMEM;
	for (uint32_t counter = 0; !error && counter < SERVER_COUNTER_COUNT; counter++) {
		error = bpf_map_lookup_elem(maps->fd[COUNTERS_MAP], &counter, values);
		sums[counter] = 0;
		for (int cpu = 0; cpu < cpus; cpu++)
			sums[counter] += values[cpu];
	}
	free(values);
	return error;
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
