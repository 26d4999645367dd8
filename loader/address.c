// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "address.h"

static const uint8_t v4_prefix[12] = { [10] = 0xff, [11] = 0xff };

bool address_is_v4(const struct address *address)
{
	return !memcmp(address->bytes, v4_prefix, sizeof(v4_prefix));
}

bool address_is_zero(const struct address *address)
{
	return !address->halves[0] && !address->halves[1];
}

bool address_equal(const struct address *a, const struct address *b)
{
	return !memcmp(a, b, sizeof(*a));
}

bool address_parse(const char *text, struct address *address)
{
	memcpy(address->bytes, v4_prefix, sizeof(v4_prefix));
	if (inet_pton(AF_INET, text, &address->words[3]) == 1)
		return true;
	return inet_pton(AF_INET6, text, address->bytes) == 1 && !address_is_v4(address);
}

struct address_text address_print(const struct address *address)
{
	struct address_text out;

	if (address_is_v4(address))
		inet_ntop(AF_INET, &address->words[3], out.text, sizeof(out.text));
	else
		inet_ntop(AF_INET6, address->bytes, out.text, sizeof(out.text));
	return out;
}

uint32_t prefix_hosts(const struct prefix *prefix)
{
	unsigned int whole = address_is_v4(&prefix->address) ? 32 : 128;
	unsigned int hosts = whole - prefix->length;

	return hosts >= 32 ? UINT32_MAX : (1u << hosts) - 1;
}

static bool has_host_bits(const struct prefix *prefix)
{
	unsigned int skip = address_is_v4(&prefix->address) ? 96 : 0;

	for (unsigned int bit = skip + prefix->length; bit < 128; bit++)
		if (prefix->address.bytes[bit / 8] & 0x80 >> bit % 8)
			return true;
	return false;
}

bool prefix_parse(const char *text, struct prefix *prefix)
{
	unsigned int whole, length;
	char address[64], *end;
	const char *slash = strchrnul(text, '/');

	if ((size_t)(slash - text) >= sizeof(address))
		return false;
	snprintf(address, sizeof(address), "%.*s", (int)(slash - text), text);
	if (!address_parse(address, &prefix->address))
		return false;
	whole = length = address_is_v4(&prefix->address) ? 32 : 128;
	if (*slash) {
		length = strtoul(slash + 1, &end, 10);
		if (*end || end == slash + 1 || slash[1] < '0' || slash[1] > '9')
			return false;
	}
	prefix->length = length;
	return length >= 1 && length <= whole && !has_host_bits(prefix);
}

static bool is_unicast_v4(uint32_t host)
{
	return host >> 24 != 0 && host >> 24 != 127 && host >> 28 < 0xe;
}

bool address_is_unicast(const struct address *address)
{
	struct in6_addr v6;

	if (address_is_v4(address))
		return is_unicast_v4(ntohl(address->words[3]));
	memcpy(&v6, address->bytes, sizeof(v6));
	return !IN6_IS_ADDR_UNSPECIFIED(&v6) && !IN6_IS_ADDR_LOOPBACK(&v6) &&
	       !IN6_IS_ADDR_MULTICAST(&v6) && !IN6_IS_ADDR_LINKLOCAL(&v6);
}

bool lladdr_parse(const char *text, uint8_t lladdr[static 6])
{
	int used = 0;

	return sscanf(text, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%n", &lladdr[0], &lladdr[1],
		      &lladdr[2], &lladdr[3], &lladdr[4], &lladdr[5], &used) == 6 &&
	       used == (int)strlen(text) && used == LLADDR_TEXT_MAX - 1;
}

void lladdr_print(const uint8_t lladdr[static 6], char text[static LLADDR_TEXT_MAX])
{
	snprintf(text, LLADDR_TEXT_MAX, "%02x:%02x:%02x:%02x:%02x:%02x", lladdr[0], lladdr[1],
		 lladdr[2], lladdr[3], lladdr[4], lladdr[5]);
}
