// SPDX-License-Identifier: GPL-2.0-only
/* Refreshes the stamps of a service's connections that have been idle for a second: -p DIR. */
#include <stdio.h>
#include <string.h>

#include "../loader/server_refresh.h"

#define PERIOD_MS 1000

struct options options;

int main(int argc, char **argv)
{
	struct server_refresh *refresh;
	struct server_maps *maps;

	if (argc != 3 || strcmp(argv[1], "-p")) {
		fprintf(stderr, "usage: refresh-stamps -p DIR\n");
		return USAGE;
	}
	if (server_maps_open(argv[2], &maps))
		return FAILED;
	if (refresh_open(maps, &refresh))
		return FAILED;
	while (refresh_turn(refresh, PERIOD_MS))
		;
	refresh_close(refresh);
	server_maps_close(maps);
	return DONE;
}
