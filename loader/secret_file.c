// SPDX-License-Identifier: GPL-2.0-only
/* Reads a secret from a file of 32 hex digits. */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "secret_file.h"

#define SECRET_BYTES sizeof(struct token_secret)
#define SECRET_DIGITS (2 * SECRET_BYTES)

static int digit_value(char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	if (digit >= 'a' && digit <= 'f')
		return digit - 'a' + 10;
	if (digit >= 'A' && digit <= 'F')
		return digit - 'A' + 10;
	return -1;
}

static bool parse_bytes(const char *text, size_t length, uint8_t bytes[static SECRET_BYTES])
{
	if (length == SECRET_DIGITS + 1 && text[SECRET_DIGITS] == '\n')
		length--;
	if (length != SECRET_DIGITS)
		return false;
	for (size_t i = 0; i < SECRET_BYTES; i++) {
		int high = digit_value(text[2 * i]), low = digit_value(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		bytes[i] = high << 4 | low;
	}
	return true;
}

static bool parse_secret(const char *text, size_t length, struct token_secret *secret)
{
	uint8_t bytes[SECRET_BYTES] = { 0 };
	bool good = parse_bytes(text, length, bytes);

	memcpy(secret, bytes, sizeof(bytes));
	secret->k0 = le64toh(secret->k0);
	secret->k1 = le64toh(secret->k1);
	explicit_bzero(bytes, sizeof(bytes));
	return good;
}

/* Reads until `size` bytes or the end, as a pipe may hand them out in pieces. */
static ssize_t read_all(int fd, char *text, size_t size)
{
	size_t length = 0;
	ssize_t got;

	do {
		got = read(fd, text + length, size - length);
		if (got > 0)
			length += got;
	} while (length < size && (got > 0 || (got < 0 && errno == EINTR)));
	return got < 0 ? -errno : (ssize_t)length;
}

static void warn_if_others_read(const char *file, int fd)
{
	struct stat stat;

	if (!fstat(fd, &stat) && S_ISREG(stat.st_mode) && stat.st_mode & (S_IRGRP | S_IROTH))
		warn("secret file %s can be read by others than its owner: chmod 600", file);
}

static enum status load_from(int fd, struct token_secret *secret, char why[static SECRET_WHY_MAX])
{
	char text[SECRET_DIGITS + 2]; /* the digits, a newline, and one byte too many */
	ssize_t length = read_all(fd, text, sizeof(text));
	enum status status = DONE;

	if (length < 0) {
		snprintf(why, SECRET_WHY_MAX, "cannot be read: %s", strerror(-length));
		status = FAILED;
	} else if (!parse_secret(text, length, secret)) {
		snprintf(why, SECRET_WHY_MAX, "does not hold 32 hex digits and nothing else");
		status = BAD_CONFIG;
	}
	explicit_bzero(text, sizeof(text));
	return status;
}

enum status secret_load(const char *file, struct token_secret *secret,
			char why[static SECRET_WHY_MAX])
{
	enum status status;
	int fd;

	if (!strcmp(file, "-"))
		return load_from(STDIN_FILENO, secret, why);
	fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0) {
		snprintf(why, SECRET_WHY_MAX, "cannot be opened: %s", strerror(errno));
		return FAILED;
	}
	warn_if_others_read(file, fd);
	status = load_from(fd, secret, why);
	close(fd);
	return status;
}

enum status secret_read(const char *file, struct token_secret *secret)
{
	char why[SECRET_WHY_MAX];
	enum status status = secret_load(file, secret, why);

	return status ? fail(status, "secret file %s %s", file, why) : DONE;
}
