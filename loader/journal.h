/* SPDX-License-Identifier: GPL-2.0-only */
/* What a daemon tells the journal, which adds the time. */
#ifndef JOURNAL_H
#define JOURNAL_H

/* A sentence on stderr, without a final full stop. */
void note(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
