// SPDX-License-Identifier: GPL-2.0-only
/* mptcp-lb: options before or after the noun, then the table of nouns. */
#include <bpf/libbpf.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "cmd.h"
#include "config.h"
#include "tables.h"

#define VERSION "0.1.0"

struct options options = {
	.pin_dir = PIN_DIR_DEFAULT,
	.config_file = NULL, /* CONFIG_FILE_DEFAULT where one is needed */
};

static const struct command commands[] = {
	{ "apply", "[FILE] [force]", cmd_apply },
	{ "check", "[FILE]", cmd_check },
	{ "load", "", cmd_load },
	{ "unload", "", cmd_unload },
	{ "attach", "dev DEV [native|generic]", cmd_attach },
	{ "detach", "dev DEV", cmd_detach },
	{ "backend", "{ add | set | drain | del | show } ...", cmd_backend },
	{ "service", "{ add | set | del | show | backend } ...", cmd_service },
	{ "secret", "{ generate | add | use | del | show } ...", cmd_secret },
	{ "token", "{ encode | decode } ...", cmd_token },
	{ "key", "generate ...", cmd_key },
	{ "lab", "[dialect D] [keys SOURCE] [write PREFIX]", cmd_lab },
	{ "show", "", cmd_show },
	{ "stats", "", cmd_stats },
	{ "ready", "", cmd_ready },
	{ "server", "{ attach | detach | run | check | show } ...", cmd_server },
	{ 0 },
};

static enum status take_option(int letter, const char *argument)
{
	switch (letter) {
	case 'j':
		options.json = true;
		return DONE;
	case 'p':
		options.pin_dir = argument;
		return DONE;
	case 'c':
		options.config_file = argument;
		return DONE;
	case ':':
		return fail(USAGE, "option -%c needs an argument", optopt);
	default:
		return fail(USAGE, "there is no option -%c; try 'mptcp-lb help'", optopt);
	}
}

int main(int argc, char **argv)
{
	enum status status;
	int letter;

	prctl(PR_SET_DUMPABLE, 0); /* no core file holds secrets */
	libbpf_set_print(NULL);
	opterr = 0;
	/* GNU getopt permutes: options may stand after the noun, and words keep their order. */
	while ((letter = getopt(argc, argv, ":jp:c:V")) != -1) {
		if (letter == 'V')
			return puts("mptcp-lb " VERSION) < 0;
		status = take_option(letter, optarg);
		if (status)
			return status;
	}
	return words_dispatch(&(struct words){ argc - optind, argv + optind }, "mptcp-lb",
			      commands);
}
