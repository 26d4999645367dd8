// SPDX-License-Identifier: GPL-2.0-only
/* `key generate`: prints MPTCP keys whose tokens name an index. */
#include <openssl/crypto.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd.h"
#include "config_source.h"
#include "keysearch.h"

#define THREADS_MAX 256
#define TRIES_AT_ONCE 65536 /* a few milliseconds until a thread hears that it shall stop */

struct request {
	struct keysearch_goal goal;
	uint64_t count;
	uint64_t threads;
};

/* What the threads of one run share. */
struct run {
	const struct request *request;
	pthread_mutex_t lock; /* for all below, and for stdout */
	uint64_t found;
	uint8_t *nonces; /* one bit for each nonce that a key was found for */
	bool short_of_resources;
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

static void take_key(struct run *run, const struct server_key *key)
{
	pthread_mutex_lock(&run->lock);
	if (!stop && nonce_is_new(run, key->token)) {
		print_key(run, key);
		if (++run->found == run->request->count || ferror(stdout))
			stop = true;
	}
	pthread_mutex_unlock(&run->lock);
}

static void *search_keys(void *argument)
{
	struct run *run = argument;
	struct keysearch *search = keysearch_open(&run->request->goal);
	struct server_key key;

	if (!search) {
		pthread_mutex_lock(&run->lock);
		run->short_of_resources = stop = true;
		pthread_mutex_unlock(&run->lock);
		return NULL;
	}
	while (!stop)
		if (keysearch_next(search, TRIES_AT_ONCE, &key))
			take_key(run, &key);
	keysearch_close(search);
	return NULL;
}

static void run_threads(struct run *run)
{
	pthread_t threads[THREADS_MAX];
	uint64_t started = 0;

	while (started < run->request->threads &&
	       !pthread_create(&threads[started], NULL, search_keys, run))
		started++;
	if (started < run->request->threads)
		run->short_of_resources = stop = true;
	while (started > 0)
		pthread_join(threads[--started], NULL);
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
	if (run->short_of_resources)
		return fail(FAILED, "there is no memory, randomness or thread left to search with");
	if (run->found < run->request->count)
		return fail(FAILED, "interrupted: %llu of %llu keys were found",
			    (unsigned long long)run->found,
			    (unsigned long long)run->request->count);
	return DONE;
}

static enum status generate_keys(const struct request *request)
{
	uint32_t nonce_bits = TOKEN_BODY_BITS - request->goal.index_bits;
	struct run run = {
		.request = request,
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.nonces = calloc(1 << nonce_bits >> 3, 1),
	};

	if (!run.nonces)
		return fail(FAILED, "there is no memory to search keys in");
	stop_on_signals();
	if (options.json)
		printf("{ \"version\": 1, \"mptcp-version\": %d, \"keys\": [",
		       request->goal.version);
	run_threads(&run);
	if (options.json)
		puts(" ] }");
	free(run.nonces);
	return how_it_ended(&run);
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
		return words_number(words, "threads", 1, THREADS_MAX, &request->threads);
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
