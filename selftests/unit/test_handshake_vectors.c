// SPDX-License-Identifier: GPL-2.0-only
/* Tokens, sequence numbers and HMACs against published values and a kernel's. */
#include "../../include/mptcp_issuer.h"
#include "handshake_ends.h"
#include "vectors.h"

/* protocol.md 4.5; a token of 0: none is known. */
static const struct {
	uint64_t key;
	uint32_t v1_token;
	uint64_t v1_dsn;
	uint32_t v0_token;
	uint64_t v0_dsn;
} keys[] = {
	{ 0xd89976aaa8d81ce2, 0xee2d0eda, 0x399ce65c367e7fd7, 0, 0 },
	{ 0x0123456789abcdef, 0x55c53f5d, 0x570762cd38be9818, 0x0ca2eadb, 0xe3df8ee121f10547 },
	{ 0x0f7ec4d36866c6d1, 0xdb8ed0b2, 0x4ab4722212f1275f, 0x4458698f, 0xe9bb74e2e5cbe931 },
	{ 0xd2272b0c802813b6, 0x952ddb54, 0x0b4ed587d4746de5, 0xa9be19ab, 0xdb3e7ba71b27b6a9 },
	{ 0x05c42655d33f7bd1, 0x97a19dbe, 0xeee536df92a97e8a, 0xe7e8f15a, 0xb05ccba0adaf14b2 },
	{ 0x1122334455667788, 0x1dce6604, 0x62815714b76ae9a5, 0xbdc04c09, 0xd0549cc0405811d5 },
	{ 0x0000000000000001, 0xcd266215, 0x19ec509083d00a50, 0xcb473678, 0x38f11011007ad27d },
};

static void test_key(uint64_t key, uint32_t speaks, uint32_t token, uint64_t dsn)
{
	struct ends ends;

	ends_init(&ends, speaks, speaks);
	ends.b.own.key = key;
	ends_shake(&ends);
	ok(ends.b.tokens[MPTCP_OWN] == token && ends.a.tokens[MPTCP_PEER] == token,
	   "v%d key %016llx has the token %08x at both ends", speaks == V1, (unsigned long long)key,
	   token);
	ok(mptcp_initial_dsn(&ends.b, MPTCP_OWN) == dsn &&
		   mptcp_initial_dsn(&ends.a, MPTCP_PEER) == dsn,
	   "... and the initial data sequence number %016llx", (unsigned long long)dsn);
}

static void test_keys(void)
{
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		test_key(keys[i].key, V1, keys[i].v1_token, keys[i].v1_dsn);
		if (keys[i].v0_token)
			test_key(keys[i].key, V0, keys[i].v0_token, keys[i].v0_dsn);
	}
}

/* The numbers are what sha1sum prints of the token and of the key. */
static void test_application_numbers(void)
{
	struct ends ends = ends_of(APPLICATION);

	ok(mptcp_initial_dsn(&ends.a, MPTCP_OWN) == 0x6ff5544eb0ead316 &&
		   mptcp_initial_dsn(&ends.b, MPTCP_PEER) == 0x6ff5544eb0ead316,
	   "application keys: data begins after the first 64 bits of the token's SHA-1");
	ok(mptcp_give_keys(&ends.a, KEY_A, KEY_B) == MPTCP_REASON_ok &&
		   mptcp_give_keys(&ends.b, KEY_A, KEY_B) == MPTCP_REASON_ok &&
		   mptcp_fastclose_key(&ends.a, MPTCP_PEER) == 0xe7e8f15a48281a63 &&
		   mptcp_fastclose_key(&ends.b, MPTCP_OWN) == 0xe7e8f15a48281a63,
	   "... and MP_FASTCLOSE says the first 64 bits of the key's SHA-1");
	ends = ends_of(V1);
	ok(mptcp_fastclose_key(&ends.a, MPTCP_PEER) == KEY_B,
	   "RFC 8684: MP_FASTCLOSE says the receiver's key");
}

/* RC5-16/16/4 as a second implementation has it, which also gives Rivest's own values. */
static void test_ciphered(void)
{
	struct ends ends;
	bool all_right = true;

	ends_init(&ends, CIPHERED, CIPHERED);
	ends.b.own.ciphered_key = 0x0001020300010203;
	ends_shake(&ends);
	ok(ends.a.tokens[MPTCP_PEER] == 0xcdf27930 && ends.b.tokens[MPTCP_OWN] == 0xcdf27930,
	   "D: the token is the key's first half, enciphered under its second");
	ok(mptcp_key_of_token(0xcdf27930, 0x00010203) == 0x0001020300010203,
	   "... and a key is found from the token that it is to have");
	for (uint32_t i = 0; i < 1000; i++) {
		ends_init(&ends, CIPHERED, CIPHERED);
		ends.b.own.ciphered_key = mptcp_key_of_token(i * 0x01234567, i * 0x89abcdef);
		ends_shake(&ends);
		all_right &= ends.a.tokens[MPTCP_PEER] == i * 0x01234567;
	}
	ok(all_right, "... for each of a thousand, at the first try");
}

static void test_external_numbers(void)
{
	struct ends ends = ends_of(EXTERNAL);

	ok(ends.b.tokens[MPTCP_PEER] == 0xa0a1a2a3 &&
		   mptcp_initial_dsn(&ends.a, MPTCP_OWN) == 0x030a64ce7de66ed3,
	   "E: data begins after the last 64 bits of the token's SHA-256");
	ends = keyed_ends(EXTERNAL);
	ok(mptcp_fastclose_key(&ends.a, MPTCP_PEER) == 0x7df05693a201319d &&
		   mptcp_fastclose_key(&ends.b, MPTCP_OWN) == 0x7df05693a201319d,
	   "... and MP_FASTCLOSE says the external key's HMAC");
}

static void test_join(void)
{
	static const uint8_t hmac_b[] = { 0x3a, 0x12, 0x3d, 0xee, 0x71, 0x01, 0xf6, 0x1b };
	static const uint8_t hmac_a[] = { 0xd1, 0xcc, 0xf2, 0xde, 0x93, 0xb0, 0xbf,
					  0xa0, 0x75, 0x62, 0xce, 0x87, 0x7d, 0x45,
					  0xf2, 0x33, 0xef, 0x3b, 0x1b, 0xe9 };
	struct mptcp_join a = { .nonces = { 0xa1a2a3a4 } }, b = { .nonces = { 0x32cc0d0e } };
	struct mptcp_option syn, synack, ack;
	struct ends ends = ends_of(V1);

	ok(!mptcp_join_offer(&ends.a, &a, &syn) && !mptcp_join_answer(&ends.b, &b, &syn, &synack) &&
		   !memcmp(synack.join.hmac, hmac_b, sizeof(hmac_b)),
	   "a join with a kernel: HMAC-B");
	ok(!mptcp_join_confirm(&ends.a, &a, &synack, &ack) &&
		   !memcmp(ack.join.hmac, hmac_a, sizeof(hmac_a)) &&
		   !mptcp_join_finish(&ends.b, &b, &ack),
	   "... and HMAC-A");
}

static void test_add_addr(void)
{
	static const uint8_t bytes[] = { 30,   18,   0x30, 0x01, 0x0a, 0x4d, 0x00, 0x0b, 0x23,
					 0x29, 0x64, 0x59, 0x0f, 0x00, 0x0b, 0x83, 0xdf, 0xb5 };
	struct ends ends = ends_of(V1);
	struct mptcp_option option;

	ok(!mptcp_option_parse(bytes, sizeof(bytes), MPTCP_ACK, &option) &&
		   option.add_addr.address_id == 1 && option.add_addr.port == 9001 &&
		   !mptcp_add_addr_check(&ends.a, &option.add_addr),
	   "a kernel's ADD_ADDR with a port is right by its HMAC");
}

static bool is_hmac(const char *key, const char *message, const char *expected)
{
	uint8_t hmac[MPTCP_DIGEST_MAX];
	char text[2 * MPTCP_DIGEST_MAX + 1];

	mptcp_hmac(MPTCP_SHA256, (const uint8_t *)key, (const uint8_t *)message, strlen(message),
		   hmac);
	for (int i = 0; i < MPTCP_DIGEST_MAX; i++)
		sprintf(text + 2 * i, "%02x", hmac[i]);
	return !strcmp(text, expected);
}

static void test_hmac(void)
{
	ok(is_hmac("0b0b0b0b0b0b0b0b", "48692054",
		   "8385e24fb4235ac37556b6b886db106284a1da671699f46db1f235ec622dcafa") &&
		   is_hmac("aaaaaaaaaaaaaaaa", "dddddddd",
			   "2c5e219164ff1dca1c4a92318d847bb6b9d44492984e1eb71aff9022f71046e9") &&
		   is_hmac("0102030405060708", "cdcdcdcd",
			   "e73b9ba9969969cefb04aa0d6df18ec2fcc075b6f23b4d8c4da736a5dbbc6e7d"),
	   "HMAC-SHA256 as in the kernel's net/mptcp/crypto_test.c");
}

static bool issues_as_said(const char *line)
{
	struct mptcp_issuer issuer = { 0 };
	unsigned char secret[16];
	uint32_t token;
	int at = 0;

	for (int i = 0; i < 16; i++)
		if (sscanf(line + 2 * i, "%2hhx", &secret[i]) != 1)
			return false;
	memcpy(&issuer.secret.k0, secret, 8);
	memcpy(&issuer.secret.k1, secret + 8, 8);
	return sscanf(line + 32, "%u %u %u %x %x%n", &issuer.index_bits, &issuer.epoch,
		      &issuer.index, &issuer.counter, &token, &at) == 5 &&
	       at && mptcp_issue(&issuer) == token;
}

int main(void)
{
	vectors_locate();
	test_keys();
	test_application_numbers();
	test_ciphered();
	test_external_numbers();
	test_join();
	test_add_addr();
	test_hmac();
	ok(vectors_check("token", issues_as_said) >= 8, "an issuer gives the golden tokens");
	return tap_end();
}
