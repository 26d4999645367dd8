// SPDX-License-Identifier: GPL-2.0-only
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "offload.h"

#define BLOCK_BITS 32

static bool ask(int fd, const char *device, void *command)
{
	struct ifreq request = { .ifr_data = command };

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", device);
	return !ioctl(fd, SIOCETHTOOL, &request);
}

static uint32_t count_features(int fd, const char *device)
{
	struct {
		struct ethtool_sset_info info;
		uint32_t count;
	} sets = { .info = { .cmd = ETHTOOL_GSSET_INFO, .sset_mask = 1ull << ETH_SS_FEATURES } };

	return ask(fd, device, &sets) && sets.info.sset_mask ? sets.count : 0;
}

/* The place of a feature among all; as many as there are, if it is not there. */
static uint32_t find_feature(int fd, const char *device, uint32_t count, const char *feature)
{
	struct ethtool_gstrings *names = calloc(1, sizeof(*names) + count * ETH_GSTRING_LEN);
	uint32_t at = 0;

	if (!names)
		return count;
	*names = (struct ethtool_gstrings){
		.cmd = ETHTOOL_GSTRINGS,
		.string_set = ETH_SS_FEATURES,
		.len = count,
	};
	if (!ask(fd, device, names))
		at = count;
	while (at < count &&
	       strncmp((char *)&names->data[at * ETH_GSTRING_LEN], feature, ETH_GSTRING_LEN))
		at++;
	free(names);
	return at;
}

static bool is_active(int fd, const char *device, uint32_t count, uint32_t feature)
{
	uint32_t blocks = (count + BLOCK_BITS - 1) / BLOCK_BITS;
	struct ethtool_gfeatures *features =
		calloc(1, sizeof(*features) + blocks * sizeof(features->features[0]));
	bool active = false;

	if (!features)
		return false;
	features->cmd = ETHTOOL_GFEATURES;
	features->size = blocks;
	if (ask(fd, device, features))
		active =
			features->features[feature / BLOCK_BITS].active >> feature % BLOCK_BITS & 1;
	free(features);
	return active;
}

bool offload_is_on(const char *device, const char *feature)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	uint32_t count, at;
	bool on = false;

	if (fd < 0)
		return false;
	count = count_features(fd, device);
	at = find_feature(fd, device, count, feature);
	if (at < count)
		on = is_active(fd, device, count, at);
	close(fd);
	return on;
}
