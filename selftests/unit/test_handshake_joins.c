// SPDX-License-Identifier: GPL-2.0-only
/* Joins and announced addresses: who may, when, and what an altered byte does. */
#include "handshake_ends.h"
#include "tap.h"

static const struct {
	const char *name;
	uint32_t speaks;
	uint8_t syn_length;
} dialects_tried[] = {
	{ "v0", V0, 12 },      { "v1", V1, 12 },      { "D", CIPHERED, 12 },
	{ "E", EXTERNAL, 12 }, { "F", SELECTED, 16 }, { "G", APPLICATION, 16 },
};

#define DIALECTS_TRIED (sizeof(dialects_tried) / sizeof(*dialects_tried))

/* Nonces differ in every byte, so that a swap shows. */
static const struct mptcp_join joiner = { .nonces = { 0x01020304 }, .address_ids = { 2 } };
static const struct mptcp_join joined = { .nonces = { 0x0a0b0c0d }, .backups = { true } };

struct join_run {
	struct mptcp_join from, to;
	struct mptcp_option option;
	uint8_t lengths[3];
};

static uint8_t length_of(const struct mptcp_option *option)
{
	uint8_t bytes[MPTCP_OPTION_MAX];

	return (uint8_t)mptcp_option_encode(option, bytes);
}

/* The first reason that was not ok; altered: the segment, 0 to 2, whose last byte is changed. */
static enum mptcp_reason run_join(const struct mptcp_handshake *from,
				  const struct mptcp_handshake *to, int altered,
				  struct join_run *run)
{
	enum mptcp_reason reason;

	*run = (struct join_run){ .from = joiner, .to = joined };
	reason = mptcp_join_offer(from, &run->from, &run->option);
	for (int i = 0; i < 3 && !reason; i++) {
		struct mptcp_option arrived = *through_bytes(&run->option);

		run->lengths[i] = length_of(&run->option);
		if (i == altered && i == 0)
			arrived.join.token ^= 1;
		else if (i == altered)
			arrived.join.hmac[i == 1 ? MPTCP_HMAC_SYNACK - 1 : MPTCP_HMAC_ACK - 1] ^= 1;
		if (i == 0)
			reason = mptcp_join_answer(to, &run->to, &arrived, &run->option);
		else if (i == 1)
			reason = mptcp_join_confirm(from, &run->from, &arrived, &run->option);
		else
			reason = mptcp_join_finish(to, &run->to, &arrived);
	}
	return reason;
}

static void test_joins(void)
{
	for (size_t i = 0; i < DIALECTS_TRIED; i++) {
		struct ends ends = keyed_ends(dialects_tried[i].speaks);
		const char *name = dialects_tried[i].name;
		struct join_run run;

		ok(!run_join(&ends.a, &ends.b, -1, &run) &&
			   run.lengths[0] == dialects_tried[i].syn_length && run.lengths[1] == 16 &&
			   run.lengths[2] == 24,
		   "%s: the client joins, by options of %d, 16 and 24 bytes", name,
		   dialects_tried[i].syn_length);
		ok(run.from.backups[MPTCP_PEER] && !run.to.backups[MPTCP_PEER] &&
			   run.to.address_ids[MPTCP_PEER] == 2,
		   "%s: ... and each knows the other's address ID and wish", name);
		ok(!run_join(&ends.b, &ends.a, -1, &run), "%s: the server joins", name);
		ok(run_join(&ends.a, &ends.b, 0, &run) == MPTCP_REASON_token_unknown &&
			   mptcp_reason_action(MPTCP_REASON_token_unknown) == MPTCP_RESET_SUBFLOW,
		   "%s: another connection's token is answered by a reset", name);
		ok(run_join(&ends.a, &ends.b, 1, &run) == MPTCP_REASON_hmac_wrong,
		   "%s: the joiner checks all of the other's HMAC", name);
		ok(run_join(&ends.a, &ends.b, 2, &run) == MPTCP_REASON_hmac_wrong,
		   "%s: the joined checks all of the joiner's HMAC", name);
	}
}

static void test_other_nonces(void)
{
	struct ends ends = keyed_ends(V1);
	struct mptcp_join to = joined, from = joiner;
	struct mptcp_option option;

	mptcp_join_offer(&ends.a, &from, &option);
	mptcp_join_answer(&ends.b, &to, &option, &option);
	mptcp_join_confirm(&ends.a, &from, &option, &option);
	to.nonces[MPTCP_OWN]++;
	ok(mptcp_join_finish(&ends.b, &to, &option) == MPTCP_REASON_hmac_wrong,
	   "an HMAC of other nonces is not taken again");
}

static void test_other_keys(void)
{
	struct ends ends = keyed_ends(APPLICATION), other = ends_of(APPLICATION);
	struct join_run run;

	mptcp_give_keys(&other.a, KEY_B, KEY_A);
	ok(run_join(&other.a, &ends.b, -1, &run) == MPTCP_REASON_hmac_wrong,
	   "whoever has the tokens and not the keys does not join");
}

static void test_missing_keys(void)
{
	struct ends ends = ends_of(APPLICATION), keyed = keyed_ends(APPLICATION);
	struct join_run run;

	ok(run_join(&ends.a, &ends.b, -1, &run) == MPTCP_REASON_keys_missing && !run.lengths[0],
	   "no join is sent before the keys are in place");
	ok(run_join(&keyed.a, &ends.b, -1, &run) == MPTCP_REASON_keys_missing && run.lengths[0] &&
		   !run.lengths[1] &&
		   mptcp_reason_action(MPTCP_REASON_keys_missing) == MPTCP_DROP_SEGMENT,
	   "one that comes before them is dropped in silence");
	mptcp_give_keys(&ends.b, KEY_A, KEY_B);
	ok(!run_join(&keyed.a, &ends.b, -1, &run), "... and is answered when it is repeated");
}

/* The numbers are what Python's hmac says. */
static void test_new_key(void)
{
	struct ends ends = ends_of(EXTERNAL);
	struct mptcp_option from_a, from_b;
	struct join_run run;

	mptcp_give_keys(&ends.a, KEY_A, KEY_B);
	mptcp_new_key(&ends.a, &from_a);
	ok(from_a.new_key.hmac == 0x7df05693a201319d && length_of(&from_a) == 12,
	   "E: NEW_KEY of the client has the last 64 bits of the external key's HMAC");
	ok(mptcp_judge_new_key(&ends.b, &from_a) == MPTCP_REASON_out_of_turn && !ends.b.has_keys,
	   "E: whoever has no key yet does not take it");
	ok(run_join(&ends.a, &ends.b, -1, &run) == MPTCP_REASON_keys_missing,
	   "E: nor may anybody join yet");
	mptcp_give_keys(&ends.b, KEY_A, KEY_B);
	mptcp_new_key(&ends.b, &from_b);
	ok(from_b.new_key.hmac == 0x9c42ac3f1e68f3e3, "E: NEW_KEY of the server");
	ok(mptcp_judge_new_key(&ends.a, &from_a) == MPTCP_REASON_new_key_wrong && !ends.a.has_keys,
	   "E: one's own sent back is refused");
	from_b.new_key.key_id = 1;
	ok(mptcp_judge_new_key(&ends.a, &from_b) == MPTCP_REASON_new_key_wrong,
	   "E: and so is another key's");
	from_b.new_key.key_id = 0;
	ok(!mptcp_judge_new_key(&ends.a, through_bytes(&from_b)) && ends.a.has_keys &&
		   !mptcp_judge_new_key(&ends.b, through_bytes(&from_a)) && ends.b.has_keys &&
		   !run_join(&ends.a, &ends.b, -1, &run),
	   "E: when each has heard the other's there are joins");
}

/* The formula would give the same at both ends, but the option is none of the dialect. */
static void test_new_key_elsewhere(void)
{
	struct ends ends = ends_of(APPLICATION);
	struct mptcp_option new_key;

	mptcp_give_keys(&ends.a, KEY_A, KEY_B);
	mptcp_give_keys(&ends.b, KEY_A, KEY_B);
	mptcp_new_key(&ends.a, &new_key);
	ok(mptcp_judge_new_key(&ends.b, &new_key) == MPTCP_REASON_out_of_turn,
	   "G: NEW_KEY is out of turn");
}

static void test_external_key(void)
{
	static const uint8_t hmac_b[] = { 0x9b, 0xda, 0x77, 0xde, 0x90, 0xc7, 0xf5, 0xa9 };
	struct mptcp_join a = { .nonces = { 0xa1a2a3a4 } }, b = { .nonces = { 0x32cc0d0e } };
	struct mptcp_option syn, synack;
	struct ends ends = keyed_ends(EXTERNAL);

	mptcp_join_offer(&ends.a, &a, &syn);
	ok(!mptcp_join_answer(&ends.b, &b, &syn, &synack) &&
		   !memcmp(synack.join.hmac, hmac_b, sizeof(hmac_b)),
	   "E: HMACs are under the external key, whoever sends them");
	syn.join.key_id = 1;
	ok(mptcp_join_answer(&ends.b, &b, through_bytes(&syn), &synack) ==
		   MPTCP_REASON_key_id_unknown,
	   "E: a join under another key is reset");
}

static void test_tcp(void)
{
	struct ends ends, other = keyed_ends(V1);
	struct join_run run;

	ends_init(&ends, V1, 0);
	ends_shake(&ends);
	ok(run_join(&ends.a, &ends.b, -1, &run) == MPTCP_REASON_not_multipath,
	   "nobody joins from a connection that fell back to TCP");
	ok(run_join(&other.a, &ends.b, -1, &run) == MPTCP_REASON_token_unknown,
	   "nobody joins to one");
}

static void test_width(void)
{
	struct ends ends = keyed_ends(APPLICATION), v1 = keyed_ends(V1);
	struct mptcp_join join = joined;
	struct mptcp_option syn, synack;

	mptcp_join_offer(&v1.a, &joiner, &syn);
	ends.b.tokens[MPTCP_OWN] = syn.join.token;
	ok(mptcp_join_answer(&ends.b, &join, &syn, &synack) == MPTCP_REASON_token_unknown,
	   "32 bits do not name a token of 64, be they equal");
}

static struct mptcp_add_addr an_address(uint8_t bytes, bool has_port)
{
	struct mptcp_add_addr add = { .address_id = 3,
				      .address_bytes = bytes,
				      .has_port = has_port,
				      .port = has_port ? 443 : 0 };

	memset(add.address, 0x20, bytes);
	return add;
}

/* Signed by one end, through bytes, to the other. */
static enum mptcp_reason announce(struct mptcp_handshake *from, struct mptcp_handshake *to,
				  struct mptcp_add_addr add, int altered)
{
	struct mptcp_option option = { .subtype = MPTCPOPT_ADD_ADDR, .segment = MPTCP_ACK };

	mptcp_add_addr_sign(from, &add);
	option.add_addr = add;
	if (altered >= 0)
		option.add_addr.hmac[altered] ^= 1;
	return mptcp_add_addr_check(to, &through_bytes(&option)->add_addr);
}

static void test_addresses(void)
{
	struct ends v1 = keyed_ends(V1), v0 = keyed_ends(V0), early = ends_of(APPLICATION);
	struct mptcp_add_addr unsigned_one = an_address(4, false);
	bool all_refused = true;

	for (int i = 0; i < 4; i++)
		ok(!announce(&v1.a, &v1.b, an_address(i & 1 ? 16 : 4, i & 2), -1),
		   "an IPv%d address %s port is announced with an HMAC", i & 1 ? 6 : 4,
		   i & 2 ? "and" : "without");
	for (int i = 0; i < MPTCP_HMAC_ADDRESS; i++)
		all_refused &= announce(&v1.b, &v1.a, an_address(4, false), i) ==
			       MPTCP_REASON_address_hmac_wrong;
	ok(all_refused, "an HMAC that differs in any byte is refused");
	ok(!announce(&v0.a, &v0.b, an_address(4, true), -1), "RFC 6824 announces without HMAC");
	ok(mptcp_add_addr_check(&v1.a, &unsigned_one) == MPTCP_REASON_address_unsigned,
	   "RFC 8684 does not");
	unsigned_one.echo = true;
	ok(!mptcp_add_addr_check(&v1.a, &unsigned_one), "... but echoes so");
	ok(announce(&early.b, &early.a, an_address(4, false), -1) == MPTCP_REASON_address_too_early,
	   "no address is believed before the keys are in place");
}

static void test_wiped(void)
{
	static const struct mptcp_handshake zeros;
	struct ends ends = ends_of(V1);
	struct mptcp_join join = joiner;
	struct mptcp_option syn;

	mptcp_handshake_wipe(&ends.a);
	ok(!memcmp(&ends.a, &zeros, sizeof(zeros)), "a connection that is over leaves no keys");
	ok(mptcp_join_offer(&ends.a, &join, &syn) == MPTCP_REASON_keys_missing,
	   "... and cannot be joined");
}

int main(void)
{
	test_wiped();
	test_joins();
	test_other_nonces();
	test_other_keys();
	test_missing_keys();
	test_new_key();
	test_new_key_elsewhere();
	test_external_key();
	test_tcp();
	test_width();
	test_addresses();
	return tap_end();
}
