// SPDX-License-Identifier: GPL-2.0-only
/* The token codec against golden vectors, and the words `token encode` and `token decode`. */
#include <inttypes.h>
#include <stdlib.h>

#include "../../include/token.h"
#include "../../loader/cmd.h"
#include "../../loader/config.h"
#include "../capture.h"
#include "../tap.h"
#include "../vectors.h"

struct options options;

#define RANDOM_MAX 10000

static struct capture said, printed;

static struct token_secret parse_secret(const char *text)
{
	struct token_secret secret = { 0 };

	for (int i = 0; i < 16; i++) {
		unsigned int byte = 0;

		sscanf(text + 2 * i, "%2x", &byte);
		*(i < 8 ? &secret.k0 : &secret.k1) |= (uint64_t)byte << i % 8 * 8;
	}
	return secret;
}

static struct token_rounds rounds;

static bool check_token(const char *line)
{
	uint32_t index_bits, epoch, index, nonce, token, body;
	struct token_secret secret;
	char text[33];

	if (sscanf(line, "%32s %" SCNu32 " %" SCNu32 " %" SCNu32 " %" SCNx32 " %" SCNx32, text,
		   &index_bits, &epoch, &index, &nonce, &token) != 6)
		return false;
	secret = parse_secret(text);
	body = token_open(&secret, token);
	token_tabulate(&secret, epoch, &rounds);
	return token_encode(&secret, epoch, index_bits, index, nonce) == token &&
	       token_epoch(token) == epoch && token_index(body, index_bits) == index &&
	       token_nonce(body, index_bits) == nonce && token_look_up(&rounds, token) == body;
}

/* Runs `token WORD...` with -c t.yaml; the words end in NULL. */
static enum status token(char **words)
{
	struct words at = { 0, words };
	enum status status;

	while (words[at.count])
		at.count++;
	capture_begin(&said, STDERR_FILENO);
	capture_begin(&printed, STDOUT_FILENO);
	status = cmd_token(&at);
	capture_end(&printed);
	capture_end(&said);
	return status;
}

#define TOKEN(...) token((char *[]){ __VA_ARGS__, NULL })

/* "0:HEX,1:HEX" becomes secret files and the start of a configuration. */
static void write_secrets(FILE *yaml, const char *secrets)
{
	char name[] = "secret.N", text[34];
	int epoch, used;

	fputs("  secrets: {", yaml);
	while (sscanf(secrets, "%d:%32[0-9a-f]%n", &epoch, text, &used) == 2) {
		name[7] = '0' + epoch;
		write_file(name, text, 0600);
		fprintf(yaml, "%d: %s, ", epoch, name);
		secrets += used + (secrets[used] == ',');
	}
	fputs("}\n", yaml);
}

/* "1:up,7:drain", or "-" for no service at all. */
static void write_backends(FILE *yaml, const char *backends)
{
	int index, used;
	char state[6];

	if (!strcmp(backends, "-"))
		return;
	fputs("services:\n  - {address: 192.0.2.1, ports: [443], joins: ring, backends: [", yaml);
	while (sscanf(backends, "%d:%5[a-z]%n", &index, state, &used) == 2) {
		fprintf(yaml, "{index: %d, address: 10.0.%d.%d, state: %s}, ", index, index >> 8,
			index & 255, state);
		backends += used + (backends[used] == ',');
	}
	fputs("]}\n", yaml);
}

static void write_config(int index_bits, int epoch, const char *secrets, const char *backends)
{
	FILE *yaml = fopen("t.yaml", "w");

	if (!yaml)
		abort();
	fprintf(yaml, "cluster:\n  index-bits: %d\n  epoch: %d\n", index_bits, epoch);
	write_secrets(yaml, secrets);
	write_backends(yaml, backends);
	fclose(yaml);
}

static bool check_verdict(const char *line)
{
	char secrets[200], backends[100], hex[9], expected[128];
	int index_bits, used;

	if (sscanf(line, "%d %199s %99s %8s %n", &index_bits, secrets, backends, hex, &used) != 4)
		return false;
	write_config(index_bits, 0, secrets, backends);
	snprintf(expected, sizeof(expected), "%s\n", line + used);
	if (!TOKEN("decode", hex) && !strcmp(printed.text, expected) && !*said.text)
		return true;
	diag("got: %s%s", printed.text, said.text);
	return false;
}

static void test_vectors(void)
{
	int codec = vectors_check("token", check_token);
	int verdicts;

	ok(codec >= 62, "%d tokens, at least 62, encode, open and look up as golden vectors say",
	   codec);
	verdicts = vectors_check("token decode", check_verdict);
	ok(verdicts >= 80,
	   "%d tokens, at least 80, decode or are unroutable in the words of golden "
	   "vectors",
	   verdicts);
}

#define VECTOR_SECRETS "0:000102030405060708090a0b0c0d0e0f,1:8f95f09245765f80256934e50c66207f"

static void test_encode(void)
{
	write_config(8, 0, VECTOR_SECRETS, "-");
	ok(!TOKEN("encode", "index", "0", "nonce", "1") && !strcmp(printed.text, "13f2fcd9\n"),
	   "encode prints a vector's token under the configuration's epoch");
	ok(!TOKEN("encode", "index", "42", "count", "1", "epoch", "1", "nonce", "0x1E240") &&
		   !strcmp(printed.text, "4099e14a\n"),
	   "words after the index come in any order, and hex may begin with 0x");
	ok(!TOKEN("decode", "4099e14a", "13f2fcd9") &&
		   !strcmp(printed.text, "4099e14a epoch 1 index 42 nonce 0x1e240\n"
					 "13f2fcd9 epoch 0 index 0 nonce 0x1\n"),
	   "decode prints a line for each token");
	ok(!TOKEN("encode", "index", "255", "nonce", "3ffffe", "count", "2") &&
		   strlen(printed.text) == 18,
	   "the last two nonces are two tokens");
}

static int compare_tokens(const void *left, const void *right)
{
	uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;

	return a < b ? -1 : a > b;
}

/* How many tokens of a text are distinct, decode to index 9, and are not 0. */
static int count_random_tokens(const char *text, uint32_t index_bits)
{
	static uint32_t tokens[RANDOM_MAX];
	struct token_secret secret = parse_secret("8f95f09245765f80256934e50c66207f");
	int count = 0, good = 0;

	for (; count < RANDOM_MAX && strlen(text) >= 9; text += 9)
		tokens[count++] = strtoul(text, NULL, 16);
	qsort(tokens, count, sizeof(tokens[0]), compare_tokens);
	for (int i = 0; i < count; i++)
		good += tokens[i] && (!i || tokens[i] != tokens[i - 1]) &&
			token_index(token_open(&secret, tokens[i]), index_bits) == 9;
	return good;
}

static void test_random(void)
{
	char first[32];

	write_config(12, 1, VECTOR_SECRETS, "-");
	/* Of 262144 nonces 10000 are drawn: chance alone would draw some 190 of them twice. */
	ok(!TOKEN("encode", "index", "9", "count", "10000") &&
		   count_random_tokens(printed.text, 12) == 10000,
	   "ten thousand random tokens are distinct, and all decode to their index");
	snprintf(first, sizeof(first), "%.9s", printed.text);
	ok(!TOKEN("encode", "index", "9") && strcmp(printed.text, first),
	   "the next call draws another nonce");
}

/* Secret ff..ff, epoch 0: the body that encodes to token 0, found by opening 0. */
static void test_token_zero(void)
{
	struct token_secret secret = parse_secret("ffffffffffffffffffffffffffffffff");
	uint32_t body = token_open(&secret, 0);
	char index[12], nonce[12], expected[128];

	write_config(8, 0, "0:ffffffffffffffffffffffffffffffff", "-");
	snprintf(index, sizeof(index), "%u", token_index(body, 8));
	snprintf(nonce, sizeof(nonce), "%x", token_nonce(body, 8));
	snprintf(expected, sizeof(expected),
		 "mptcp-lb: nonce 0x%s gives token 0, which is never issued\n", nonce);
	ok(TOKEN("encode", "index", index, "nonce", nonce) == FAILED && !*printed.text &&
		   !strcmp(said.text, expected),
	   "token 0 is not issued");
}

static void test_json(void)
{
	write_config(8, 0, VECTOR_SECRETS, "-");
	options.json = true;
	ok(!TOKEN("decode", "4099e14a", "8b37ce85") &&
		   !strcmp(printed.text,
			   "[ { \"token\": \"4099e14a\", \"epoch\": 1, \"index\": 42, "
			   "\"nonce\": 123456 }, { \"token\": \"8b37ce85\", \"unroutable\": "
			   "\"no secret for epoch 2\" } ]\n"),
	   "decode -j prints a list");
	ok(!TOKEN("encode", "index", "0", "nonce", "1") &&
		   !strcmp(printed.text, "[ { \"token\": \"13f2fcd9\", \"epoch\": 0, "
					 "\"index\": 0, \"nonce\": 1 } ]\n"),
	   "encode -j prints a list");
	ok(TOKEN("decode", "xyz") == USAGE && !*printed.text &&
		   !strcmp(said.text, "{ \"version\": 1, \"error\": \"token must be a hexadecimal "
				      "number, not 'xyz'\", \"status\": 2 }\n"),
	   "an error under -j is JSON on stderr");
	options.json = false;
}

static const struct refusal {
	const char *words[10];
	enum status status;
	const char *says;
} refusals[] = {
	{ { "encode" }, USAGE, "token encode needs 'index N'" },
	{ { "encode", "7" }, USAGE, "token encode needs 'index N'" },
	{ { "encode", "index" }, USAGE, "index needs a number" },
	{ { "encode", "index", "x" }, USAGE, "index must be a number, not 'x'" },
	{ { "encode", "index", "256" }, USAGE, "index must lie between 0 and 255, not '256'" },
	{ { "encode", "index", "4096" }, USAGE, "index must lie between 0 and 4095, not '4096'" },
	{ { "encode", "index", "7", "epoch", "4" },
	  USAGE,
	  "epoch must lie between 0 and 3, not '4'" },
	{ { "encode", "index", "7", "epoch", "3" }, FAILED, "there is no secret for epoch 3" },
	{ { "encode", "index", "7", "nonce", "400000" },
	  USAGE,
	  "nonce must lie between 0 and 0x3fffff, not '0x400000'" },
	{ { "encode", "index", "7", "nonce", "g" },
	  USAGE,
	  "nonce must be a hexadecimal number, not 'g'" },
	{ { "encode", "index", "7", "count", "0" },
	  USAGE,
	  "count must lie between 1 and 65536, not '0'" },
	{ { "encode", "index", "7", "nonce", "3fffff", "count", "2" },
	  USAGE,
	  "count must be 1 or less: nonces end at 0x3fffff" },
	{ { "encode", "index", "7", "secret" }, USAGE, "unexpected word 'secret'" },
	{ { "decode" }, USAGE, "token needs a hexadecimal number" },
	{ { "decode", "13f2fcd9", "13f2fcd9f" },
	  USAGE,
	  "token must lie between 0 and 0xffffffff, not '13f2fcd9f'" },
};

static void test_refusals(void)
{
	write_config(8, 0, VECTOR_SECRETS, "-");
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		char expected[256];
		enum status status = token((char **)refusals[i].words);

		snprintf(expected, sizeof(expected), "mptcp-lb: %s\n", refusals[i].says);
		if (!ok(status == refusals[i].status && !strcmp(said.text, expected) &&
				!*printed.text,
			"refused, and nothing printed: %s", refusals[i].says))
			diag("got %d: %s", status, said.text);
	}
	options.config_file = "nowhere.yaml";
	ok(TOKEN("decode", "13f2fcd9") == FAILED &&
		   !strcmp(said.text,
			   "mptcp-lb: cannot open nowhere.yaml: No such file or directory\n"),
	   "a configuration that cannot be opened is said so");
	options.config_file = NULL;
	options.pin_dir = "/nowhere";
	ok(TOKEN("decode", "13f2fcd9") == NOT_LOADED && !*printed.text,
	   "without -c the loaded maps are asked for, and here are none");
}

int main(void)
{
	vectors_locate();
	enter_directory();
	options.config_file = "t.yaml";
	test_vectors();
	test_encode();
	test_random();
	test_token_zero();
	test_json();
	test_refusals();
	leave_directory();
	return tap_end();
}
