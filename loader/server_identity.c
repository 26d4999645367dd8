// SPDX-License-Identifier: GPL-2.0-only
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "address.h"
#include "server_identity.h"

static bool is_address(const struct sockaddr *sockaddr, const struct address *address)
{
	const struct sockaddr_in *v4 = (const void *)sockaddr;
	const struct sockaddr_in6 *v6 = (const void *)sockaddr;

	if (!sockaddr)
		return false;
	if (sockaddr->sa_family == AF_INET)
		return address_is_v4(address) && address->words[3] == v4->sin_addr.s_addr;
	return sockaddr->sa_family == AF_INET6 && !memcmp(&v6->sin6_addr, address, 16);
}

static struct ifaddrs *find(struct ifaddrs *mine, const struct address *address)
{
	while (mine && !is_address(mine->ifa_addr, address))
		mine = mine->ifa_next;
	return mine;
}

bool identity_find_address(const struct address *address, char device[static IF_NAMESIZE])
{
	struct ifaddrs *mine = NULL, *found;
	bool is_there;

	if (getifaddrs(&mine))
		return false;
	found = find(mine, address);
	is_there = found;
	if (found)
		snprintf(device, IF_NAMESIZE, "%.*s", (int)strcspn(found->ifa_name, ":"),
			 found->ifa_name);
	freeifaddrs(mine);
	return is_there;
}

static enum status find_by_address(const struct config *config, struct ifaddrs *mine,
				   uint32_t *index)
{
	for (uint32_t i = 0; i < MAX_BACKENDS; i++) {
		const struct config_backend *backend = &config->backends[i];

		if (!backend->assigned || address_is_zero(&backend->address) ||
		    !find(mine, &backend->address))
			continue;
		if (*index != INDEX_UNKNOWN)
			return fail(FAILED,
				    "this host has the addresses of backends %u and %u: say which "
				    "one it is with 'index N'",
				    *index, i);
		*index = i;
	}
	if (*index == INDEX_UNKNOWN)
		return fail(FAILED, "this host has no backend's address: say which backend it is "
				    "with 'index N'");
	return DONE;
}

static bool has_service(const struct config *config, uint32_t index)
{
	for (size_t i = 0; i < config->service_count; i++)
		if (config->services[i].weight[index])
			return true;
	return false;
}

enum status identity_find(const struct config *config, uint32_t *index)
{
	struct ifaddrs *mine = NULL;
	enum status status = DONE;

	if (*index == INDEX_UNKNOWN) {
		if (getifaddrs(&mine))
			return fail(FAILED, "can't list this host's addresses");
		status = find_by_address(config, mine, index);
		freeifaddrs(mine);
	}
	if (!status && *index >> config->index_bits)
		return fail(FAILED, "index %u does not fit into %u index bits", *index,
			    config->index_bits);
	if (!status && !has_service(config, *index))
		return fail(FAILED, "no service has backend %u", *index);
	return status;
}
