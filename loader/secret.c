// SPDX-License-Identifier: GPL-2.0-only
/* secret: make one, and add, use, del and show those of the running configuration. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd.h"
#include "edit.h"
#include "report.h"

/* Anybody who may read the file may aim connections at a backend of choice. */
static void warn_if_exposed(void)
{
	struct stat stat;

	if (!fstat(STDOUT_FILENO, &stat) && S_ISREG(stat.st_mode) && stat.st_mode & 077)
		warn("others may read the file that this secret goes to");
}

static enum status generate(struct words *words)
{
	uint8_t secret[16];
	enum status status = words_end(words);

	if (status)
		return status;
	if (getrandom(secret, sizeof(secret), 0) != sizeof(secret))
		return fail(FAILED, "the kernel gives no random bytes: %s", strerror(errno));
	warn_if_exposed();
	for (size_t i = 0; i < sizeof(secret); i++)
		printf("%02x", secret[i]);
	putchar('\n');
	explicit_bzero(secret, sizeof(secret));
	return DONE;
}

static enum status take_epoch(struct words *words, uint32_t *epoch)
{
	uint64_t number = 0;
	enum status status = DONE;

	if (!words_take(words, "epoch"))
		status = fail(USAGE, "say which epoch: 'epoch E'");
	else
		status = words_number(words, "epoch", 0, TOKEN_EPOCHS - 1, &number);
	*epoch = number;
	return status;
}

/* "file F", or "file -" for stdin; the path is kept absolute, for export and apply. */
static enum status take_file(struct words *words, struct config_secret *secret)
{
	const char *file = words_take(words, "file") ? words_next(words) : NULL;
	char *absolute;
	enum status status;

	if (!file)
		return fail(USAGE, "say which file holds the secret: 'file F'");
	status = words_end(words);
	if (!status)
		status = secret_read(file, &secret->secret);
	if (status)
		return status;
	absolute = strcmp(file, "-") ? realpath(file, NULL) : strdup(file);
	if (!absolute || strlen(absolute) >= sizeof(secret->file))
		status = fail(FAILED, "the path of '%s' is too long", file);
	else
		strcpy(secret->file, absolute);
	free(absolute);
	secret->present = true;
	return status;
}

static enum status begin(struct words *words, struct edit *edit, uint32_t *epoch)
{
	enum status status = take_epoch(words, epoch);

	return status ? status : edit_begin(edit);
}

static enum status add(struct words *words)
{
	struct config_secret secret = {};
	uint32_t epoch;
	struct edit edit;
	enum status status = take_epoch(words, &epoch);

	if (!status)
		status = take_file(words, &secret);
	if (!status)
		status = edit_begin(&edit);
	if (status)
		return status;
	if (edit.config->secrets[epoch].present)
		status = fail(FAILED, "epoch %u has a secret already: 'secret del' first", epoch);
	edit.config->secrets[epoch] = secret;
	explicit_bzero(&secret, sizeof(secret));
	return edit_publish(&edit, status);
}

/* Begins an edit of an epoch that has a secret. */
static enum status begin_present(struct words *words, struct edit *edit, uint32_t *epoch)
{
	enum status status = begin(words, edit, epoch);

	if (status)
		return status;
	status = words_end(words);
	if (!status && !edit->config->secrets[*epoch].present)
		status = fail(FAILED, "epoch %u has no secret", *epoch);
	if (status)
		edit_end(edit);
	return status;
}

static enum status use(struct words *words)
{
	struct edit edit;
	uint32_t epoch;
	enum status status = begin_present(words, &edit, &epoch);

	if (status)
		return status;
	edit.config->epoch = epoch;
	return edit_publish(&edit, DONE);
}

static enum status del(struct words *words)
{
	struct edit edit;
	uint32_t epoch;
	enum status status = begin_present(words, &edit, &epoch);

	if (status)
		return status;
	if (edit.config->epoch == epoch && edit.config->service_count)
		status = fail(FAILED, "epoch %u is the one in use: 'secret use' another first",
			      epoch);
	explicit_bzero(&edit.config->secrets[epoch], sizeof(edit.config->secrets[epoch]));
	return edit_publish(&edit, status);
}

static enum status show(struct words *words)
{
	struct edit edit;
	enum status status = words_end(words);

	if (!status)
		status = edit_begin(&edit);
	if (status)
		return status;
	report(report_secrets(&edit));
	edit_end(&edit);
	return DONE;
}

static const struct command commands[] = {
	{ "generate", "", generate }, { "add", "epoch E file F", add },
	{ "use", "epoch E", use },    { "del", "epoch E", del },
	{ "show", "", show },         { 0 },
};

enum status cmd_secret(struct words *words)
{
	return words_dispatch(words, "mptcp-lb secret", commands);
}
