/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The handshakes of MPTCP, for use in a stack: which dialect two ends agree on, tokens, keys
 * and initial data sequence numbers, and the authentication of joins. Nothing here allocates,
 * reads a clock or a socket, or draws random numbers.
 *
 *	client				server
 *	mptcp_offer		SYN ->
 *				     ->	mptcp_judge_offer, which makes the answer
 *				     <- SYN/ACK
 *	mptcp_judge_answer   <-
 *				ACK ->	mptcp_judge_ack
 *
 * Each takes or makes a struct mptcp_option; the stack puts it on the wire. A NULL option says
 * that the segment had no MP_CAPABLE. A reason but ok leaves plain TCP behind, except for
 * out_of_turn, which changes nothing.
 */
#ifndef MPTCP_LB_MPTCP_HANDSHAKE_H
#define MPTCP_LB_MPTCP_HANDSHAKE_H

#include "mptcp_digest.h"
#include "mptcp_options.h"

/* Of those that both ends speak in one version, the last is preferred. */
enum mptcp_dialect {
	MPTCP_DIALECT_TCP,         /* no MPTCP */
	MPTCP_DIALECT_V0,          /* RFC 6824: keys in clear, SHA-1 */
	MPTCP_DIALECT_V1,          /* RFC 8684: keys in clear, SHA-256 */
	MPTCP_DIALECT_CIPHERED,    /* D: draft-paasch-mptcp-loadbalancer-00, section 3.2 */
	MPTCP_DIALECT_EXTERNAL,    /* E: draft-baerts-tcpm-mptcpext-00 */
	MPTCP_DIALECT_SELECTED,    /* F: the first form of G, with a choice of keys */
	MPTCP_DIALECT_APPLICATION, /* G: draft-paasch-mptcp-application-authentication-00 */
	MPTCP_DIALECTS
};

/* Where the application's keys come from; sets of them are sums. Lower ones are preferred. */
enum mptcp_key_source { MPTCP_KEYS_TLS = 1, MPTCP_KEYS_SHARED = 2, MPTCP_KEYS_NULL = 4 };

enum mptcp_side { MPTCP_OWN, MPTCP_PEER };

/* What one end brings along. */
struct mptcp_end {
	uint32_t speaks; /* a set: 1 << MPTCP_DIALECT_V1 and so on */
	bool checksums;
	bool join_elsewhere;   /* the C flag */
	uint8_t key_sources;   /* for MPTCP_DIALECT_SELECTED */
	uint64_t key;          /* for V0 and V1: random and not 0 */
	uint64_t ciphered_key; /* for CIPHERED: mptcp_key_of_token() */
	uint64_t token; /* for those whose keys are the application's; EXTERNAL has 32 bits */
};

enum mptcp_progress { MPTCP_CLOSED, MPTCP_WAITING, MPTCP_DONE };

/* Indexed by enum mptcp_side. What the dialect does not have stays 0. */
struct mptcp_handshake {
	struct mptcp_end own;
	bool is_client;
	bool has_keys;            /* joins are possible */
	bool was_given_keys;      /* EXTERNAL: they are in place when NEW_KEY has come as well */
	uint8_t key_source;       /* SELECTED: as agreed */
	bool checksums;           /* as agreed */
	bool peer_join_elsewhere; /* the peer wants no joins to the address that was dialled */
	enum mptcp_progress progress;
	enum mptcp_dialect dialect;
	uint64_t keys[2];
	uint64_t tokens[2];
};

void mptcp_handshake_init(struct mptcp_handshake *handshake, bool is_client,
			  const struct mptcp_end *own);

/* When the connection is over: its keys, tokens and progress are gone from memory. */
void mptcp_handshake_wipe(struct mptcp_handshake *handshake);

/* The client's SYN; nothing_in_common if it speaks no dialect: then no option is made. */
enum mptcp_reason mptcp_offer(struct mptcp_handshake *handshake, struct mptcp_option *syn);

/* The server's turn: what the SYN had, and the option for the SYN/ACK. */
enum mptcp_reason mptcp_judge_offer(struct mptcp_handshake *handshake,
				    const struct mptcp_option *syn, struct mptcp_option *synack);

/* The client's turn: what the SYN/ACK had, and the option for the ACK. */
enum mptcp_reason mptcp_judge_answer(struct mptcp_handshake *handshake,
				     const struct mptcp_option *synack, struct mptcp_option *ack);

/* The third segment at the server, or the first data if that came first. */
enum mptcp_reason mptcp_judge_ack(struct mptcp_handshake *handshake,
				  const struct mptcp_option *ack);

/* The same option on the client's first data. Version 1 only. */
void mptcp_ack_with_data(const struct mptcp_handshake *handshake, uint16_t data_length,
			 uint16_t checksum, struct mptcp_option *ack);

/*
 * Keys that the application has agreed on: a is the client's. Until it has given them there
 * are no joins.
 */
enum mptcp_reason mptcp_give_keys(struct mptcp_handshake *handshake, uint64_t key_a,
				  uint64_t key_b);

/* 4 or 8: how much of a token there is. */
uint8_t mptcp_token_bytes(enum mptcp_dialect dialect);

/* The first byte that the side sends has the number after this one. */
uint64_t mptcp_initial_dsn(const struct mptcp_handshake *handshake, enum mptcp_side side);

/*
 * EXTERNAL: after mptcp_give_keys() each end sends NEW_KEY, again and again until it has heard
 * the other's. The external key is key a, then key b.
 */
void mptcp_new_key(const struct mptcp_handshake *handshake, struct mptcp_option *new_key);
enum mptcp_reason mptcp_judge_new_key(struct mptcp_handshake *handshake,
				      const struct mptcp_option *new_key);

/*
 * CIPHERED: a key whose token is this one, found by deciphering: key = Z || K, token = E_K(Z),
 * E being RC5 with words of 16 bits and 16 rounds. k: random.
 */
uint64_t mptcp_key_of_token(uint32_t token, uint32_t k);

/* What MP_FASTCLOSE says to the side; has_keys. */
uint64_t mptcp_fastclose_key(const struct mptcp_handshake *handshake, enum mptcp_side side);

/*
 * One joining subflow. Who sends its SYN may be either end of the connection:
 *
 *	mptcp_join_offer	SYN ->
 *				     ->	mptcp_join_answer
 *				     <- SYN/ACK
 *	mptcp_join_confirm   <-
 *				ACK ->	mptcp_join_finish
 *
 * mptcp_reason_action() of what they return says whether to drop or to reset.
 */
struct mptcp_join {
	uint32_t nonces[2];
	uint8_t address_ids[2];
	bool backups[2];
};

/* nonces, address_ids and backups of MPTCP_OWN are the caller's to fill in before. */
enum mptcp_reason mptcp_join_offer(const struct mptcp_handshake *handshake,
				   const struct mptcp_join *join, struct mptcp_option *syn);

/* handshake: the one whose own token, of as many bytes, is the one in the SYN. */
enum mptcp_reason mptcp_join_answer(const struct mptcp_handshake *handshake,
				    struct mptcp_join *join, const struct mptcp_option *syn,
				    struct mptcp_option *synack);
enum mptcp_reason mptcp_join_confirm(const struct mptcp_handshake *handshake,
				     struct mptcp_join *join, const struct mptcp_option *synack,
				     struct mptcp_option *ack);
enum mptcp_reason mptcp_join_finish(const struct mptcp_handshake *handshake,
				    const struct mptcp_join *join, const struct mptcp_option *ack);

/* Version 0 has no HMAC here, later ones must have one; an echo never does. */
void mptcp_add_addr_sign(const struct mptcp_handshake *handshake, struct mptcp_add_addr *add);
enum mptcp_reason mptcp_add_addr_check(const struct mptcp_handshake *handshake,
				       const struct mptcp_add_addr *add);

/* HMAC (RFC 2104) of at most MPTCP_HMAC_MESSAGE_MAX bytes. */
#define MPTCP_HMAC_MESSAGE_MAX 32
void mptcp_hmac(enum mptcp_algorithm algorithm, const uint8_t key[static 16],
		const uint8_t *message, size_t length, uint8_t hmac[static MPTCP_DIGEST_MAX]);

#endif
