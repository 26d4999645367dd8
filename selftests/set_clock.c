// SPDX-License-Identifier: GPL-2.0-only
/* set-clock: puts a balancer's clock ahead by so many milliseconds, or behind, until the next
 * `apply`. */
#include <stdlib.h>
#include <sys/timex.h>

#include "../loader/cmd.h"
#include "../loader/tables.h"

struct options options;

int main(int argc, char **argv)
{
	struct timex timex = {};
	struct tables *tables;
	struct clock *clock;

	if (argc != 3)
		return USAGE;
	if (tables_open(argv[1], &tables))
		return FAILED;
	adjtimex(&timex);
	clock = &tables_state(tables)->clock;
	clock->tai_offset_ms = timex.tai * 1000ull - strtoll(argv[2], NULL, 10);
	clock->due_jiffies = 0;
	tables_close(tables);
	return DONE;
}
