/* SPDX-License-Identifier: GPL-2.0-only */
/* The helpers of tc, on the host. */
#ifndef FUZZ_SKB_HOST_H
#define FUZZ_SKB_HOST_H

#include "bpf_host.h"

static uint32_t host_skb_link; /* length of the link-layer header */

static inline void host_skb_point(struct __sk_buff *skb)
{
	skb->len = host_frame.whole - host_frame.start;
	skb->data = host_address(host_frame.start);
	skb->data_end = host_address(host_frame.end);
	host_frame_fence();
}

static inline long bpf_skb_pull_data(struct __sk_buff *skb, uint32_t length)
{
	if (length > host_frame.whole - host_frame.start)
		return -ENOMEM;
	if (host_frame.start + length > host_frame.end)
		host_frame.end = host_frame.start + length;
	host_skb_point(skb);
	return 0;
}

/* A sum is only kept right: it may have been wrong. */
static inline long bpf_l4_csum_replace(struct __sk_buff *skb, uint32_t offset, uint64_t from,
				       uint64_t to, uint64_t flags)
{
	uint8_t *at = host_frame.memory + host_frame.start + offset;
	uint64_t sum;
	uint16_t check;

	(void)flags;
	if (offset + sizeof(check) > host_frame.end - host_frame.start)
		return -EFAULT;
	memcpy(&check, at, sizeof(check));
	sum = (uint16_t)~check + (uint64_t)(uint32_t)~from + (uint32_t)to;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	check = ~sum;
	memcpy(at, &check, sizeof(check));
	host_skb_point(skb);
	return 0;
}

/* Takes bytes out behind the link-layer header, or, below 0, puts some in. */
static inline long host_skb_cut(struct __sk_buff *skb, int32_t bytes)
{
	uint8_t *start = host_frame.memory + host_frame.start;
	uint8_t link[16];

	host_frame_unfence();
	if ((int64_t)host_frame.start + host_skb_link + bytes > host_frame.end)
		return -EFAULT;
	memcpy(link, start, host_skb_link);
	host_frame.start += bytes;
	memcpy(start + bytes, link, host_skb_link);
	host_skb_point(skb);
	return 0;
}

static inline long bpf_skb_adjust_room(struct __sk_buff *skb, int32_t difference, uint32_t mode,
				       uint64_t flags)
{
	uint32_t least = skb->protocol == __builtin_bswap16(0x0800) ? 20 : 40;

	(void)flags;
	claim(mode == BPF_ADJ_ROOM_MAC && difference < 0, "another way to adjust room");
	if (host_frame.whole - host_frame.start - host_skb_link + difference < least)
		return -EOPNOTSUPP;
	return host_skb_cut(skb, -difference);
}

static inline long bpf_skb_change_proto(struct __sk_buff *skb, uint16_t protocol, uint64_t flags)
{
	bool to_v6 = protocol == __builtin_bswap16(0x86dd);

	(void)flags;
	skb->protocol = protocol;
	return host_skb_cut(skb, to_v6 ? -20 : 20);
}

/* Only that it is called is looked at. */
static inline long bpf_skb_ecn_set_ce(struct __sk_buff *skb)
{
	return skb->len > 0;
}

/* A verifier sees to this; here it is seen again, since a lock or a socket kept is for ever. */
static uint32_t host_locks_held, host_sockets_held;

static inline void bpf_spin_lock(struct bpf_spin_lock *lock)
{
	claim(!lock->val, "a lock is taken twice");
	lock->val = 1;
	host_locks_held++;
}

static inline void bpf_spin_unlock(struct bpf_spin_lock *lock)
{
	claim(lock->val, "a lock is given back that is not held");
	lock->val = 0;
	host_locks_held--;
}

/* What a lookup finds; NULL: nothing. */
static struct bpf_sock *host_socket;

static inline struct bpf_sock *bpf_skc_lookup_tcp(struct __sk_buff *skb,
						  struct bpf_sock_tuple *tuple, uint32_t size,
						  uint64_t netns, uint64_t flags)
{
	(void)skb;
	claim(size == sizeof(tuple->ipv4) || size == sizeof(tuple->ipv6), "a tuple of no family");
	claim(netns == (uint64_t)BPF_F_CURRENT_NETNS && !flags, "a lookup elsewhere");
	host_sockets_held += !!host_socket;
	return host_socket;
}

static inline long bpf_sk_release(struct bpf_sock *socket)
{
	claim(socket && host_sockets_held, "a socket is released that is not held");
	host_sockets_held--;
	return 0;
}

static inline long bpf_map_pop_elem(const void *map, void *value)
{
	struct host_map *found = host_map_find(map);

	if (!found || !found->used)
		return -ENOENT;
	memcpy(value, found->values, found->value_size);
	return 0;
}

#endif
