/* SPDX-License-Identifier: GPL-2.0-only */
/* A short name for what all members of a cluster must agree on. */
#ifndef FINGERPRINT_H
#define FINGERPRINT_H

#include "config.h"

/* 16 hex digits. The order of things in a file makes no difference. */
void config_fingerprint(const struct config *config, char out[static 17]);

#endif
