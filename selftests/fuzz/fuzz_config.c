// SPDX-License-Identifier: GPL-2.0-only
/* Fuzzer: the configuration reader, over any bytes; secrets come from nowhere. */
#define _GNU_SOURCE
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../loader/config.h"
#include "../../loader/secret_file.h"
#include "claim.h"

struct options options;

static char sentence[4096];
static int sentences;

/* In place of say.c. */
enum status fail(enum status status, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(sentence, sizeof(sentence), format, arguments);
	va_end(arguments);
	sentences++;
	return status;
}

void warn(const char *format, ...)
{
	(void)format;
}

/* In place of secret_file.c: no file is opened, whatever its name; some are bad. */
enum status secret_load(const char *file, struct token_secret *secret,
			char why[static SECRET_WHY_MAX])
{
	snprintf(why, SECRET_WHY_MAX, "is one of those that can't be read");
	*secret = (struct token_secret){ strlen(file), file[0] };
	return strlen(file) % 3 ? DONE : FAILED;
}

static void check(const struct config *config, enum status status, const char *file)
{
	if (!status) {
		claim(!sentences, "a file is good, and yet something is said");
		claim(!config_validate(config), "a file is good, but not what it means");
		return;
	}
	claim(status == BAD_CONFIG || status == FAILED, "no status for a file");
	claim(sentences == 1, "not one sentence is said of a bad file");
	claim(!strncmp(sentence, file, strlen(file)), "a sentence does not begin with the file");
}

/* The same memory again, cleared as far as it was used: fresh pages cost most of the time. */
static struct config *empty_config(void)
{
	static struct config *config;

	if (!config)
		return config = config_new();
	memset(config->services, 0, config->service_count * sizeof(config->services[0]));
	memset(config, 0, offsetof(struct config, services));
	config->index_bits = INDEX_BITS_DEFAULT;
	return config;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static int fd = -1;
	static char file[64];
	struct config *config;

	if (fd < 0) {
		fd = memfd_create("fuzz", 0);
		snprintf(file, sizeof(file), "/proc/self/fd/%d", fd);
	}
	if (ftruncate(fd, 0) || pwrite(fd, bytes, size, 0) != (ssize_t)size)
		abort();
	sentences = 0;
	config = empty_config();
	check(config, config_read(file, config), file);
	return 0;
}
