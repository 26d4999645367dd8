/* SPDX-License-Identifier: GPL-2.0-only */
/* The commands: each takes the words after its own. */
#ifndef CMD_H
#define CMD_H

#include "words.h"

enum status cmd_apply(struct words *words);
enum status cmd_attach(struct words *words);
enum status cmd_backend(struct words *words);
enum status cmd_check(struct words *words);
enum status cmd_detach(struct words *words);
enum status cmd_key(struct words *words);
enum status cmd_lab(struct words *words);
enum status cmd_load(struct words *words);
enum status cmd_ready(struct words *words);
enum status cmd_secret(struct words *words);
enum status cmd_server(struct words *words);
enum status cmd_service(struct words *words);
enum status cmd_show(struct words *words);
enum status cmd_stats(struct words *words);
enum status cmd_token(struct words *words);
enum status cmd_unload(struct words *words);

#endif
