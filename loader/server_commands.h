/* SPDX-License-Identifier: GPL-2.0-only */
/* The commands of the server side, and what two of them share. */
#ifndef SERVER_COMMANDS_H
#define SERVER_COMMANDS_H

#include "../include/server.h"
#include "words.h"

enum status server_attach(struct words *words);
enum status server_check(struct words *words);
enum status server_detach(struct words *words);
enum status server_run(struct words *words);
enum status server_show(struct words *words);

/* Takes everything off, gives back the sysctls that still have our values, and unpins. */
void server_remove(struct server_state *state);

#endif
