/* SPDX-License-Identifier: GPL-2.0-only */
/* The configuration that a reading command goes by. */
#ifndef CONFIG_SOURCE_H
#define CONFIG_SOURCE_H

#include "config.h"

/* That of -c FILE, which needs neither root nor maps, or else that of the loaded maps. */
enum status config_obtain(struct config *config);

#endif
