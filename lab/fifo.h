/* SPDX-License-Identifier: GPL-2.0-only */
/* Bytes that are taken in the order in which they were put. */
#ifndef LAB_FIFO_H
#define LAB_FIFO_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct fifo {
	uint8_t *bytes;
	size_t start, end, size;
};

static inline size_t fifo_length(const struct fifo *fifo)
{
	return fifo->end - fifo->start;
}

/* As many as fifo_length(); of an empty one, NULL perhaps. */
static inline const uint8_t *fifo_bytes(const struct fifo *fifo)
{
	return fifo->bytes + fifo->start;
}

static inline bool fifo_has(const struct fifo *fifo, char byte)
{
	return fifo_length(fifo) && memchr(fifo_bytes(fifo), byte, fifo_length(fifo));
}

static inline void fifo_put(struct fifo *fifo, const void *bytes, size_t length)
{
	if (!length)
		return;
	if (fifo->end + length > fifo->size) {
		if (fifo->start)
			memmove(fifo->bytes, fifo->bytes + fifo->start, fifo_length(fifo));
		fifo->end -= fifo->start;
		fifo->start = 0;
		fifo->size = 2 * (fifo->end + length);
		fifo->bytes = realloc(fifo->bytes, fifo->size);
		if (!fifo->bytes)
			abort();
	}
	memcpy(fifo->bytes + fifo->end, bytes, length);
	fifo->end += length;
}

/* length: at most what there is. */
static inline void fifo_drop(struct fifo *fifo, size_t length)
{
	fifo->start += length;
	if (fifo->start == fifo->end)
		fifo->start = fifo->end = 0;
}

static inline void fifo_free(struct fifo *fifo)
{
	free(fifo->bytes);
}

#endif
