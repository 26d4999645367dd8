// SPDX-License-Identifier: GPL-2.0-only
/* server: the table of its verbs. */
#include "cmd.h"
#include "server_commands.h"

static const struct command commands[] = {
	{ "attach", "dev DEV [dev DEV]... [index N]", server_attach },
	{ "detach", "dev DEV [dev DEV]... [force]", server_detach },
	{ "run", "[threads N]", server_run },
	{ "check", "[handshakes N]", server_check },
	{ "show", "", server_show },
	{ 0 },
};

enum status cmd_server(struct words *words)
{
	return words_dispatch(words, "mptcp-lb server", commands);
}
