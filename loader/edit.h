/* SPDX-License-Identifier: GPL-2.0-only */
/* Changing the running configuration: read it, change it, publish it, all under one lock. */
#ifndef EDIT_H
#define EDIT_H

#include "tables.h"

struct edit {
	struct tables *tables;
	struct config *config;
	bool force; /* an index may go to another address at once */
};

/* Where it fails there is nothing to end. */
enum status edit_begin(struct edit *edit);

/* Publishes, if status is DONE so far and the configuration holds together; releases all. */
enum status edit_publish(struct edit *edit, enum status status);

/* Releases all, changing nothing. */
void edit_end(struct edit *edit);

#endif
