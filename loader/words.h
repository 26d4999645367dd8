/* SPDX-License-Identifier: GPL-2.0-only */
/* The words of a command line, read from left to right as in ip(8). */
#ifndef WORDS_H
#define WORDS_H

#include "../include/types.h"
#include "say.h"

struct words {
	int count; /* words left */
	char **at; /* the next one */
};

/* Takes the next word if it is this one. */
bool words_take(struct words *words, const char *word);

/* Takes the next word whatever it is; NULL if there is none. */
char *words_next(struct words *words);

/*
 * Each takes the next word as a value. `what` names it in the sentence that is said,
 * with USAGE returned, when it is missing or wrong.
 */
enum status words_number(struct words *words, const char *what, uint64_t min, uint64_t max,
			 uint64_t *value);
enum status words_hex(struct words *words, const char *what, uint64_t max, uint64_t *value);
enum status words_address(struct words *words, const char *what, struct address *address);

/* Takes one of `names`, which ends in NULL; *value is its place. */
enum status words_choice(struct words *words, const char *what, const char *const *names,
			 unsigned int *value);

/* USAGE, with a sentence, if any word is left. */
enum status words_end(const struct words *words);

/* A command is a row: a word, and what it does with the words after it. */
struct command {
	const char *word;
	const char
		*arguments; /* for help; ending in " ...": has rows of its own; NULL: not shown */
	enum status (*run)(struct words *words);
};

/*
 * Runs the row that the next word names; rows end with one without a word. `help` prints
 * the rows under `title`, and after the word of a row that one; no word, or one that no
 * row has, is USAGE.
 */
enum status words_dispatch(struct words *words, const char *title, const struct command *rows);

#endif
