// SPDX-License-Identifier: GPL-2.0-only
/* mptcp-peer: a client or a server of MPTCP in user space, for tests and demonstrations. */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

#include "../include/stamp.h"
#include "../loader/secret_file.h"
#include "../loader/words.h"
#include "peer.h"

#define TURN_MS 10

struct options options;

static const char usage[] =
	"usage: mptcp-peer client dev TUN [dialects LIST] [keys SOURCE] [shared FILE] [lose N]\n"
	"                  [write FILE]\n"
	"       mptcp-peer server dev TUN address A port N name NAME index N [index-bits K]\n"
	"                  [epoch E] secret FILE [dialects LIST] [keys SOURCE] [shared FILE]\n"
	"                  [lose N] [write FILE]\n"
	"LIST: tcp, v0, v1, d, e, f, g with commas between; SOURCE: none, tls12, tls13, shared, "
	"null;\n"
	"lose: each Nth packet, either way\n";

static const char *const dialect_names[MPTCP_DIALECTS] = { "tcp", "v0", "v1", "d", "e", "f", "g" };

static enum status take_dialects(struct words *words, struct settings *settings)
{
	char *list = words_next(words), *name;

	if (!list)
		return fail(USAGE, "dialects needs a list");
	settings->speaks = 0;
	while ((name = strsep(&list, ","))) {
		int i = 0;

		while (i < MPTCP_DIALECTS && strcmp(name, dialect_names[i]))
			i++;
		if (i == MPTCP_DIALECTS)
			return fail(USAGE, "there is no dialect '%s'", name);
		settings->speaks |= 1u << i;
	}
	return DONE;
}

static enum status take_text(struct words *words, const char *what, char *text, size_t size)
{
	char *word = words_next(words);

	if (!word || strlen(word) >= size)
		return fail(USAGE, "%s needs a word of at most %zu letters", what, size - 1);
	strcpy(text, word);
	return DONE;
}

static enum status take_address(struct words *words, struct settings *settings)
{
	char *word = words_next(words);
	struct in_addr address;

	if (!word || inet_pton(AF_INET, word, &address) != 1)
		return fail(USAGE, "address needs an IPv4 address");
	settings->address = ntohl(address.s_addr);
	return DONE;
}

/* The cluster's secret, or one that the applications share: 16 bytes either way. */
static enum status take_secret(struct words *words, struct token_secret *secret)
{
	char *file = words_next(words), why[SECRET_WHY_MAX];
	enum status status;

	if (!file)
		return fail(USAGE, "a secret needs a file");
	status = secret_load(file, secret, why);
	return status ? fail(status, "secret file %s %s", file, why) : DONE;
}

static enum status take_number(struct words *words, const char *what, uint64_t max,
			       uint32_t *number)
{
	uint64_t value = 0;
	enum status status = words_number(words, what, 0, max, &value);

	*number = (uint32_t)value;
	return status;
}

static enum status take_pair(struct words *words, struct settings *settings)
{
	static const char *const sources[] = { "none", "tls12", "tls13", "shared", "null", NULL };
	struct mptcp_issuer *issuer = &settings->issuer;

	if (words_take(words, "dev"))
		return take_text(words, "dev", settings->device, sizeof(settings->device));
	if (words_take(words, "write"))
		return (settings->write = words_next(words)) ? DONE
							     : fail(USAGE, "write needs a file");
	if (words_take(words, "name"))
		return take_text(words, "name", settings->name, sizeof(settings->name));
	if (words_take(words, "address"))
		return take_address(words, settings);
	if (words_take(words, "port"))
		return take_number(words, "port", UINT16_MAX, &settings->port);
	if (words_take(words, "index"))
		return take_number(words, "index", MAX_BACKENDS - 1, &issuer->index);
	if (words_take(words, "index-bits"))
		return take_number(words, "index-bits", TOKEN_INDEX_BITS_MAX, &issuer->index_bits);
	if (words_take(words, "epoch"))
		return take_number(words, "epoch", TOKEN_EPOCHS - 1, &issuer->epoch);
	if (words_take(words, "secret"))
		return take_secret(words, &issuer->secret);
	if (words_take(words, "shared"))
		return take_secret(words, &settings->shared);
	if (words_take(words, "lose"))
		return take_number(words, "lose", UINT16_MAX, &settings->lose);
	if (words_take(words, "dialects"))
		return take_dialects(words, settings);
	if (words_take(words, "keys"))
		return words_choice(words, "keys", sources, &settings->keys);
	return words_end(words);
}

static uint32_t stamp_of(const struct mptcp_issuer *issuer)
{
	struct timespec wall;
	uint64_t wall_ms;

	clock_gettime(CLOCK_REALTIME, &wall);
	wall_ms = (uint64_t)wall.tv_sec * 1000 + (uint64_t)wall.tv_nsec / 1000000;
	return stamp_constant(stamp_offset(wall_ms, now_ms()), issuer->index, issuer->index_bits);
}

static enum status parse(struct words *words, struct settings *settings)
{
	enum status status = DONE;

	*settings = (struct settings){ .speaks = 1u << MPTCP_DIALECT_V1, .issuer.index_bits = 8 };
	settings->is_server = words_take(words, "server");
	if (!settings->is_server && !words_take(words, "client")) {
		fputs(usage, stderr);
		return USAGE;
	}
	while (!status && words->count)
		status = take_pair(words, settings);
	draw_random(&settings->issuer.counter, sizeof(settings->issuer.counter));
	if (settings->is_server)
		settings->stamp = stamp_of(&settings->issuer);
	return status;
}

int main(int argc, char **argv)
{
	struct settings settings;
	enum status status = parse(&(struct words){ argc - 1, argv + 1 }, &settings);
	struct peer *peer;

	if (status)
		return status;
	prctl(PR_SET_DUMPABLE, 0); /* no core file holds secrets */
	peer = peer_open(&settings);
	if (!peer)
		return fail(FAILED, "cannot open the TUN device '%s', or the file to write",
			    settings.device);
	puts("ready");
	fflush(stdout);
	if (!settings.is_server)
		return client_run(peer);
	for (;;)
		peer_turn(peer, TURN_MS);
}
