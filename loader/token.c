// SPDX-License-Identifier: GPL-2.0-only
/* `token`: from an index to tokens, and from tokens to what they say. */
#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "cmd.h"
#include "config_source.h"

#define COUNT_MAX 65536
#define WHY_MAX 64

struct request {
	uint64_t index, epoch, nonce, count;
	bool epoch_given, nonce_given;
};

/* What a token says; why is not empty where it is unroutable. */
struct meaning {
	uint32_t token, index, nonce;
	char why[WHY_MAX];
};

static struct meaning meaning_of(const struct config *config, uint32_t token)
{
	uint32_t epoch = token_epoch(token);
	uint32_t body = token_open(&config->secrets[epoch].secret, token);
	struct meaning meaning = {
		.token = token,
		.index = token_index(body, config->index_bits),
		.nonce = token_nonce(body, config->index_bits),
	};
	const struct config_backend *backend = &config->backends[meaning.index];

	if (!config->secrets[epoch].present)
		snprintf(meaning.why, WHY_MAX, "no secret for epoch %u", epoch);
	else if (config->service_count && !backend->assigned)
		snprintf(meaning.why, WHY_MAX, "index %u is not a backend", meaning.index);
	else if (config->service_count && backend->state == BACKEND_DOWN)
		snprintf(meaning.why, WHY_MAX, "backend %u is down", meaning.index);
	return meaning;
}

static struct json_object *json_meaning(const struct meaning *meaning)
{
	struct json_object *object = json_object_new_object();
	char token[9];

	snprintf(token, sizeof(token), "%08x", meaning->token);
	json_object_object_add(object, "token", json_object_new_string(token));
	if (*meaning->why) {
		json_object_object_add(object, "unroutable", json_object_new_string(meaning->why));
		return object;
	}
	json_object_object_add(object, "epoch", json_object_new_int(token_epoch(meaning->token)));
	json_object_object_add(object, "index", json_object_new_int(meaning->index));
	json_object_object_add(object, "nonce", json_object_new_int(meaning->nonce));
	return object;
}

static void print_meaning(const struct meaning *meaning)
{
	if (*meaning->why)
		printf("%08x unroutable: %s\n", meaning->token, meaning->why);
	else
		printf("%08x epoch %u index %u nonce 0x%x\n", meaning->token,
		       token_epoch(meaning->token), meaning->index, meaning->nonce);
}

/* Under -j a list, which is printed once it is whole; NULL otherwise. */
static struct json_object *list_begin(void)
{
	return options.json ? json_object_new_array() : NULL;
}

static void list_end(struct json_object *list)
{
	if (list)
		puts(json_object_to_json_string_ext(list, JSON_C_TO_STRING_SPACED));
	json_object_put(list);
}

static void decode(const struct config *config, struct words *words)
{
	struct json_object *list = list_begin();
	uint64_t token;

	while (words->count && !words_hex(words, "token", UINT32_MAX, &token)) {
		struct meaning meaning = meaning_of(config, token);

		if (list)
			json_object_array_add(list, json_meaning(&meaning));
		else
			print_meaning(&meaning);
	}
	list_end(list);
}

/* All words are tried first: a mistake in the last must not follow half an answer. */
static enum status decode_words(struct words *words)
{
	struct words tried = *words;
	struct config *config;
	enum status status;
	uint64_t token;

	do
		status = words_hex(&tried, "token", UINT32_MAX, &token);
	while (!status && tried.count);
	if (status)
		return status;
	config = config_new();
	status = config_obtain(config);
	if (!status)
		decode(config, words);
	config_free(config);
	return status;
}

static enum status take_request(struct words *words, struct request *request)
{
	enum status status;

	if (!words_take(words, "index"))
		return fail(USAGE, "token encode needs 'index N'");
	status = words_number(words, "index", 0, MAX_BACKENDS - 1, &request->index);
	while (!status && words->count) {
		if (words_take(words, "epoch")) {
			request->epoch_given = true;
			status = words_number(words, "epoch", 0, TOKEN_EPOCHS - 1, &request->epoch);
		} else if (words_take(words, "nonce")) {
			request->nonce_given = true;
			status = words_hex(words, "nonce", UINT32_MAX, &request->nonce);
		} else if (words_take(words, "count")) {
			status = words_number(words, "count", 1, COUNT_MAX, &request->count);
		} else {
			return words_end(words);
		}
	}
	return status;
}

/* Whether the request makes sense in a cluster: what the words alone could not tell. */
static enum status check_request(const struct request *request, const struct config *config)
{
	uint32_t indices = 1u << config->index_bits;
	uint32_t nonces = 1u << (TOKEN_BODY_BITS - config->index_bits);

	if (request->index >= indices)
		return fail(USAGE, "index must lie between 0 and %u, not '%u'", indices - 1,
			    (uint32_t)request->index);
	if (request->nonce >= nonces)
		return fail(USAGE, "nonce must lie between 0 and 0x%x, not '0x%x'", nonces - 1,
			    (uint32_t)request->nonce);
	if (request->count > nonces - request->nonce)
		return fail(USAGE, "count must be %u or less: nonces end at 0x%x",
			    (uint32_t)(nonces - request->nonce), nonces - 1);
	if (!config->secrets[request->epoch].present)
		return fail(FAILED, "there is no secret for epoch %u", (uint32_t)request->epoch);
	return DONE;
}

/* A nonce that was not drawn before; drawn has a bit for each. False if there is none to draw. */
static bool draw_nonce(uint8_t *drawn, uint32_t nonces, uint32_t *nonce)
{
	do {
		if (getrandom(nonce, sizeof(*nonce), 0) != sizeof(*nonce))
			return false;
		*nonce %= nonces;
	} while (drawn[*nonce / 8] & 1 << *nonce % 8);
	drawn[*nonce / 8] |= 1 << *nonce % 8;
	return true;
}

/* The meaning of the next token. Token 0 is never issued: one index has a nonce fewer. */
static enum status next_token(struct request *request, const struct config *config, uint8_t *drawn,
			      struct meaning *meaning)
{
	uint32_t nonces = 1u << (TOKEN_BODY_BITS - config->index_bits);

	meaning->index = request->index;
	do {
		meaning->nonce = request->nonce++;
		if (!request->nonce_given && !draw_nonce(drawn, nonces, &meaning->nonce))
			return fail(FAILED, "no random numbers: %s", strerror(errno));
		meaning->token =
			token_encode(&config->secrets[request->epoch].secret, request->epoch,
				     config->index_bits, meaning->index, meaning->nonce);
	} while (!meaning->token && !request->nonce_given);
	if (!meaning->token)
		return fail(FAILED, "nonce 0x%x gives token 0, which is never issued",
			    meaning->nonce);
	return DONE;
}

static enum status print_tokens(struct request *request, const struct config *config,
				uint8_t *drawn)
{
	struct json_object *list = list_begin();
	struct meaning meaning = { 0 };
	enum status status = DONE;

	while (request->count--) {
		status = next_token(request, config, drawn, &meaning);
		if (status)
			break;
		if (list)
			json_object_array_add(list, json_meaning(&meaning));
		else
			printf("%08x\n", meaning.token);
	}
	if (status)
		json_object_put(list);
	else
		list_end(list);
	return status;
}

static enum status encode(struct request *request, const struct config *config)
{
	uint32_t nonces = 1u << (TOKEN_BODY_BITS - config->index_bits);
	uint8_t *drawn = calloc(nonces / 8, 1);
	enum status status;

	if (!drawn)
		return fail(FAILED, "not enough memory to remember %u nonces", nonces);
	status = print_tokens(request, config, drawn);
	free(drawn);
	return status;
}

static enum status encode_words(struct words *words)
{
	struct request request = { .count = 1 };
	enum status status = take_request(words, &request);
	struct config *config;

	if (status)
		return status;
	config = config_new();
	status = config_obtain(config);
	if (!status && !request.epoch_given)
		request.epoch = config->epoch;
	if (!status)
		status = check_request(&request, config);
	if (!status)
		status = encode(&request, config);
	config_free(config);
	return status;
}

enum status cmd_token(struct words *words)
{
	static const struct command commands[] = {
		{ "encode", "index N [epoch E] [nonce HEX] [count C]", encode_words },
		{ "decode", "HEX...", decode_words },
		{ 0 },
	};

	return words_dispatch(words, "mptcp-lb token", commands);
}
