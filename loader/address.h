/* SPDX-License-Identifier: GPL-2.0-only */
/* IP and link-layer addresses as text. */
#ifndef ADDRESS_H
#define ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>

#include "../include/types.h"

#define LLADDR_TEXT_MAX sizeof("00:00:00:00:00:00")

struct prefix {
	struct address address; /* host bits are zero */
	uint8_t length;         /* bits: 1 to 32 for IPv4, 1 to 128 for IPv6 */
};

struct address_text {
	char text[INET6_ADDRSTRLEN];
};

/* False if text is no IPv4 or IPv6 address. */
bool address_parse(const char *text, struct address *address);
struct address_text address_print(const struct address *address);

/* "ADDRESS/LENGTH", or an address alone. False if it is neither, or has host bits. */
bool prefix_parse(const char *text, struct prefix *prefix);

/* The bits of the address's last 32 that are not the prefix's. Host order. */
uint32_t prefix_hosts(const struct prefix *prefix);

/* Whether connections can be made to it: not multicast, broadcast, unspecified or loopback. */
bool address_is_unicast(const struct address *address);
bool address_is_v4(const struct address *address);
bool address_is_zero(const struct address *address);
bool address_equal(const struct address *a, const struct address *b);

/* False if text is not six pairs of hex digits with colons between. */
bool lladdr_parse(const char *text, uint8_t lladdr[static 6]);
void lladdr_print(const uint8_t lladdr[static 6], char text[static LLADDR_TEXT_MAX]);

#endif
