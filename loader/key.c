// SPDX-License-Identifier: GPL-2.0-only
/* `key generate`: prints MPTCP keys whose tokens name an index. */
#include <openssl/crypto.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd.h"
#include "config_source.h"
#include "keyhunt.h"
#include "progress.h"

struct request {
	struct keysearch_goal goal;
	uint64_t count;
	uint64_t threads;
};

struct run {
	const struct request *request;
	uint64_t found;
	uint8_t *nonces; /* one bit for each nonce that a key was found for */
	struct progress progress;
};

static atomic_bool stop;

static void on_signal(int signal)
{
	(void)signal;
	stop = true;
}

static void print_key(const struct run *run, const struct server_key *key)
{
	const struct keysearch_goal *goal = &run->request->goal;
	const uint8_t *wire = (const uint8_t *)&key->key;

	if (options.json)
		printf("%s\n  { \"key\": \"", run->found ? "," : "");
	for (size_t i = 0; i < sizeof(key->key); i++)
		printf("%02x", wire[i]);
	if (options.json)
		printf("\", \"token\": \"%08x\", \"epoch\": %u, \"index\": %u }", key->token,
		       goal->epoch, goal->index);
	else
		putchar('\n');
}

/* Two keys of one token are of no use to a server: only the first of them counts. */
static bool nonce_is_new(struct run *run, uint32_t token)
{
	const struct keysearch_goal *goal = &run->request->goal;
	uint32_t nonce = token_nonce(token_open(&goal->secret, token), goal->index_bits);
	uint8_t bit = 1 << nonce % 8;

	if (run->nonces[nonce / 8] & bit)
		return false;
	run->nonces[nonce / 8] |= bit;
	return true;
}

/* Whether the search is to go on. */
static bool take_key(const struct server_key *key, void *context)
{
	struct run *run = context;

	if (stop)
		return false;
	if (key && nonce_is_new(run, key->token)) {
		progress_make_way(&run->progress);
		print_key(run, key);
		run->found++;
	}
	progress_say(&run->progress, run->found);
	return run->found < run->request->count && !ferror(stdout);
}

/* Ctrl-C ends the search, not the line that is being written. */
static void stop_on_signals(void)
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

static enum status how_it_ended(const struct run *run)
{
	if (fflush(stdout) || ferror(stdout))
		return fail(FAILED, "the keys cannot be written to standard output");
	if (run->found < run->request->count)
		return fail(FAILED, "interrupted: %llu of %llu keys were found",
			    (unsigned long long)run->found,
			    (unsigned long long)run->request->count);
	return DONE;
}

static enum status print_keys(struct keyhunt *hunt, struct run *run)
{
	int error;

	if (options.json)
		printf("{ \"version\": 1, \"mptcp-version\": %d, \"keys\": [",
		       run->request->goal.version);
	run->progress = progress_begin(run->request->count);
	error = keyhunt_run(hunt, take_key, run);
	progress_end(&run->progress);
	if (options.json)
		puts(" ] }");
	if (error)
		return fail(FAILED, "a thread to search with can't be started: %s",
			    strerror(-error));
	return how_it_ended(run);
}

static enum status generate_keys(const struct request *request)
{
	uint32_t nonce_bits = TOKEN_BODY_BITS - request->goal.index_bits;
	struct keyhunt *hunt = keyhunt_open(&request->goal, request->threads);
	struct run run = { .request = request, .nonces = calloc(1 << nonce_bits >> 3, 1) };
	enum status status;

	stop_on_signals();
	if (hunt && run.nonces)
		status = print_keys(hunt, &run);
	else
		status = fail(FAILED, "there is no memory or no randomness to search keys with");
	free(run.nonces);
	keyhunt_close(hunt);
	return status;
}

/* As for `wg genkey`: a key that anyone can read is none. */
static void warn_of_readers(void)
{
	struct stat file;

	if (!fstat(STDOUT_FILENO, &file) && S_ISREG(file.st_mode) && file.st_mode & S_IRWXO)
		warn("keys are secrets, and others may read the file that they are written to; "
		     "try again with umask 077");
}

/* What the cluster's configuration adds to a request, and whether the two go together. */
static enum status complete_request(const struct config *config, struct request *request)
{
	struct keysearch_goal *goal = &request->goal;
	/* Beyond half of all tokens, ever fewer of those that are found are new. */
	uint64_t count_max = 1ULL << (TOKEN_BODY_BITS - config->index_bits) >> 1;

	if (!config->secrets[config->epoch].present)
		return fail(FAILED, "there is no secret for epoch %u, under which keys are issued",
			    config->epoch);
	if (goal->index >> config->index_bits)
		return fail(USAGE, "index %u is too great: index-bits %u end at %u", goal->index,
			    config->index_bits, (1u << config->index_bits) - 1);
	if (request->count > count_max)
		return fail(USAGE, "count %llu is too great: index-bits %u leave %llu keys at most",
			    (unsigned long long)request->count, config->index_bits,
			    (unsigned long long)count_max);
	goal->secret = config->secrets[config->epoch].secret;
	goal->epoch = config->epoch;
	goal->index_bits = config->index_bits;
	return DONE;
}

static enum status take_option_word(struct words *words, struct request *request)
{
	uint64_t version;
	enum status status;

	if (words_take(words, "count"))
		return words_number(words, "count", 1, UINT32_MAX, &request->count);
	if (words_take(words, "threads"))
		return words_number(words, "threads", 1, KEYHUNT_THREADS_MAX, &request->threads);
	if (!words_take(words, "version"))
		return words_end(words);
	status = words_number(words, "version", MPTCP_V0, MPTCP_V1, &version);
	if (!status)
		request->goal.version = version;
	return status;
}

static enum status parse_request(struct words *words, struct request *request)
{
	uint64_t index;
	enum status status;

	if (!words_take(words, "index"))
		return fail(USAGE, "key generate needs 'index N'");
	status = words_number(words, "index", 0, MAX_BACKENDS - 1, &index);
	while (!status && words->count)
		status = take_option_word(words, request);
	if (!status)
		request->goal.index = index;
	return status;
}

static enum status key_generate(struct words *words)
{
	struct request request = { .goal.version = MPTCP_V1, .count = 1, .threads = 1 };
	enum status status = parse_request(words, &request);
	struct config *config;

	if (status)
		return status;
	config = config_new();
	status = config_obtain(config);
	if (!status)
		status = complete_request(config, &request);
	config_free(config);
	if (status)
		return status;
	warn_of_readers();
	status = generate_keys(&request);
	OPENSSL_cleanse(&request, sizeof(request));
	return status;
}

enum status cmd_key(struct words *words)
{
	static const struct command commands[] = {
		{ "generate", "index N [count C] [version 0|1] [threads N]", key_generate },
		{ 0 },
	};

	return words_dispatch(words, "mptcp-lb key", commands);
}
