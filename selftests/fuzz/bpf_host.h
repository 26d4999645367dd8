/* SPDX-License-Identifier: GPL-2.0-only */
/* What a BPF program finds in the kernel, on the host: helpers, maps, and one frame. */
#ifndef FUZZ_BPF_HOST_H
#define FUZZ_BPF_HOST_H

#include <errno.h>
#include <linux/bpf.h>
#include <linux/types.h>
#include <sanitizer/asan_interface.h>
#include <string.h>
#include <sys/mman.h>

#include "claim.h"

/* In place of libbpf's header, whose helpers are numbers. */
#define __BPF_HELPERS__
#define SEC(name)
#define __uint(name, value) int(*name)[value]
#define __type(name, type) typeof(type) *name
#define __array(name, type) typeof(type) *name[]
#undef __always_inline
#define __always_inline inline __attribute__((always_inline, unused))
#define __noinline __attribute__((noinline))
enum libbpf_pin_type { LIBBPF_PIN_NONE, LIBBPF_PIN_BY_NAME };

/* Maps: those that nobody adds are empty. */

#define HOST_MAPS_MAX 16
#define HOST_HASH_MAX 64 /* entries; more is as good as full */
#define HOST_TOUCHED_MAX 16

struct host_map {
	const void *map;
	uint32_t type, key_size, value_size, max_entries;
	uint8_t *keys; /* of a hash, used entries first; NULL: an array */
	uint8_t *values;
	uint32_t used;
	uint32_t touched[HOST_TOUCHED_MAX]; /* elements of an array that were looked up */
	uint32_t touched_count;
};

static struct host_map host_maps[HOST_MAPS_MAX];
static uint32_t host_map_count;

static inline struct host_map *host_map_add(const void *map, uint32_t type, uint32_t key_size,
					    uint32_t value_size, uint32_t max_entries)
{
	struct host_map *added = &host_maps[host_map_count++];
	bool is_hash = type == BPF_MAP_TYPE_HASH || type == BPF_MAP_TYPE_LRU_HASH;

	claim(host_map_count <= HOST_MAPS_MAX, "too many maps");
	if (is_hash)
		max_entries = HOST_HASH_MAX;
	*added = (struct host_map){ map, type, key_size, value_size, max_entries };
	added->keys = is_hash ? calloc(max_entries, key_size) : NULL;
	added->values = calloc(max_entries, value_size);
	return added;
}

/* From the definition of a map, as libbpf reads it. */
#define HOST_NUMBER(member) (sizeof(*(member)) / sizeof(int))
#define HOST_MAP(m) \
	host_map_add(&(m), HOST_NUMBER((m).type), sizeof(*(m).key), sizeof(*(m).value), \
		     HOST_NUMBER((m).max_entries))

static inline struct host_map *host_map_find(const void *map)
{
	for (uint32_t i = 0; i < host_map_count; i++)
		if (host_maps[i].map == map)
			return &host_maps[i];
	return NULL;
}

static inline uint8_t *host_hash_find(const struct host_map *map, const void *key)
{
	for (uint32_t i = 0; i < map->used; i++)
		if (!memcmp(map->keys + i * map->key_size, key, map->key_size))
			return map->values + i * map->value_size;
	return NULL;
}

static inline void *host_array_at(struct host_map *map, uint32_t key)
{
	if (key >= map->max_entries)
		return NULL;
	if (map->touched_count < HOST_TOUCHED_MAX)
		map->touched[map->touched_count++] = key;
	return map->values + (size_t)key * map->value_size;
}

static inline void *bpf_map_lookup_elem(const void *map, const void *key)
{
	struct host_map *found = host_map_find(map);

	if (!found)
		return NULL;
	if (found->keys)
		return host_hash_find(found, key);
	void *value = host_array_at(found, *(const uint32_t *)key);

	return value && found->type == BPF_MAP_TYPE_ARRAY_OF_MAPS ? *(void **)value : value;
}

static inline long bpf_map_update_elem(const void *map, const void *key, const void *value,
				       uint64_t flags)
{
	struct host_map *found = host_map_find(map);
	uint8_t *at = found ? host_hash_find(found, key) : NULL;

	if (!found)
		return -ENOMEM;
	if (at && flags == BPF_NOEXIST)
		return -EEXIST;
	if (!at && found->used == found->max_entries)
		return -E2BIG;
	if (!at) {
		at = found->values + found->used * found->value_size;
		memcpy(found->keys + found->used++ * found->key_size, key, found->key_size);
	}
	memcpy(at, value, found->value_size);
	return 0;
}

static inline long bpf_map_delete_elem(const void *map, const void *key)
{
	struct host_map *found = host_map_find(map);
	uint8_t *at = found ? host_hash_find(found, key) : NULL;
	uint32_t last;

	if (!at)
		return -ENOENT;
	last = --found->used;
	memcpy(found->keys + (at - found->values) / found->value_size * found->key_size,
	       found->keys + last * found->key_size, found->key_size);
	memmove(at, found->values + last * found->value_size, found->value_size);
	return 0;
}

/* The frame: nothing around it may be read, and the program's pointers to it have 32 bits. */

#define HOST_PAGE 4096
#define HOST_HEADROOM 256
#define HOST_ROOM (4 * HOST_PAGE)
#define HOST_FRAME_MAX (HOST_ROOM - 2 * HOST_HEADROOM)

static struct {
	uint8_t *memory;     /* HOST_ROOM bytes between two pages that fault */
	uint32_t start, end; /* offsets: what the program may read */
	uint32_t whole;      /* the frame's end; what lies behind `end` is in fragments */
} host_frame;

static inline void host_frame_fence(void)
{
	__asan_poison_memory_region(host_frame.memory, HOST_ROOM);
	__asan_unpoison_memory_region(host_frame.memory + host_frame.start,
				      host_frame.end - host_frame.start);
}

static inline void host_frame_unfence(void)
{
	__asan_unpoison_memory_region(host_frame.memory, HOST_ROOM);
}

/* fragments: how many bytes at the end the program can't reach. Poison as in a test run. */
static inline void host_frame_set(const uint8_t *bytes, uint32_t length, uint32_t fragments)
{
	if (!host_frame.memory) {
		uint8_t *memory = mmap(NULL, HOST_ROOM + 2 * HOST_PAGE, PROT_NONE,
				       MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);

		if (memory == MAP_FAILED ||
		    mprotect(memory + HOST_PAGE, HOST_ROOM, PROT_READ | PROT_WRITE))
			abort();
		host_frame.memory = memory + HOST_PAGE;
	}
	host_frame_unfence();
	memset(host_frame.memory, 0xff, HOST_ROOM);
	memcpy(host_frame.memory + HOST_HEADROOM, bytes, length);
	host_frame.start = HOST_HEADROOM;
	host_frame.whole = HOST_HEADROOM + length;
	host_frame.end = host_frame.whole - fragments;
	host_frame_fence();
}

static inline uint32_t host_address(uint32_t offset)
{
	return (uint32_t)(uintptr_t)host_frame.memory + offset;
}

/* Lengths are multiples of four, as the kernel wants them. */
static inline int64_t bpf_csum_diff(const uint32_t *from, uint32_t from_length, const uint32_t *to,
				    uint32_t to_length, uint32_t seed)
{
	uint64_t sum = seed;

	claim(!((from_length | to_length) & 3), "a sum over a part of a word");
	for (uint32_t i = 0; i < from_length / 4; i++)
		sum += (uint32_t)~from[i];
	for (uint32_t i = 0; i < to_length / 4; i++)
		sum += to[i];
	while (sum >> 32)
		sum = (sum & UINT32_MAX) + (sum >> 32);
	return sum;
}

static inline uint32_t bpf_get_prandom_u32(void)
{
	return 0x2545f491;
}

static inline uint64_t bpf_jiffies64(void)
{
	return 1;
}

static inline uint64_t bpf_ktime_get_tai_ns(void)
{
	return 1;
}

static inline uint64_t bpf_ktime_get_ns(void)
{
	return 1000000000;
}

#endif
