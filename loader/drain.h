/* SPDX-License-Identifier: GPL-2.0-only */
/* backend drain: the words after it. */
#ifndef DRAIN_H
#define DRAIN_H

#include "words.h"

enum status backend_drain(struct words *words);

#endif
