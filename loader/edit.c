// SPDX-License-Identifier: GPL-2.0-only
#include "edit.h"
#include "reuse.h"

enum status edit_begin(struct edit *edit)
{
	enum status status = tables_open(options.pin_dir, &edit->tables);

	if (status)
		return status;
	edit->config = config_new();
	edit->force = false;
	status = tables_read(edit->tables, edit->config);
	if (status)
		edit_end(edit);
	return status;
}

enum status edit_publish(struct edit *edit, enum status status)
{
	if (!status)
		status = config_validate(edit->config);
	if (!status && !edit->force)
		status = reuse_check(edit->tables, edit->config);
	if (!status)
		status = tables_publish(edit->tables, edit->config);
	edit_end(edit);
	return status;
}

void edit_end(struct edit *edit)
{
	config_free(edit->config);
	tables_close(edit->tables);
}
