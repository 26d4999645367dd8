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
#include <unistd.h>

#include "netns.h"
#include "server_maps_layout.h"

#define PATH_BYTES 4096

static const struct {
	const char *name;
	size_t value_size;
} layout[MAPS] = {
	[STATE] = { "state", sizeof(struct server_state) },
	[SERVICES] = { "services", sizeof(uint32_t) },
	[CONNECTIONS] = { "connections", sizeof(uint32_t) },
	[KEYS] = { "keys", sizeof(struct server_key) },
	[HANDED_OUT] = { "handed_out", sizeof(uint64_t) },
	[NETWORKS] = { "networks", sizeof(uint64_t) },
	[COUNTERS_MAP] = { "counters", sizeof(uint64_t) },
	[LINES] = { "service_lines", sizeof(struct server_service) },
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
