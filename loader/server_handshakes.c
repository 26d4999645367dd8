// SPDX-License-Identifier: GPL-2.0-only
/* server check: handshakes with the real listeners, through a veth with the same programs. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../include/token.h"
#include "address.h"
#include "findings.h"
#include "handshake_capture.h"
#include "mptcp_sockets.h"
#include "report.h"
#include "scratch.h"
#include "scratch_client.h"
#include "server_programs.h"
#include "sockets.h"

#define SETTLE_ROUNDS 20
#define SETTLE_PAUSE_US 50000

struct trial {
	struct json_object *findings, *list;
	struct server_maps *maps;
	const struct config *config;
	uint32_t handshakes;
	struct scratch scratch;
	enum status status;
};

/* How the handshakes with one service went. */
struct outcome {
	uint32_t established;
	uint32_t tokens;  /* decode to this index */
	uint32_t adopted; /* are the listener's own by now */
	struct captured_key keys[SCRATCH_CONNECTIONS_MAX];
	struct capture_tally tally;
};

static bool is_of_index(const struct trial *trial, uint32_t token)
{
	const struct server_state *state = server_maps_state(trial->maps);
	const struct config_secret *secret = &trial->config->secrets[token_epoch(token)];

	return secret->present &&
	       token_index(token_open(&secret->secret, token), state->index_bits) == state->index;
}

static void count_tokens(const struct trial *trial, struct outcome *outcome)
{
	for (uint32_t i = 0; trial->config && i < outcome->tally.count; i++)
		outcome->tokens += is_of_index(trial, outcome->keys[i].token);
}

static void note_adopted(uint32_t token, void *context)
{
	struct outcome *outcome = context;

	for (uint32_t i = 0; i < outcome->tally.count; i++)
		if (outcome->keys[i].token == token)
			outcome->adopted++;
}

/* The client is done before the server's kernel is. */
static void count_adopted(struct outcome *outcome)
{
	for (int round = 0; round < SETTLE_ROUNDS; round++) {
		outcome->adopted = 0;
		if (mptcp_sockets_tokens(note_adopted, outcome) ||
		    outcome->adopted >= outcome->tally.count)
			return;
		usleep(SETTLE_PAUSE_US);
	}
}

struct remains {
	const struct address *client;
	uint32_t count;
};

static void note_remains(const struct connection *connection, int state, void *context)
{
	struct remains *remains = context;

	(void)state;
	remains->count += address_equal(&connection->remote, remains->client);
}

static void abort_remains(const struct connection *connection, int state, void *context)
{
	(void)state;
	if (address_equal(&connection->remote, context))
		sockets_abort(connection);
}

/* So that no server's last words, repeated for minutes, go where the veth no longer is. */
static void wait_for_the_end(struct address *client)
{
	for (int round = 0; round < SETTLE_ROUNDS; round++) {
		struct remains remains = { .client = client };

		if (sockets_each_connection(note_remains, &remains) || !remains.count)
			return;
		usleep(SETTLE_PAUSE_US);
	}
	sockets_each_connection(abort_remains, client);
}

static void shake_hands(struct trial *trial, struct capture *capture, struct outcome *outcome)
{
	const struct server_state *state = server_maps_state(trial->maps);

	outcome->established = scratch_connect(&trial->scratch, &capture->client, &capture->service,
					       capture->port, trial->handshakes);
	capture_read(capture, state, &outcome->tally);
	count_tokens(trial, outcome);
	count_adopted(outcome);
	scratch_disconnect(&trial->scratch);
	wait_for_the_end(&capture->client);
	capture_read(capture, state, &outcome->tally);
}

/* Here and there one may be refused by chance: all of a host's namespaces share one table. */
static void judge_adoption(const struct trial *trial, const char *where,
			   const struct outcome *outcome)
{
	uint32_t keys = outcome->tally.count;

	if (!outcome->established || outcome->adopted >= keys)
		return;
	if (!outcome->adopted)
		find(trial->findings,
		     "the kernel adopted none of %u keys that clients of %s were given, and their "
		     "joins are lost: see the sysctl net.ipv4.tcp_syncookies; if it is 2, don't "
		     "use "
		     "this kernel",
		     keys, where);
	else
		find(trial->findings,
		     "the kernel adopted %u of %u keys that clients of %s were given: its table of "
		     "tokens, which all network namespaces share, is crowded, or another server "
		     "side issues under the same secret and index",
		     outcome->adopted, keys, where);
}

static void judge_keys(const struct trial *trial, const char *where, const struct outcome *outcome)
{
	const struct server_state *state = server_maps_state(trial->maps);
	uint32_t keys = outcome->tally.count;

	if (outcome->established < trial->handshakes)
		find(trial->findings,
		     "of %u handshakes with %s only %u came about: see whether a firewall stands "
		     "before it, and whether it accepts connections",
		     trial->handshakes, where, outcome->established);
	if (keys < outcome->established)
		find(trial->findings,
		     "%u of %u answers of %s came without MPTCP: see the sysctl net.mptcp.enabled, "
		     "and what on this host strips TCP options",
		     outcome->established - keys, outcome->established, where);
	if (trial->config && outcome->tokens < keys)
		find(trial->findings,
		     "of %u tokens of %s only %u decode to index %u, and the joins of the others "
		     "are lost: see whether 'server run' issues under this configuration's secrets "
		     "and keeps the queue filled",
		     keys, where, outcome->tokens, state->index);
	judge_adoption(trial, where, outcome);
}

static void judge_stamps(const struct trial *trial, const char *where,
			 const struct capture_tally *tally)
{
	if (tally->sent_right < tally->sent)
		find(trial->findings,
		     "of %u segments that %s sent %u had a stamp that names another index: see "
		     "the clock, and what else on this host rewrites TCP timestamps",
		     tally->sent, where, tally->sent - tally->sent_right);
	if (tally->received_right < tally->received)
		find(trial->findings,
		     "of %u segments that came for %s %u had a stamp left on: see the sysctl "
		     "net.ipv4.tcp_timestamps, and what else on this host rewrites TCP timestamps",
		     tally->received, where, tally->received - tally->received_right);
}

static void report_outcome(const struct trial *trial, const struct capture *capture,
			   const struct outcome *outcome)
{
	struct json_object *row = json_object_new_object();

	report_text(row, "address", address_print(&capture->service).text);
	report_number(row, "port", ntohs(capture->port));
	report_number(row, "handshakes", trial->handshakes);
	report_number(row, "established", outcome->established);
	report_number(row, "keys", outcome->tally.count);
	if (trial->config)
		report_number(row, "tokens", outcome->tokens);
	report_number(row, "adopted", outcome->adopted);
	report_number(row, "sent", outcome->tally.sent);
	report_number(row, "sent-right", outcome->tally.sent_right);
	report_number(row, "received", outcome->tally.received);
	report_number(row, "received-right", outcome->tally.received_right);
	json_object_array_add(trial->list, row);
}

static enum status try_out(struct trial *trial, const struct server_service *service)
{
	struct capture capture = { .service = service->address, .port = service->port };
	struct outcome outcome = {
		.tally = { .keys = outcome.keys, .room = SCRATCH_CONNECTIONS_MAX },
	};
	const struct address *client;
	char where[80];
	enum status status = scratch_lead(&trial->scratch, &service->address, &client);

	if (status)
		return status;
	capture.client = *client;
	if (!capture_open(&capture, trial->scratch.ifindex))
		return fail(FAILED, "can't test: no packets can be captured");
	shake_hands(trial, &capture, &outcome);
	capture_close(&capture);
	snprintf(where, sizeof(where), "%s port %u", address_print(&service->address).text,
		 ntohs(service->port));
	judge_keys(trial, where, &outcome);
	judge_stamps(trial, where, &outcome.tally);
	report_outcome(trial, &capture, &outcome);
	return DONE;
}

static void try_service(const struct server_service *service, void *context)
{
	struct trial *trial = context;

	if (!trial->status && sockets_listening(&service->address, service->port) == LISTENS_MPTCP)
		trial->status = try_out(trial, service);
}

/* In the order of any device: ingress first. What is on the veth goes with it. */
static enum status put_programs(uint32_t ifindex)
{
	bool was_there;
	int error = clsact_create(ifindex, &was_there);

	if (!error)
		error = programs_attach(options.pin_dir, SERVER_INGRESS, ifindex, true);
	if (!error)
		error = programs_attach(options.pin_dir, SERVER_EGRESS, ifindex, true);
	return error ? fail(FAILED, "can't test: the programs can't be put on a veth: %s",
			    strerror(-error))
		     : DONE;
}

enum status find_by_handshakes(struct json_object *findings, struct server_maps *maps,
			       const struct config *config, uint32_t handshakes,
			       struct json_object *list)
{
	struct trial trial = {
		.findings = findings,
		.list = list,
		.maps = maps,
		.config = config,
		.handshakes = handshakes,
	};
	enum status status = scratch_open(&trial.scratch);

	if (status)
		return status;
	trial.status = put_programs(trial.scratch.ifindex);
	if (!trial.status)
		server_maps_each_service(maps, try_service, &trial);
	scratch_close(&trial.scratch);
	return trial.status;
}
