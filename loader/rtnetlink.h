/* SPDX-License-Identifier: GPL-2.0-only */
/* Requests to rtnetlink(7): how they begin, how they are answered, and those that several ask. */
#ifndef RTNETLINK_H
#define RTNETLINK_H

#include <libmnl/libmnl.h>

#include "../include/types.h"

/* NULL, with errno set, where the kernel gives none. */
struct mnl_socket *rtnetlink_open(void);

/* Begins a message in a buffer of at least 256 bytes. flags: besides NLM_F_REQUEST. */
struct nlmsghdr *rtnetlink_start(char *buffer, uint16_t type, uint16_t flags);

/* Sends a request and runs the callback, which may be NULL, over the answers; 0 or -errno. */
int rtnetlink_ask(struct mnl_socket *netlink, struct nlmsghdr *message, mnl_cb_t callback,
		  void *data);

/* An address as netlink has it. */
int rtnetlink_family(const struct address *address);
const void *rtnetlink_address(const struct address *address);
size_t rtnetlink_address_bytes(const struct address *address);

/* Sets IFF_UP and other flags of a device. */
int rtnetlink_link_up(struct mnl_socket *netlink, uint32_t ifindex, uint32_t flags);

/* Sends what goes to one address straight to a device, by a routing table. */
int rtnetlink_add_route(struct mnl_socket *netlink, const struct address *to, uint32_t ifindex,
			uint32_t table);

struct rtnetlink_route {
	uint32_t ifindex, table;
	uint8_t type;        /* RTN_UNICAST and so on */
	uint8_t prefix_bits; /* of the route that was found; 0: a default route */
};

/* The route that packets take from `from`, or, if that is NULL, from anywhere; 0 or -errno. */
int rtnetlink_find_route(struct mnl_socket *netlink, const struct address *from,
			 const struct address *to, struct rtnetlink_route *route);

#endif
