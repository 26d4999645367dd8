// SPDX-License-Identifier: GPL-2.0-only
/* Chooses between the file that -c names and the loaded maps. */
#include "config_source.h"
#include "tables.h"

enum status config_obtain(struct config *config)
{
	struct tables *tables;
	enum status status;

	if (options.config_file)
		return config_read(options.config_file, config);
	status = tables_open(options.pin_dir, &tables);
	if (status)
		return status;
	status = tables_read(tables, config);
	tables_close(tables);
	return status;
}
