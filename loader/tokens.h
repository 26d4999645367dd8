/* SPDX-License-Identifier: GPL-2.0-only */
/* The tokens that must not be issued again, in buckets as the kernel's token table has them. */
#ifndef TOKENS_H
#define TOKENS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The kernel holds four tokens in a bucket and refuses a connection that would be the fifth. */
#define TOKENS_BUCKET_ISSUED_MAX 3

struct tokens;

/* buckets: a power of two. NULL if there is no memory. */
struct tokens *tokens_new(size_t buckets);
void tokens_free(struct tokens *tokens);

void tokens_forget_all(struct tokens *tokens);

/*
 * A token that is in use, or is about to be, takes a place in its bucket; one that is only
 * not to be issued again takes none. What is there already is not counted again. False if
 * there is no memory.
 */
bool tokens_add(struct tokens *tokens, uint32_t token);
bool tokens_bar(struct tokens *tokens, uint32_t token);

/* Whether a token may be issued: it is not there, and fewer than three have its bucket's places. */
bool tokens_allow(const struct tokens *tokens, uint32_t token);

/* How many buckets the token table of a kernel has that booted with so much memory. */
size_t tokens_kernel_buckets(uint64_t memory_bytes);

#endif
