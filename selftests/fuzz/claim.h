/* SPDX-License-Identifier: GPL-2.0-only */
/* What a fuzzer says must hold, and how it ends when it does not. */
#ifndef FUZZ_CLAIM_H
#define FUZZ_CLAIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* libFuzzer calls it with each input. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* complaint: what is wrong if it is not so. */
static inline void claim(bool is_so, const char *complaint)
{
	if (is_so)
		return;
	fprintf(stderr, "%s\n", complaint);
	abort();
}

#endif
