// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * RC5 (Rivest, "The RC5 encryption algorithm", 1995) with w = 16, r = 16 and b = 4. Bytes make
 * words least significant first, both in the key and in the block.
 */
#include "rc5.h"

#define ROUNDS 16
#define TABLE (2 * (ROUNDS + 1))
#define KEY_WORDS 2
#define MAGIC_P 0xb7e1
#define MAGIC_Q 0x9e37

static uint16_t rotate_left(uint16_t word, uint16_t by)
{
	by &= 15;
	return (uint16_t)(word << by | word >> ((16 - by) & 15));
}

static uint16_t rotate_right(uint16_t word, uint16_t by)
{
	return rotate_left(word, (uint16_t)(16 - (by & 15)));
}

/* The word whose first byte on the wire is the block's at this place. */
static uint16_t word_at(uint32_t block, int place)
{
	return __builtin_bswap16((uint16_t)(block >> (place ? 0 : 16)));
}

static uint32_t block_of(uint16_t a, uint16_t b)
{
	return (uint32_t)__builtin_bswap16(a) << 16 | __builtin_bswap16(b);
}

static void expand(uint32_t key, uint16_t table[static TABLE])
{
	uint16_t words[KEY_WORDS] = { word_at(key, 0), word_at(key, 1) }, a = 0, b = 0;

	table[0] = MAGIC_P;
	for (int i = 1; i < TABLE; i++)
		table[i] = (uint16_t)(table[i - 1] + MAGIC_Q);
	for (int i = 0; i < 3 * TABLE; i++) {
		uint16_t *entry = &table[i % TABLE], *word = &words[i % KEY_WORDS];

		a = *entry = rotate_left((uint16_t)(*entry + a + b), 3);
		b = *word = rotate_left((uint16_t)(*word + a + b), (uint16_t)(a + b));
	}
}

uint32_t rc5_encrypt(uint32_t key, uint32_t block)
{
	uint16_t table[TABLE], a, b;

	expand(key, table);
	a = (uint16_t)(word_at(block, 0) + table[0]);
	b = (uint16_t)(word_at(block, 1) + table[1]);
	for (int i = 1; i <= ROUNDS; i++) {
		a = (uint16_t)(rotate_left(a ^ b, b) + table[2 * i]);
		b = (uint16_t)(rotate_left(b ^ a, a) + table[2 * i + 1]);
	}
	return block_of(a, b);
}

uint32_t rc5_decrypt(uint32_t key, uint32_t block)
{
	uint16_t table[TABLE], a = word_at(block, 0), b = word_at(block, 1);

	expand(key, table);
	for (int i = ROUNDS; i; i--) {
		b = rotate_right((uint16_t)(b - table[2 * i + 1]), a) ^ a;
		a = rotate_right((uint16_t)(a - table[2 * i]), b) ^ b;
	}
	return block_of((uint16_t)(a - table[0]), (uint16_t)(b - table[1]));
}
