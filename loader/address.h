/* SPDX-License-Identifier: GPL-2.0-only */
/* IP and link-layer addresses as text. */
#ifndef ADDRESS_H
#define ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>

#include "../include/types.h"

#define LLADDR_TEXT_MAX sizeof("00:00:00:00:00:00")

struct address_text {
	char text[INET6_ADDRSTRLEN];
};

/* False if text is no IPv4 or IPv6 address. */
bool address_parse(const char *text, struct address *address);
struct address_text address_print(const struct address *address);

/* Whether connections can be made to it: not multicast, broadcast, unspecified or loopback. */
bool address_is_unicast(const struct address *address);
bool address_is_v4(const struct address *address);
bool address_is_zero(const struct address *address);
bool address_equal(const struct address *a, const struct address *b);

/* False if text is not six pairs of hex digits with colons between. */
bool lladdr_parse(const char *text, uint8_t lladdr[static 6]);
void lladdr_print(const uint8_t lladdr[static 6], char text[static LLADDR_TEXT_MAX]);

#endif
