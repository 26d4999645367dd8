/* SPDX-License-Identifier: GPL-2.0-only */
/* Test results in TAP, for prove(1): one line a sentence, the plan at the end. */
#ifndef TAP_H
#define TAP_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

static int tap_run, tap_failed;

/* Says whether what the sentence claims is so; returns it. */
static inline __attribute__((format(printf, 2, 3))) bool ok(bool is_so, const char *sentence, ...)
{
	va_list arguments;

	tap_run++;
	tap_failed += !is_so;
	printf("%s %d - ", is_so ? "ok" : "not ok", tap_run);
	va_start(arguments, sentence);
	vprintf(sentence, arguments);
	va_end(arguments);
	putchar('\n');
	fflush(stdout);
	return is_so;
}

/* What one needs to know of a failure; prove shows it. */
static inline __attribute__((format(printf, 1, 2))) void diag(const char *format, ...)
{
	va_list arguments;

	printf("# ");
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	putchar('\n');
}

/* main() returns it: a test that checks nothing has failed. */
static inline int tap_end(void)
{
	printf("1..%d\n", tap_run);
	return tap_failed || !tap_run;
}

#endif
