/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Numbers in network byte order, at any address. */
#ifndef HANDSHAKE_BYTES_H
#define HANDSHAKE_BYTES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* size: 1 to 8 bytes, most significant first. */
static inline uint64_t get_number(const uint8_t *bytes, size_t size)
{
	uint64_t number = 0;

	while (size--)
		number = number << 8 | *bytes++;
	return number;
}

/* Writes the low bytes of the number, and returns what is behind them. */
static inline uint8_t *put_number(uint8_t *bytes, uint64_t number, size_t size)
{
	for (size_t i = size; i--; number >>= 8)
		bytes[i] = (uint8_t)number;
	return bytes + size;
}

/* Zeros that the compiler may not leave out, though nobody reads them. */
static inline void wipe(void *bytes, size_t size)
{
	memset(bytes, 0, size);
	__asm__ volatile("" : : "r"(bytes) : "memory");
}

#endif
