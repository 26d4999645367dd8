// SPDX-License-Identifier: GPL-2.0-only
/* Which dialect two ends agree on, for every pair of ends, and what a third may try. */
#include "handshake_ends.h"
#include "tap.h"

#define SETS 8
#define DRAFTS 7

static const uint32_t sets[SETS] = {
	0, V0, V1, V0 | V1, APPLICATION, V0 | APPLICATION, V1 | APPLICATION, V0 | V1 | APPLICATION
};
static const char *const names[SETS] = { "TCP alone", "v0",   "v1",   "v0 v1",
					 "G",         "v0 G", "v1 G", "v0 v1 G" };

/*
 * A row for each client, a column for each server, in the order of sets[]. A client asks in
 * the highest version that it speaks, and TCP is what is left if that does not fit.
 */
static const char *const expected[SETS] = {
	"TTTTTTTT", "T0T0T0T0", "TT11TT11", "TT11TT11",
	"TTTTGGGG", "TTTTGGGG", "TT11GGGG", "TT11GGGG",
};

static char letter(enum mptcp_dialect dialect)
{
	return "T01DEFG"[dialect];
}

/* The lengths that the documents give, in order of the segments. */
static bool lengths_are_right(const struct ends *ends)
{
	static const size_t lengths[MPTCP_DIALECTS][3] = {
		[MPTCP_DIALECT_V0] = { 12, 12, 20 },
		[MPTCP_DIALECT_V1] = { 4, 12, 20 },
		[MPTCP_DIALECT_CIPHERED] = { 4, 12, 20 },
		[MPTCP_DIALECT_EXTERNAL] = { 4, 8, 12 },
		[MPTCP_DIALECT_SELECTED] = { 13, 13, 21 },
		[MPTCP_DIALECT_APPLICATION] = { 4, 12, 20 },
	};

	return ends->a.dialect == MPTCP_DIALECT_TCP ||
	       !memcmp(ends->lengths, lengths[ends->a.dialect], sizeof(ends->lengths));
}

static bool agree(const struct ends *ends)
{
	const struct mptcp_handshake *a = &ends->a, *b = &ends->b;

	return a->progress == MPTCP_DONE && b->progress == MPTCP_DONE && a->dialect == b->dialect &&
	       a->keys[MPTCP_OWN] == b->keys[MPTCP_PEER] &&
	       a->keys[MPTCP_PEER] == b->keys[MPTCP_OWN] &&
	       a->tokens[MPTCP_OWN] == b->tokens[MPTCP_PEER] &&
	       a->tokens[MPTCP_PEER] == b->tokens[MPTCP_OWN] && a->has_keys == b->has_keys;
}

static void test_pairs(void)
{
	for (int client = 0; client < SETS; client++) {
		char found[SETS + 1] = "";
		bool all_agree = true;

		for (int server = 0; server < SETS; server++) {
			struct ends ends;

			ends_init(&ends, sets[client], sets[server]);
			ends_shake(&ends);
			found[server] = letter(ends.a.dialect);
			all_agree &= agree(&ends) && lengths_are_right(&ends);
		}
		if (!ok(all_agree && !strcmp(found, expected[client]),
			"a client of %s and servers of all kinds end at %s", names[client],
			expected[client]))
			diag("they end at %s", found);
	}
}

/* The other drafts, likewise; a SYN that asks for F is nothing to whoever does not know F. */
static const struct {
	const char *name;
	uint32_t speaks;
	const char *expected;
} drafts[DRAFTS] = {
	{ "v1", V1, "1TTT11T" },
	{ "D", CIPHERED, "TDTTDTD" },
	{ "E", EXTERNAL, "TTETTEE" },
	{ "F", SELECTED, "TTTFTTF" },
	{ "v1 D", V1 | CIPHERED, "1DTTD1D" },
	{ "v1 E", V1 | EXTERNAL, "1TET1EE" },
	{ "D E F", CIPHERED | EXTERNAL | SELECTED, "TTTFTTF" },
};

static void test_drafts(void)
{
	for (int client = 0; client < DRAFTS; client++) {
		char found[DRAFTS + 1] = "";
		bool all_agree = true;

		for (int server = 0; server < DRAFTS; server++) {
			struct ends ends;

			ends_init(&ends, drafts[client].speaks, drafts[server].speaks);
			ends_shake(&ends);
			found[server] = letter(ends.a.dialect);
			/* A SYN that asks for several is as long as F makes it. */
			all_agree &= agree(&ends) &&
				     (drafts[client].speaks & (drafts[client].speaks - 1) ||
				      lengths_are_right(&ends));
		}
		if (!ok(all_agree && !strcmp(found, drafts[client].expected),
			"a client of %s and servers of the drafts end at %s", drafts[client].name,
			drafts[client].expected))
			diag("they end at %s", found);
	}
}

static void test_key_sources(void)
{
	struct mptcp_option syn, synack, ack;
	struct ends ends = ends_of(SELECTED);

	ok(ends.a.key_source == MPTCP_KEYS_TLS && ends.b.key_source == MPTCP_KEYS_TLS &&
		   !ends.a.has_keys,
	   "F: of what both have TLS comes first");
	ends_init(&ends, SELECTED, SELECTED);
	ends.b.own.key_sources = MPTCP_KEYS_SHARED;
	ends_shake(&ends);
	ok(ends.a.dialect == MPTCP_DIALECT_TCP && ends.b.dialect == MPTCP_DIALECT_TCP,
	   "F: without a source in common there is TCP");
	ends_init(&ends, SELECTED, SELECTED);
	mptcp_offer(&ends.a, &syn);
	mptcp_judge_offer(&ends.b, &syn, &synack);
	synack.capable.key_sources = MPTCP_KEYS_TLS | MPTCP_KEYS_NULL;
	ok(mptcp_judge_answer(&ends.a, &synack, &ack) == MPTCP_REASON_key_source_unknown &&
		   ends.a.dialect == MPTCP_DIALECT_TCP,
	   "F: an answer of several sources leaves TCP");
	ends_init(&ends, SELECTED, SELECTED);
	mptcp_offer(&ends.a, &syn);
	mptcp_judge_offer(&ends.b, &syn, &synack);
	mptcp_judge_answer(&ends.a, &synack, &ack);
	ack.capable.key_sources = MPTCP_KEYS_NULL;
	ok(mptcp_judge_ack(&ends.b, &ack) == MPTCP_REASON_ack_repeats_other,
	   "F: the third segment repeats what was chosen");
}

static void test_keys(void)
{
	struct ends v0 = ends_of(V0), v1 = ends_of(V1), application = ends_of(APPLICATION);

	ok(v0.b.keys[MPTCP_PEER] == KEY_A && v0.a.keys[MPTCP_PEER] == KEY_B && v0.a.has_keys,
	   "RFC 6824: each end has the other's key");
	ok(v1.b.keys[MPTCP_PEER] == KEY_A && v1.a.keys[MPTCP_PEER] == KEY_B && v1.b.has_keys,
	   "RFC 8684: each end has the other's key");
	ok(application.b.tokens[MPTCP_PEER] == TOKEN_A &&
		   application.a.tokens[MPTCP_PEER] == TOKEN_B && !application.a.has_keys &&
		   !application.b.has_keys,
	   "application keys: each end has the other's token of 64 bits, and neither a key");
}

static void test_giving_keys(void)
{
	struct ends v1 = ends_of(V1), ends = ends_of(APPLICATION), early;

	ends_init(&early, APPLICATION, APPLICATION);
	ok(mptcp_give_keys(&early.a, KEY_A, KEY_B) == MPTCP_REASON_out_of_turn,
	   "keys before the handshake are refused");
	ok(mptcp_give_keys(&v1.a, KEY_A, KEY_B) == MPTCP_REASON_keys_not_external,
	   "keys for RFC 8684 are refused");
	ok(!mptcp_give_keys(&ends.a, KEY_A, KEY_B) && !mptcp_give_keys(&ends.b, KEY_A, KEY_B) &&
		   ends.a.keys[MPTCP_OWN] == KEY_A && ends.b.keys[MPTCP_OWN] == KEY_B &&
		   ends.b.keys[MPTCP_PEER] == KEY_A && ends.a.has_keys && ends.b.has_keys,
	   "the application's key A is the client's, key B the server's");
	ok(mptcp_give_keys(&ends.a, 1, 2) == MPTCP_REASON_keys_given_already &&
		   ends.a.keys[MPTCP_OWN] == KEY_A,
	   "keys are given once");
}

static void test_flags(void)
{
	struct ends ends;

	ends_init(&ends, V1, V1);
	ends.b.own.checksums = true;
	ends_shake(&ends);
	ok(ends.a.checksums && ends.b.checksums, "checksums are used if the server wants them");
	ends_init(&ends, V1, V1);
	ends.a.own.checksums = true;
	ends_shake(&ends);
	ok(ends.a.checksums && ends.b.checksums, "checksums are used if the client wants them");
	ends = ends_of(V1);
	ok(!ends.a.checksums && !ends.b.checksums, "checksums are not used if neither does");
	ends_init(&ends, V1, V1);
	ends.b.own.join_elsewhere = true;
	ends_shake(&ends);
	ok(ends.a.peer_join_elsewhere && !ends.b.peer_join_elsewhere,
	   "the client hears that joins are to go elsewhere");
	ends_init(&ends, V0, V0);
	ends.b.own.join_elsewhere = true;
	ends_shake(&ends);
	ok(ends.a.dialect == MPTCP_DIALECT_V0 && !ends.a.peer_join_elsewhere,
	   "RFC 6824 has no way to say so");
}

/* The server's answer, altered on its way; what the client thinks of it. */
static enum mptcp_reason judge_altered(uint32_t client_speaks, uint8_t version, uint8_t flags,
				       struct mptcp_handshake *client)
{
	struct mptcp_option syn, ack;
	struct mptcp_option synack = {
		.subtype = MPTCPOPT_MP_CAPABLE,
		.segment = MPTCP_SYNACK,
		.capable = { .version = version, .flags = flags, .sender = KEY_B },
	};
	struct ends ends;
	enum mptcp_reason reason;

	ends_init(&ends, client_speaks, 0);
	mptcp_offer(&ends.a, &syn);
	reason = mptcp_judge_answer(&ends.a, &synack, &ack);
	*client = ends.a;
	return reason;
}

static void test_answers(void)
{
	static const struct {
		const char *what;
		uint32_t client_speaks;
		uint8_t version, flags;
	} rows[] = {
		{ "both G and H", V1 | APPLICATION, 1, MPTCP_HMAC | MPTCP_APPLICATION_KEY },
		{ "G, which was not asked for", V1, 1, MPTCP_APPLICATION_KEY },
		{ "H, which was not asked for", APPLICATION, 1, MPTCP_HMAC },
		{ "an algorithm that was not asked for", V1, 1, MPTCP_CIPHERED_TOKEN },
		{ "version 0 where 1 was asked for", V0 | V1, 0, MPTCP_HMAC },
		{ "version 1 where 0 was asked for", V0, 1, MPTCP_HMAC },
	};
	struct mptcp_handshake client;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		ok(judge_altered(rows[i].client_speaks, rows[i].version, rows[i].flags, &client) ==
				   MPTCP_REASON_answer_not_asked &&
			   client.dialect == MPTCP_DIALECT_TCP && client.progress == MPTCP_DONE,
		   "an answer of %s leaves TCP", rows[i].what);
	ok(!judge_altered(V1 | APPLICATION, 1, MPTCP_HMAC, &client) &&
		   client.dialect == MPTCP_DIALECT_V1,
	   "a server drops G by answering H alone");
}

static void test_later_version(void)
{
	static const uint8_t bytes[] = { TCPOPT_MPTCP, 4, 0x02, MPTCP_HMAC };
	struct mptcp_option syn, synack;
	struct ends ends;

	ends_init(&ends, 0, V0 | V1);
	ok(!mptcp_option_parse(bytes, sizeof(bytes), MPTCP_SYN, &syn) &&
		   !mptcp_judge_offer(&ends.b, &syn, &synack) && synack.capable.version == 1,
	   "a SYN of a version to come is answered with version 1");
}

/* A server that has answered, and the third segment that would suit it. */
static struct mptcp_option third_segment(uint32_t speaks, struct mptcp_handshake *server)
{
	struct mptcp_option option, ack;
	struct ends ends;

	ends_init(&ends, speaks, speaks);
	if (mptcp_offer(&ends.a, &option) || mptcp_judge_offer(&ends.b, &option, &option) ||
	    mptcp_judge_answer(&ends.a, &option, &ack))
		abort();
	*server = ends.b;
	return ack;
}

static void test_third_segment(void)
{
	static const uint32_t each[] = { V0, V1, APPLICATION };

	for (size_t i = 0; i < 3; i++) {
		struct mptcp_handshake server;
		struct mptcp_option ack = third_segment(each[i], &server);

		ack.capable.receiver ^= 1;
		ok(mptcp_judge_ack(&server, &ack) == MPTCP_REASON_ack_repeats_other &&
			   server.dialect == MPTCP_DIALECT_TCP && !server.keys[MPTCP_OWN],
		   "%s: what the server did not send is not taken for its own", names[1 << i]);
		ack = third_segment(each[i], &server);
		ack.capable.flags ^= MPTCP_HMAC | MPTCP_APPLICATION_KEY;
		ok(mptcp_judge_ack(&server, &ack) == MPTCP_REASON_ack_of_other_dialect &&
			   server.dialect == MPTCP_DIALECT_TCP,
		   "%s: nor is another dialect than was agreed", names[1 << i]);
		ack = third_segment(each[i], &server);
		ok(mptcp_judge_ack(&server, NULL) == MPTCP_REASON_nothing_offered &&
			   server.dialect == MPTCP_DIALECT_TCP,
		   "%s: an ACK without MP_CAPABLE leaves TCP", names[1 << i]);
		ok(mptcp_judge_ack(&server, &ack) == MPTCP_REASON_out_of_turn, "%s: ... for good",
		   names[1 << i]);
	}
}

static void test_key_of_syn(void)
{
	struct mptcp_handshake server;
	struct mptcp_option ack = third_segment(V0, &server);

	ack.capable.sender ^= 1;
	ok(mptcp_judge_ack(&server, &ack) == MPTCP_REASON_ack_repeats_other,
	   "v0: the client's key is the one of its SYN");
}

static void test_first_data(void)
{
	static const uint32_t each[] = { V1, APPLICATION };

	for (size_t i = 0; i < 2; i++) {
		struct ends ends = ends_of(each[i]);
		struct mptcp_option option, *arrived;
		uint8_t bytes[MPTCP_OPTION_MAX];

		mptcp_ack_with_data(&ends.a, 1000, 0xbeef, &option);
		arrived = through_bytes(&option);
		ok(mptcp_option_encode(&option, bytes) == 22 && arrived &&
			   arrived->capable.data_length == 1000 && !arrived->capable.has_checksum,
		   "%s: with the first data it has 22 bytes", i ? "G" : "v1");
		ends.a.checksums = true;
		mptcp_ack_with_data(&ends.a, 1000, 0xbeef, &option);
		arrived = through_bytes(&option);
		ok(mptcp_option_encode(&option, bytes) == 24 && arrived &&
			   arrived->capable.checksum == 0xbeef,
		   "%s: ... and 24 with a checksum", i ? "G" : "v1");
	}
}

int main(void)
{
	test_pairs();
	test_drafts();
	test_key_sources();
	test_keys();
	test_giving_keys();
	test_flags();
	test_answers();
	test_later_version();
	test_third_segment();
	test_key_of_syn();
	test_first_data();
	return tap_end();
}
