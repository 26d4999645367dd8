// SPDX-License-Identifier: GPL-2.0-only
/* Sets how many joins the server side lets be in flight; 0 turns off what it does for joins. */
#include <stdlib.h>

#include "../loader/cmd.h"
#include "../loader/server_maps.h"

struct options options;

int main(int argc, char **argv)
{
	struct server_maps *maps;

	if (argc != 3 || server_maps_open(argv[1], &maps))
		return 1;
	server_maps_state(maps)->joins_max = atoi(argv[2]);
	server_maps_close(maps);
	return 0;
}
