/* SPDX-License-Identifier: GPL-2.0-only */
/* The directory of pins that -p names: what is pinned in it, and its lock. */
#ifndef PINS_H
#define PINS_H

#include "say.h"

#define PIN_PATH_MAX 4096

void pin_path(char path[static PIN_PATH_MAX], const char *name);
bool pin_exists(const char *name);

/* A file descriptor of the program or map, or -errno. */
int pin_open(const char *name);

/*
 * Keeps every other command out until *lock is closed: it needs no file, and dies with
 * its holder. Says so and returns NOT_LOADED where there is no such directory.
 */
enum status pins_lock(const char *pin_dir, int *lock);

/* The same in silence: a file descriptor or -errno, about which the other has a sentence. */
int pins_try_lock(const char *pin_dir);
enum status pins_say_why_not(const char *pin_dir, int err);

#endif
