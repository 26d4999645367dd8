// SPDX-License-Identifier: GPL-2.0-only
/* Fuzzer: the token codec, which must undo itself under every secret. */
#include <string.h>

#include "../../include/token.h"
#include "claim.h"

struct input {
	struct token_secret secret;
	uint32_t token, nonce;
	uint16_t index;
	uint8_t epoch, index_bits;
} __attribute__((packed));

static void check_encoding(const struct input *in, uint32_t bits)
{
	uint32_t index = in->index % (1u << bits);
	uint32_t nonce = in->nonce % (1u << (TOKEN_BODY_BITS - bits));
	uint32_t epoch = in->epoch % TOKEN_EPOCHS;
	struct token_secret secret = in->secret;
	uint32_t token = token_encode(&secret, epoch, bits, index, nonce);
	uint32_t body = token_open(&secret, token);

	claim(token_epoch(token) == epoch, "a token does not say its epoch");
	claim(token_index(body, bits) == index, "a token does not decode to its index");
	claim(token_nonce(body, bits) == nonce, "a token does not decode to its nonce");
}

/* Any 32 bits are a token of somebody. */
static void check_decoding(const struct input *in, uint32_t bits)
{
	struct token_secret secret = in->secret;
	uint32_t body = token_open(&secret, in->token);
	uint32_t index = token_index(body, bits), nonce = token_nonce(body, bits);

	claim(index < 1u << bits && nonce < 1u << (TOKEN_BODY_BITS - bits),
	      "what is decoded is out of its range");
	claim(token_encode(&secret, token_epoch(in->token), bits, index, nonce) == in->token,
	      "what is decoded does not encode to the token");
}

/* The table is made once, since it takes milliseconds: the secret is the first input's. */
static void check_table(const struct input *in)
{
	static struct token_rounds rounds[TOKEN_EPOCHS];
	static struct token_secret secret;
	static int tabulated;
	uint32_t epoch = token_epoch(in->token);

	if (!(tabulated & 1 << epoch)) {
		secret = tabulated ? secret : in->secret;
		token_tabulate(&secret, epoch, &rounds[epoch]);
		tabulated |= 1 << epoch;
	}
	claim(token_look_up(&rounds[epoch], in->token) == token_open(&secret, in->token),
	      "the table says otherwise than the hash");
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct input in = { 0 };
	uint32_t bits;

	memcpy(&in, bytes, size < sizeof(in) ? size : sizeof(in));
	bits = TOKEN_INDEX_BITS_MIN +
	       in.index_bits % (TOKEN_INDEX_BITS_MAX - TOKEN_INDEX_BITS_MIN + 1);
	check_encoding(&in, bits);
	check_decoding(&in, bits);
	check_table(&in);
	return 0;
}
