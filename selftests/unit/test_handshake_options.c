// SPDX-License-Identifier: GPL-2.0-only
/* MPTCP options: what each refused one is refused for, and that the others survive a round trip. */
#include <string.h>

#include "../../include/mptcp_options.h"
#include "tap.h"

/* bytes: kind and length are put in front. Zeros follow up to length. */
struct row {
	const char *what;
	enum mptcp_segment segment;
	uint8_t length;
	uint8_t bytes[22];
	enum mptcp_reason reason;
};

#define CAPABLE(version) ((MPTCPOPT_MP_CAPABLE << 4) | (version))
#define SUBTYPE(name) (MPTCPOPT_##name << 4)
#define H MPTCP_HMAC
#define G MPTCP_APPLICATION_KEY
#define E MPTCP_EXTERNAL_KEY
#define F MPTCP_KEY_SELECTION
#define WHY(name) MPTCP_REASON_##name

static const struct row refused[] = {
	{ "a kind and a length alone", MPTCP_ACK, 2, { 0 }, WHY(no_subtype) },
	{ "subtype 10, unassigned", MPTCP_ACK, 12, { 0xa0 }, WHY(unknown_subtype) },
	{ "subtype 15, experimental", MPTCP_ACK, 12, { 0xf0 }, WHY(unknown_subtype) },
	{ "DSS in a SYN", MPTCP_SYN, 8, { SUBTYPE(DSS), 1 }, WHY(out_of_place) },
	{ "DSS in a SYN/ACK", MPTCP_SYNACK, 8, { SUBTYPE(DSS), 1 }, WHY(out_of_place) },
	{ "MP_FASTCLOSE in a SYN", MPTCP_SYN, 12, { SUBTYPE(MP_FASTCLOSE) }, WHY(out_of_place) },
	{ "MP_CAPABLE without flags", MPTCP_SYN, 3, { CAPABLE(1) }, WHY(capable_length) },
	{ "a v1 SYN with a key", MPTCP_SYN, 12, { CAPABLE(1), H }, WHY(capable_length) },
	{ "a v0 SYN without a key", MPTCP_SYN, 4, { CAPABLE(0), H }, WHY(capable_length) },
	{ "a v1 SYN of 5 bytes", MPTCP_SYN, 5, { CAPABLE(1), H }, WHY(capable_length) },
	{ "a v1 SYN/ACK without a key", MPTCP_SYNACK, 4, { CAPABLE(1), H }, WHY(capable_length) },
	{ "a v1 SYN/ACK with two", MPTCP_SYNACK, 20, { CAPABLE(1), H }, WHY(capable_length) },
	{ "a v0 SYN/ACK of 11 bytes", MPTCP_SYNACK, 11, { CAPABLE(0), H }, WHY(capable_length) },
	{ "a v1 ACK with one key", MPTCP_ACK, 12, { CAPABLE(1), H }, WHY(capable_length) },
	{ "a v1 ACK of 21 bytes", MPTCP_ACK, 21, { CAPABLE(1), H }, WHY(capable_length) },
	{ "a v1 ACK of 23 bytes", MPTCP_ACK, 23, { CAPABLE(1), H }, WHY(capable_length) },
	{ "a v1 ACK of 25 bytes", MPTCP_ACK, 25, { CAPABLE(1), H }, WHY(capable_length) },
	{ "a v0 ACK with a data length", MPTCP_ACK, 22, { CAPABLE(0), H }, WHY(capable_length) },
	{ "a SYN/ACK of version 2", MPTCP_SYNACK, 12, { CAPABLE(2), H }, WHY(capable_version) },
	{ "an ACK of version 2", MPTCP_ACK, 20, { CAPABLE(2), H }, WHY(capable_version) },
	{ "the B flag", MPTCP_SYN, 4, { CAPABLE(1), H | 0x40 }, WHY(capable_extended) },
	{ "v1 with no flag at all", MPTCP_SYN, 4, { CAPABLE(1), 0 }, WHY(capable_no_algorithm) },
	{ "v1 with A and C alone", MPTCP_SYN, 4, { CAPABLE(1), 0xa0 }, WHY(capable_no_algorithm) },
	{ "v0 with A alone", MPTCP_SYN, 12, { CAPABLE(0), 0x80 }, WHY(capable_no_algorithm) },
	{ "E with a key of 64 bits", MPTCP_SYNACK, 12, { CAPABLE(1), E }, WHY(capable_length) },
	{ "E with one token", MPTCP_ACK, 8, { CAPABLE(1), E }, WHY(capable_length) },
	{ "E with half a data length", MPTCP_ACK, 13, { CAPABLE(1), E }, WHY(capable_length) },
	{ "F without a token", MPTCP_SYN, 4, { CAPABLE(1), F }, WHY(capable_length) },
	{ "F without a choice", MPTCP_SYN, 12, { CAPABLE(1), F }, WHY(capable_length) },
	{ "F without one in the ACK", MPTCP_ACK, 20, { CAPABLE(1), F }, WHY(capable_length) },
	{ "MP_JOIN without a token", MPTCP_SYN, 4, { SUBTYPE(MP_JOIN) }, WHY(join_length) },
	{ "MP_JOIN cut short", MPTCP_SYN, 11, { SUBTYPE(MP_JOIN) }, WHY(join_length) },
	{ "MP_JOIN of 13 bytes in a SYN", MPTCP_SYN, 13, { SUBTYPE(MP_JOIN) }, WHY(join_length) },
	{ "MP_JOIN of 17 bytes in a SYN", MPTCP_SYN, 17, { SUBTYPE(MP_JOIN) }, WHY(join_length) },
	{ "a SYN's MP_JOIN in a SYN/ACK",
	  MPTCP_SYNACK,
	  12,
	  { SUBTYPE(MP_JOIN) },
	  WHY(join_length) },
	{ "an ACK's MP_JOIN in a SYN", MPTCP_SYN, 24, { SUBTYPE(MP_JOIN) }, WHY(join_length) },
	{ "a SYN/ACK's MP_JOIN in an ACK", MPTCP_ACK, 16, { SUBTYPE(MP_JOIN) }, WHY(join_length) },
	{ "MP_JOIN of 23 bytes", MPTCP_ACK, 23, { SUBTYPE(MP_JOIN) }, WHY(join_length) },
	{ "DSS without flags", MPTCP_ACK, 3, { SUBTYPE(DSS) }, WHY(dss_length) },
	{ "DSS, an ACK cut short", MPTCP_ACK, 7, { SUBTYPE(DSS), 1 }, WHY(dss_length) },
	{ "DSS, 32 bits for 64", MPTCP_ACK, 8, { SUBTYPE(DSS), 3 }, WHY(dss_length) },
	{ "DSS, 64 bits for 32", MPTCP_ACK, 12, { SUBTYPE(DSS), 1 }, WHY(dss_length) },
	{ "DSS, a checksum and no mapping", MPTCP_ACK, 10, { SUBTYPE(DSS), 1 }, WHY(dss_length) },
	{ "DSS, a mapping without length", MPTCP_ACK, 12, { SUBTYPE(DSS), 4 }, WHY(dss_length) },
	{ "DSS, half a checksum", MPTCP_ACK, 15, { SUBTYPE(DSS), 4 }, WHY(dss_length) },
	{ "DSS, bytes behind all", MPTCP_ACK, 30, { SUBTYPE(DSS), 0xf }, WHY(dss_length) },
	{ "DATA_FIN and no mapping", MPTCP_ACK, 8, { SUBTYPE(DSS), 0x11 }, WHY(dss_fin_unmapped) },
	{ "ADD_ADDR without address", MPTCP_ACK, 4, { SUBTYPE(ADD_ADDR) }, WHY(add_addr_length) },
	{ "ADD_ADDR, half a port", MPTCP_ACK, 17, { SUBTYPE(ADD_ADDR) }, WHY(add_addr_length) },
	{ "ADD_ADDR of 12 bytes", MPTCP_ACK, 12, { SUBTYPE(ADD_ADDR) }, WHY(add_addr_length) },
	{ "ADD_ADDR of 24 bytes", MPTCP_ACK, 24, { SUBTYPE(ADD_ADDR) }, WHY(add_addr_length) },
	{ "ADD_ADDR of 31 bytes", MPTCP_ACK, 31, { SUBTYPE(ADD_ADDR) }, WHY(add_addr_length) },
	{ "an echo with HMAC", MPTCP_ACK, 16, { SUBTYPE(ADD_ADDR) | 1 }, WHY(add_addr_length) },
	{ "v0, IPv6 of 4 bytes", MPTCP_ACK, 8, { SUBTYPE(ADD_ADDR) | 6 }, WHY(add_addr_family) },
	{ "v0, IPv4 of 16 bytes", MPTCP_ACK, 20, { SUBTYPE(ADD_ADDR) | 4 }, WHY(add_addr_family) },
	{ "neither HMAC nor echo", MPTCP_ACK, 8, { SUBTYPE(ADD_ADDR) }, WHY(add_addr_family) },
	{ "REMOVE_ADDR of nothing", MPTCP_ACK, 3, { SUBTYPE(RM_ADDR) }, WHY(remove_addr_length) },
	{ "REMOVE_ADDR of too much", MPTCP_ACK, 41, { SUBTYPE(RM_ADDR) }, WHY(remove_addr_length) },
	{ "MP_PRIO of 5 bytes", MPTCP_ACK, 5, { SUBTYPE(MP_PRIO) }, WHY(prio_length) },
	{ "MP_FAIL of 11 bytes", MPTCP_ACK, 11, { SUBTYPE(MP_FAIL) }, WHY(fail_length) },
	{ "MP_FAIL of 13 bytes", MPTCP_ACK, 13, { SUBTYPE(MP_FAIL) }, WHY(fail_length) },
	{ "MP_FASTCLOSE cut", MPTCP_ACK, 11, { SUBTYPE(MP_FASTCLOSE) }, WHY(fastclose_length) },
	{ "MP_FASTCLOSE, more", MPTCP_ACK, 13, { SUBTYPE(MP_FASTCLOSE) }, WHY(fastclose_length) },
	{ "NEW_KEY of 11 bytes", MPTCP_ACK, 11, { SUBTYPE(NEW_KEY) }, WHY(new_key_length) },
	{ "NEW_KEY of 13 bytes", MPTCP_ACK, 13, { SUBTYPE(NEW_KEY) }, WHY(new_key_length) },
	{ "NEW_KEY in a SYN", MPTCP_SYN, 12, { SUBTYPE(NEW_KEY) }, WHY(out_of_place) },
	{ "MP_TCPRST of 3 bytes", MPTCP_ACK, 3, { SUBTYPE(RST) }, WHY(tcprst_length) },
	{ "MP_TCPRST of 5 bytes", MPTCP_ACK, 5, { SUBTYPE(RST) }, WHY(tcprst_length) },
};

/* Reserved bits are zero, as what is sent has them. */
static const struct row accepted[] = {
	{ "v0 SYN", MPTCP_SYN, 12, { CAPABLE(0), H, 1, 2, 3, 4, 5, 6, 7, 8 } },
	{ "v1 SYN", MPTCP_SYN, 4, { CAPABLE(1), 0xa0 | H } },
	{ "v1 SYN with G and H", MPTCP_SYN, 4, { CAPABLE(1), G | H } },
	{ "SYN of version 2", MPTCP_SYN, 4, { CAPABLE(2), H } },
	{ "v0 SYN/ACK", MPTCP_SYNACK, 12, { CAPABLE(0), H, 1, 2, 3, 4, 5, 6, 7, 8 } },
	{ "v1 SYN/ACK", MPTCP_SYNACK, 12, { CAPABLE(1), H, 1, 2, 3, 4, 5, 6, 7, 8 } },
	{ "v0 ACK", MPTCP_ACK, 20, { CAPABLE(0), H, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 } },
	{ "v1 ACK", MPTCP_ACK, 20, { CAPABLE(1), H, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 } },
	{ "v1 ACK with data", MPTCP_ACK, 22, { CAPABLE(1), G, 1, 2, 3, [18] = 4, 5 } },
	{ "v1 ACK with checksum", MPTCP_ACK, 24, { CAPABLE(1), 0x80 | H, 1, 2, [20] = 4, 5 } },
	{ "E SYN/ACK", MPTCP_SYNACK, 8, { CAPABLE(1), E, 1, 2, 3, 4 } },
	{ "E ACK", MPTCP_ACK, 12, { CAPABLE(1), E, 1, 2, 3, 4, 5, 6, 7, 8 } },
	{ "E ACK with data", MPTCP_ACK, 14, { CAPABLE(1), E, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 } },
	{ "E ACK with checksum", MPTCP_ACK, 16, { CAPABLE(1), E, 1, 2, [10] = 9, 10, 11, 12 } },
	{ "F SYN", MPTCP_SYN, 13, { CAPABLE(1), F, 1, 2, 3, 4, 5, 6, 7, 8, 7 } },
	{ "F SYN/ACK", MPTCP_SYNACK, 13, { CAPABLE(1), F, 1, 2, 3, 4, 5, 6, 7, 8, 1 } },
	{ "F ACK", MPTCP_ACK, 21, { CAPABLE(1), F, 1, 2, 3, 4, 5, 6, 7, 8, 9, [18] = 1 } },
	{ "F ACK with data", MPTCP_ACK, 23, { CAPABLE(1), F, 1, 2, 3, 4, [18] = 1, 2, 3 } },
	{ "MP_JOIN SYN under the next key", MPTCP_SYN, 12, { SUBTYPE(MP_JOIN) | 3, 2, 3, 4 } },
	{ "NEW_KEY", MPTCP_ACK, 12, { SUBTYPE(NEW_KEY) | 1, 0, 1, 2, 3, 4, 5, 6, 7, 8 } },
	{ "MP_JOIN SYN", MPTCP_SYN, 12, { SUBTYPE(MP_JOIN) | 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 } },
	{ "wide MP_JOIN SYN", MPTCP_SYN, 16, { SUBTYPE(MP_JOIN), 2, 3, [10] = 1, 2, 3, 4 } },
	{ "MP_JOIN SYN/ACK", MPTCP_SYNACK, 16, { SUBTYPE(MP_JOIN) | 1, 2, 3, [10] = 1, 2, 3 } },
	{ "MP_JOIN ACK", MPTCP_ACK, 24, { SUBTYPE(MP_JOIN), 0, 3, [20] = 7, 8 } },
	{ "DSS, nothing", MPTCP_ACK, 4, { SUBTYPE(DSS) } },
	{ "DSS, ACK", MPTCP_ACK, 8, { SUBTYPE(DSS), 1, 2, 3, 4, 5 } },
	{ "DSS, wide ACK", MPTCP_ACK, 12, { SUBTYPE(DSS), 3, 2, 3, 4, 5, 6, 7, 8, 9 } },
	{ "DSS, mapping", MPTCP_ACK, 14, { SUBTYPE(DSS), 4, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 } },
	{ "DSS, checksum", MPTCP_ACK, 16, { SUBTYPE(DSS), 4, 1, 2, 3, [10] = 9, 10, 11, 12 } },
	{ "DSS, wide mapping", MPTCP_ACK, 18, { SUBTYPE(DSS), 0xc, 1, 2, [12] = 9, 10, 11, 12 } },
	{ "DSS, all", MPTCP_ACK, 28, { SUBTYPE(DSS), 0x1f, 1, 2, 3, [17] = 9, 10, 11, 12 } },
	{ "ADD_ADDR v0", MPTCP_ACK, 8, { SUBTYPE(ADD_ADDR) | 4, 1, 2, 3, 4, 5 } },
	{ "ADD_ADDR v0, IPv6, port", MPTCP_ACK, 22, { SUBTYPE(ADD_ADDR) | 6, 1, 2, [18] = 3, 4 } },
	{ "ADD_ADDR", MPTCP_ACK, 16, { SUBTYPE(ADD_ADDR), 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 } },
	{ "ADD_ADDR, port", MPTCP_ACK, 18, { SUBTYPE(ADD_ADDR), 1, 2, 3, 4, 5, 6, 7, 8, 9 } },
	{ "ADD_ADDR, IPv6", MPTCP_ACK, 28, { SUBTYPE(ADD_ADDR), 1, 2, 3, 4, 5, 6, 7, 8, 9 } },
	{ "ADD_ADDR, IPv6, port", MPTCP_ACK, 30, { SUBTYPE(ADD_ADDR), 1, 2, [18] = 4, 5, 6 } },
	{ "ADD_ADDR, echo", MPTCP_ACK, 10, { SUBTYPE(ADD_ADDR) | 1, 1, 2, 3, 4, 5, 6, 7 } },
	{ "ADD_ADDR, echo, IPv6", MPTCP_ACK, 20, { SUBTYPE(ADD_ADDR) | 1, 1, 2, 3, 4, 5, 6 } },
	{ "REMOVE_ADDR", MPTCP_ACK, 6, { SUBTYPE(RM_ADDR), 1, 2, 3 } },
	{ "REMOVE_ADDR of 37", MPTCP_ACK, 40, { SUBTYPE(RM_ADDR), 1, 2, 3 } },
	{ "MP_PRIO", MPTCP_ACK, 3, { SUBTYPE(MP_PRIO) | 1 } },
	{ "MP_PRIO v0", MPTCP_ACK, 4, { SUBTYPE(MP_PRIO), 5 } },
	{ "MP_FAIL", MPTCP_ACK, 12, { SUBTYPE(MP_FAIL), 0, 1, 2, 3, 4, 5, 6, 7, 8 } },
	{ "MP_FASTCLOSE", MPTCP_ACK, 12, { SUBTYPE(MP_FASTCLOSE), 0, 1, 2, 3, 4, 5, 6, 7, 8 } },
	{ "MP_TCPRST", MPTCP_ACK, 4, { SUBTYPE(RST) | 1, 6 } },
};

static void write_row(const struct row *row, uint8_t *bytes)
{
	memset(bytes, 0, 64);
	bytes[0] = TCPOPT_MPTCP;
	bytes[1] = row->length;
	memcpy(bytes + 2, row->bytes, sizeof(row->bytes));
}

static void test_refused(void)
{
	for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++) {
		struct mptcp_option option;
		enum mptcp_reason reason;
		uint8_t bytes[64];

		write_row(&refused[i], bytes);
		reason = mptcp_option_parse(bytes, refused[i].length, refused[i].segment, &option);
		if (!ok(reason == refused[i].reason, "%s: %s", refused[i].what,
			mptcp_reason_words(refused[i].reason)))
			diag("it was: %s", mptcp_reason_words(reason));
	}
}

static void test_accepted(void)
{
	for (size_t i = 0; i < sizeof(accepted) / sizeof(*accepted); i++) {
		uint8_t bytes[64], again[MPTCP_OPTION_MAX];
		const struct row *row = &accepted[i];
		struct mptcp_option option;

		write_row(row, bytes);
		ok(!mptcp_option_parse(bytes, row->length, row->segment, &option) &&
			   mptcp_option_encode(&option, again) == row->length &&
			   !memcmp(bytes, again, row->length),
		   "%s of %d bytes is read and written again", row->what, row->length);
	}
}

static void test_contents(void)
{
	static const uint8_t dss[] = { 30,   26,   0x20, 0x0f, 1, 2, 3, 4, 5,    6,    7, 8, 0x80,
				       0x81, 0x82, 0x83, 0,    0, 0, 1, 0, 0x10, 0x20, 0, 0, 9 };
	struct mptcp_option option;

	ok(!mptcp_option_parse(dss, sizeof(dss), MPTCP_ACK, &option) &&
		   option.dss.ack == 0x0102030405060708 && option.dss.dsn == 0x8081828300000001 &&
		   option.dss.ssn == 0x00102000 && option.dss.length == 9 && !option.dss.fin &&
		   !option.dss.has_checksum,
	   "numbers are read most significant byte first");
}

/* A header's options, and what the walk says of them. */
static const struct walk {
	const char *what;
	uint8_t length;
	uint8_t bytes[40];
	uint8_t found; /* options other than NOPs */
	enum mptcp_reason reason;
} walks[] = {
	{ "no options", 0, { 0 }, 0, WHY(ok) },
	{ "NOPs alone", 4, { 1, 1, 1, 1 }, 0, WHY(ok) },
	{ "one option behind NOPs", 12, { 1, 1, 8, 10 }, 1, WHY(ok) },
	{ "two options", 14, { 8, 10, [10] = 2, 4 }, 2, WHY(ok) },
	{ "an option behind the end of the list", 8, { 0, 0, 2, 4 }, 0, WHY(ok) },
	{ "a kind alone at the end", 5, { 2, 4, 0, 0, 30 }, 1, WHY(option_truncated) },
	{ "an option longer than the rest", 8, { 2, 4, 0, 0, 30, 5 }, 1, WHY(option_truncated) },
	{ "a length of 0", 4, { 30, 0, 0, 0 }, 0, WHY(option_too_short) },
	{ "a length of 1", 4, { 30, 1, 0, 0 }, 0, WHY(option_too_short) },
};

static void test_walks(void)
{
	for (size_t i = 0; i < sizeof(walks) / sizeof(*walks); i++) {
		struct mptcp_tcp_option option;
		enum mptcp_reason reason;
		size_t at = 0;
		int found = -1;

		do {
			reason = mptcp_options_next(walks[i].bytes, walks[i].length, &at, &option);
			found++;
		} while (!reason && option.kind != TCPOPT_EOL);
		ok(reason == walks[i].reason && found == walks[i].found, "%s: %d found, then: %s",
		   walks[i].what, walks[i].found, mptcp_reason_words(walks[i].reason));
	}
}

int main(void)
{
	test_refused();
	test_accepted();
	test_contents();
	test_walks();
	return tap_end();
}
