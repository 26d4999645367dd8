/* SPDX-License-Identifier: GPL-2.0-only */
/* Secret files for readers that say more than secret_read() does when one is bad. */
#ifndef SECRET_FILE_H
#define SECRET_FILE_H

#include "config.h"

#define SECRET_WHY_MAX 128

/*
 * As secret_read(), but silent: `why` ends the sentence "secret file FILE ..." where
 * FAILED (it cannot be read) or BAD_CONFIG (it holds no secret) is returned.
 */
enum status secret_load(const char *file, struct token_secret *secret,
			char why[static SECRET_WHY_MAX]);

#endif
