/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * MPTCP's TCP options (RFC 8684, RFC 6824, and drafts that change their handshake), taken
 * apart and put together. All numbers are in host byte order: a key or token is the number
 * whose most significant byte comes first on the wire.
 */
#ifndef MPTCP_LB_MPTCP_OPTIONS_H
#define MPTCP_LB_MPTCP_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mptcp_reason.h"
#include "wire.h"

/* Subtypes by the kernel's names; wire.h has the first two. */
#define MPTCPOPT_DSS 2
#define MPTCPOPT_ADD_ADDR 3
#define MPTCPOPT_RM_ADDR 4
#define MPTCPOPT_MP_PRIO 5
#define MPTCPOPT_MP_FAIL 6
#define MPTCPOPT_MP_FASTCLOSE 7
#define MPTCPOPT_RST 8
#define MPTCPOPT_NEW_KEY 9 /* draft-baerts-tcpm-mptcpext-00 */

/* Flags of MP_CAPABLE. */
#define MPTCP_CHECKSUMS 0x80       /* A */
#define MPTCP_EXTENDED 0x40        /* B: must be 0 */
#define MPTCP_JOIN_ELSEWHERE 0x20  /* C: no joins to this address and port; version 1 only */
#define MPTCP_CIPHERED_TOKEN 0x10  /* D: ours, for draft-paasch-mptcp-loadbalancer-00, 3.2 */
#define MPTCP_EXTERNAL_KEY 0x08    /* E: draft-baerts-tcpm-mptcpext-00 */
#define MPTCP_KEY_SELECTION 0x04   /* F: ours, for the handshake with a choice of keys */
#define MPTCP_APPLICATION_KEY 0x02 /* G: draft-paasch-mptcp-application-authentication */
#define MPTCP_HMAC 0x01            /* H: keys exchanged in clear; SHA-256, in version 0 SHA-1 */
#define MPTCP_ALGORITHMS_V0 0x3f   /* C to H */
#define MPTCP_ALGORITHMS_V1 0x1f   /* D to H */

#define MPTCP_OPTION_MAX TCP_OPTIONS_MAX
#define MPTCP_HMAC_SYNACK 8 /* bytes of an HMAC that go onto the wire */
#define MPTCP_HMAC_ACK 20
#define MPTCP_HMAC_ADDRESS 8

/* What an option's length may be depends on where it stands. */
enum mptcp_segment { MPTCP_SYN, MPTCP_SYNACK, MPTCP_ACK /* and all later ones */ };

/* Version and flags say which keys or tokens there are, and of how many bytes. */
struct mptcp_capable {
	uint8_t version;
	uint8_t flags;
	uint8_t key_sources;  /* with MPTCP_KEY_SELECTION: a set of enum mptcp_key_source */
	bool has_data_length; /* the segment has data: its mapping begins the stream */
	bool has_checksum;
	uint16_t data_length;
	uint16_t checksum;
	uint64_t sender;
	uint64_t receiver;
};

/* In a SYN token and nonce, in a SYN/ACK hmac and nonce, in an ACK hmac alone. */
struct mptcp_join_option {
	bool backup;
	uint8_t key_id; /* 0 or 1: the K bit of draft-baerts-tcpm-mptcpext-00, else 0 */
	uint8_t address_id;
	uint8_t token_bytes; /* 4, or 8 (application keys) */
	uint64_t token;      /* the receiver's */
	uint32_t nonce;
	uint8_t hmac[MPTCP_HMAC_ACK];
};

struct mptcp_dss {
	bool fin;
	uint8_t ack_bytes; /* 0, 4 or 8 */
	uint8_t dsn_bytes; /* 0 (no mapping), 4 or 8 */
	bool has_checksum;
	uint16_t length;
	uint16_t checksum;
	uint32_t ssn; /* relative to the subflow's initial sequence number */
	uint64_t ack;
	uint64_t dsn;
};

/* Version 0 has neither echo nor HMAC; in version 1 it is one of the two. */
struct mptcp_add_addr {
	bool echo;
	bool has_hmac;
	bool has_port;
	uint8_t key_id;
	uint8_t address_id;
	uint8_t address_bytes; /* 4 or 16 */
	uint16_t port;
	uint8_t address[16];
	uint8_t hmac[MPTCP_HMAC_ADDRESS];
};

struct mptcp_remove_addr {
	uint8_t count;
	uint8_t ids[MPTCP_OPTION_MAX - 3];
};

struct mptcp_prio {
	bool backup;
	bool has_address_id; /* version 0 */
	uint8_t address_id;
};

struct mptcp_fastclose {
	uint8_t key_id;
	uint64_t key; /* or what stands for it: mptcp_fastclose_key() */
};

struct mptcp_new_key {
	uint8_t key_id;
	uint64_t hmac;
};

struct mptcp_reset {
	uint8_t flags; /* U, V, W, T: the lowest is "transient" */
	uint8_t reason;
};

struct mptcp_option {
	uint8_t subtype; /* MPTCPOPT_... */
	enum mptcp_segment segment;
	union {
		struct mptcp_capable capable;
		struct mptcp_join_option join;
		struct mptcp_dss dss;
		struct mptcp_add_addr add_addr;
		struct mptcp_remove_addr remove_addr;
		struct mptcp_prio prio;
		struct mptcp_reset reset;
		struct mptcp_fastclose fastclose;
		struct mptcp_new_key new_key;
		uint64_t fail_dsn;
	};
};

/* A TCP option of any kind where it stands; NOPs are not told of. */
struct mptcp_tcp_option {
	const uint8_t *bytes; /* kind, length, content */
	uint8_t kind;
	uint8_t length;
};

/*
 * The option at *at, which moves behind it; kind TCPOPT_EOL when there are no more. With any
 * reason but ok the walk is over, and what was found so far stands.
 */
enum mptcp_reason mptcp_options_next(const uint8_t *options, size_t length, size_t *at,
				     struct mptcp_tcp_option *found);

/* bytes: one whole option of kind 30. Of an option that is refused nothing may be used. */
enum mptcp_reason mptcp_option_parse(const uint8_t *bytes, size_t length,
				     enum mptcp_segment segment, struct mptcp_option *option);

/* The length of the option written to bytes[MPTCP_OPTION_MAX]; not padded. */
size_t mptcp_option_encode(const struct mptcp_option *option, uint8_t *bytes);

#endif
