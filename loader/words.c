// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "address.h"
#include "words.h"

bool words_take(struct words *words, const char *word)
{
	if (!words->count || strcmp(words->at[0], word))
		return false;
	words_next(words);
	return true;
}

char *words_next(struct words *words)
{
	if (!words->count)
		return NULL;
	words->count--;
	return *words->at++;
}

static enum status parse_number(const char *word, const char *what, int base, uint64_t min,
				uint64_t max, uint64_t *value)
{
	const char *numeral = base == 16 ? "hexadecimal number" : "number";
	char *end;

	errno = 0;
	*value = strtoull(word, &end, base);
	if (*end || end == word || strchr("+- \t\n", word[0]))
		return fail(USAGE, "%s must be a %s, not '%s'", what, numeral, word);
	if (errno || *value < min || *value > max)
		return fail(USAGE,
			    base == 16 ? "%s must lie between %#llx and %#llx, not '%s'"
				       : "%s must lie between %llu and %llu, not '%s'",
			    what, (unsigned long long)min, (unsigned long long)max, word);
	return DONE;
}

enum status words_number(struct words *words, const char *what, uint64_t min, uint64_t max,
			 uint64_t *value)
{
	const char *word = words_next(words);

	if (!word)
		return fail(USAGE, "%s needs a number", what);
	return parse_number(word, what, 10, min, max, value);
}

enum status words_hex(struct words *words, const char *what, uint64_t max, uint64_t *value)
{
	const char *word = words_next(words);

	if (!word)
		return fail(USAGE, "%s needs a hexadecimal number", what);
	return parse_number(word, what, 16, 0, max, value);
}

enum status words_address(struct words *words, const char *what, struct address *address)
{
	const char *word = words_next(words);

	if (!word)
		return fail(USAGE, "%s needs an IPv4 or IPv6 address", what);
	if (!address_parse(word, address))
		return fail(USAGE, "%s must be an IPv4 or IPv6 address, not '%s'", what, word);
	return DONE;
}

enum status words_choice(struct words *words, const char *what, const char *const *names,
			 unsigned int *value)
{
	const char *word = words_next(words);
	char list[128] = "";

	for (unsigned int i = 0; names[i]; i++) {
		if (word && !strcmp(word, names[i])) {
			*value = i;
			return DONE;
		}
		snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s%s",
			 !i             ? ""
			 : names[i + 1] ? ", "
					: " or ",
			 names[i]);
	}
	if (!word)
		return fail(USAGE, "%s needs one of %s", what, list);
	return fail(USAGE, "%s must be %s, not '%s'", what, list, word);
}

enum status words_end(const struct words *words)
{
	return words->count ? fail(USAGE, "unexpected word '%s'", words->at[0]) : DONE;
}

static void print_row(const char *title, const struct command *row)
{
	printf("%s %s%s%s\n", title, row->word, *row->arguments ? " " : "", row->arguments);
}

static enum status help(const struct words *words, const char *title, const struct command *rows)
{
	enum status status = words_end(words);

	for (; !status && rows->word; rows++)
		if (rows->arguments)
			print_row(title, rows);
	return status;
}

static bool has_rows(const struct command *row)
{
	size_t length = strlen(row->arguments);

	return length >= 4 && !strcmp(row->arguments + length - 4, " ...");
}

static enum status run(struct words *words, const char *title, const struct command *row)
{
	const struct command rows[] = { *row, { 0 } };

	if (row->arguments && !has_rows(row) && words_take(words, "help"))
		return help(words, title, rows);
	return row->run(words);
}

enum status words_dispatch(struct words *words, const char *title, const struct command *rows)
{
	const char *word = words_next(words);

	if (!word)
		return fail(USAGE, "a word is missing after '%s'; try '%s help'", title, title);
	if (!strcmp(word, "help"))
		return help(words, title, rows);
	for (; rows->word; rows++)
		if (!strcmp(word, rows->word))
			return run(words, title, rows);
	return fail(USAGE, "'%s' has no '%s'; try '%s help'", title, word, title);
}
