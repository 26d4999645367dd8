// SPDX-License-Identifier: GPL-2.0-only
/* move-slots: gives every slot of a service's ring to the next backend, by one map write. */
#include <bpf/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../loader/address.h"
#include "../loader/say.h"

struct options options = { .pin_dir = "/sys/fs/bpf/mptcp-lb" };

/* This and all below end the program if they fail. */
static int open_map(const char *name)
{
	char path[512];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", options.pin_dir, name);
	fd = bpf_obj_get(path);
	if (fd < 0)
		exit(fail(NOT_LOADED, "cannot open %s: %m", path));
	return fd;
}

static void read_element(int fd, uint32_t key, void *value)
{
	if (bpf_map_lookup_elem(fd, &key, value))
		exit(fail(FAILED, "cannot read element %u: %m", key));
}

static uint32_t find_ring(const struct address *address, uint16_t port)
{
	struct service service;
	struct state state;
	uint32_t bank, line;
	int services = open_map("services");

	read_element(open_map("state"), 0, &state);
	bank = state.generation % BANKS;
	for (line = 0; line < SERVICE_LINES; line++) {
		read_element(services, bank * SERVICE_LINES + line, &service);
		if (service.port == htons(port) && address_equal(&service.address, address))
			return service.ring;
	}
	exit(fail(FAILED, "there is no such service"));
}

static void read_ring(int rings, uint32_t id, struct ring *ring)
{
	uint32_t inner;
	int fd;

	read_element(rings, id, &inner);
	fd = bpf_map_get_fd_by_id(inner);
	if (fd < 0)
		exit(fail(FAILED, "cannot open ring %u: %m", id));
	read_element(fd, 0, ring);
	close(fd);
}

/* after[e] is the entry that stands `by` places behind e among those that own slots. */
static void successors(const struct ring *ring, size_t by, uint16_t after[])
{
	bool owns[MAX_BACKENDS + 1] = {};
	uint16_t owner[MAX_BACKENDS];
	size_t count = 0, i;

	for (i = 0; i < RING_SLOTS; i++)
		owns[ring->slot[i]] = true;
	for (i = 1; i <= MAX_BACKENDS; i++)
		if (owns[i])
			owner[count++] = i;
	for (i = 0; i < count; i++)
		after[owner[i]] = owner[(i + by) % count];
}

static size_t move(struct ring *ring, size_t by)
{
	uint16_t after[MAX_BACKENDS + 1] = {};
	size_t moved = 0, i;

	successors(ring, by, after);
	for (i = 0; i < RING_SLOTS; i++) {
		moved += after[ring->slot[i]] != ring->slot[i];
		ring->slot[i] = after[ring->slot[i]];
	}
	return moved;
}

static void replace_ring(int rings, uint32_t id, const struct ring *ring)
{
	uint32_t zero = 0;
	int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "ring", sizeof(zero), sizeof(*ring), 1, NULL);

	if (fd < 0 || bpf_map_update_elem(fd, &zero, ring, BPF_ANY) ||
	    bpf_map_update_elem(rings, &id, &fd, BPF_ANY))
		exit(fail(FAILED, "cannot replace ring %u: %m", id));
	close(fd);
}

static void move_slots(int rings, uint32_t id, size_t by)
{
	static struct ring ring;
	size_t moved;

	read_ring(rings, id, &ring);
	moved = move(&ring, by);
	replace_ring(rings, id, &ring);
	printf("moved %zu of %d slots\n", moved, RING_SLOTS);
	fflush(stdout);
}

/* False if text is no decimal number from 1 to max. */
static bool number(const char *text, unsigned long max, unsigned long *value)
{
	char *end;

	*value = strtoul(text, &end, 10);
	return end != text && !*end && *value >= 1 && *value <= max;
}

int main(int argc, char **argv)
{
	unsigned long port, by = 1, every_ms = 0;
	struct address address;
	uint32_t id;
	int letter, rings, i;

	while ((letter = getopt(argc, argv, "p:")) == 'p')
		options.pin_dir = optarg;
	argc -= optind;
	argv += optind;
	if (letter != -1 || argc < 2 || argc % 2 || !address_parse(argv[0], &address) ||
	    !number(argv[1], 65535, &port))
		return fail(USAGE, "usage: move-slots [-p DIR] ADDR PORT [by N] [every MS]");
	for (i = 2; i < argc; i += 2)
		if (!(!strcmp(argv[i], "by") && number(argv[i + 1], MAX_BACKENDS, &by)) &&
		    !(!strcmp(argv[i], "every") && number(argv[i + 1], 1000, &every_ms)))
			return fail(USAGE, "cannot make sense of '%s %s'", argv[i], argv[i + 1]);
	id = find_ring(&address, port);
	rings = open_map("rings");
	do {
		move_slots(rings, id, by);
		usleep(every_ms * 1000);
	} while (every_ms);
	return DONE;
}
