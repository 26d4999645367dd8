/* SPDX-License-Identifier: GPL-2.0-only */
/* Indices that were another backend's not long ago. */
#ifndef REUSE_H
#define REUSE_H

#include "tables.h"

/*
 * Says so if a configuration gives an index to another address than it has, or had less than
 * its idle horizon ago: old stamps would lead to a server that does not know the connection.
 */
enum status reuse_check(struct tables *tables, const struct config *wanted);

#endif
