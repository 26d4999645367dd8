/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A TCP and MPTCP of user space: enough of them to show and to test handshakes. Data is taken
 * in order on each subflow, windows do not scale, and there is no congestion control.
 */
#ifndef LAB_PEER_H
#define LAB_PEER_H

#include "../include/mptcp_issuer.h"
#include "../include/mptcp_keys.h"
#include "recording.h"
#include "fifo.h"
#include "segment.h"

#define UNACKED_MAX 24
#define HELD_MAX 64
#define SUBFLOWS_MAX 4
#define NAME_MAX_LENGTH 32

/* Where an application gets its keys from; and with TLS, what it speaks. */
enum key_source { KEYS_NONE, KEYS_TLS12, KEYS_TLS13, KEYS_SHARED, KEYS_NULL };

/* From the command line. */
struct settings {
	bool is_server;
	char device[16];
	const char *write;          /* a file for all packets, or NULL */
	char name[NAME_MAX_LENGTH]; /* the server's, by which it greets */
	uint32_t address;           /* that the server listens at; host order */
	uint32_t port;
	uint32_t speaks;
	unsigned int keys;          /* enum key_source */
	struct token_secret shared; /* for KEYS_SHARED */
	uint32_t lose;              /* each packet of that number, either way; 0: none */
	uint32_t stamp;             /* what a server adds to each TSval; 0 for a client */
	struct mptcp_issuer issuer;
};

enum subflow_state { SYN_SENT, SYN_RECEIVED, ESTABLISHED, CLOSED };

/* A segment that takes sequence numbers, until they are acknowledged. */
struct unacked {
	struct segment segment;
	uint8_t data[SEGMENT_MSS];
};

/* Data sequence numbers of a range of the subflow's; ssn is relative to its initial one. */
struct mapping {
	uint64_t dsn;
	uint32_t ssn;
	uint32_t length;
};

struct subflow {
	struct connection *connection;
	struct flow flow;
	enum subflow_state state;
	bool joins;
	bool confirmed; /* the peer has heard our third segment */
	bool has_third;
	bool fin_sent, fin_received;
	struct mptcp_option third; /* the option of our third segment */
	struct mptcp_join join;
	enum mptcp_reason reason; /* why it was refused */
	uint32_t initial, next;   /* what we send */
	uint32_t peer_initial, expected;
	uint32_t peer_window;
	uint32_t ts_recent;
	struct mapping mapping; /* of what the peer sends */
	struct unacked unacked[UNACKED_MAX];
	int first, count; /* of unacked[], a ring */
	uint64_t resend_at, resend_after;
	uint64_t sent, received; /* bytes of data */
};

struct held {
	uint64_t dsn;
	size_t length; /* 0: free */
	uint8_t data[PACKET_MAX];
};

struct connection {
	struct connection *next;
	struct peer *peer;
	int id;
	struct mptcp_handshake handshake;
	struct subflow *subflows[SUBFLOWS_MAX];
	int subflow_count;
	int turn;                              /* the subflow that data took last */
	int preferred;                         /* the one that it is to take; -1: each in turn */
	struct fifo out, in;                   /* the stream */
	struct fifo plaintext;                 /* what the application has not yet read */
	uint64_t sent, acknowledged, expected; /* data sequence numbers */
	struct held held[HELD_MAX];
	uint64_t new_key_sent_at, new_key_resend_at; /* 0: there is none to send */
	bool closing, fin_sent, peer_fin, greeted;
	bool forges; /* an attacker's */
	uint64_t fin_dsn, fin_resend_at;
	struct ssl_st *tls;
};

struct peer {
	struct settings settings;
	int tun;
	FILE *recording;
	int next_id;
	uint32_t packets;              /* that came or went */
	struct keysearch *searches[2]; /* by version; a server's */
	struct ssl_ctx_st *tls;
	struct connection *connections;
};

uint64_t now_ms(void);
void draw_random(void *bytes, size_t length);

/* peer.c: the device, and who gets which segment. */
struct peer *peer_open(const struct settings *settings);
void peer_turn(struct peer *peer, int timeout_ms);
void peer_transmit(struct peer *peer, const struct segment *segment);
struct connection *peer_connect(struct peer *peer, const struct flow *flow);

/* connection.c: what subflows have in common, and the options that say so. */
struct connection *connection_new(struct peer *peer);
void connection_free(struct connection *connection);
struct subflow *connection_add_subflow(struct connection *connection, const struct flow *flow,
				       bool joins);
void connection_begin(struct connection *connection);
bool connection_is_plain(const struct connection *connection);
struct subflow *connection_any_subflow(const struct connection *connection);
void connection_take_options(struct subflow *subflow, const struct segment *segment);
void connection_send_new_key(struct connection *connection);
void connection_close(struct connection *connection);
bool connection_is_over(const struct connection *connection);
struct mptcp_option connection_ack(const struct connection *connection);

/* delivery.c and sending.c: the same stream's bytes in and out. */
bool connection_take_data(struct subflow *subflow, uint32_t ssn, const uint8_t *data,
			  size_t length);
void connection_push(struct connection *connection);

/* subflow.c: TCP. */
void subflow_connect(struct subflow *subflow, const struct mptcp_option *option);
void subflow_accept(struct subflow *subflow, const struct segment *syn,
		    const struct mptcp_option *option);
void subflow_receive(struct subflow *subflow, const struct segment *segment);
void subflow_send(struct subflow *subflow, uint8_t flags, const struct mptcp_option *option,
		  const uint8_t *data, size_t length);
void subflow_acknowledge(struct subflow *subflow);
void subflow_tick(struct subflow *subflow);
bool subflow_may_send(const struct subflow *subflow);
void subflow_reset(struct subflow *subflow, uint8_t why);

/* channel.c: what the application reads and writes, in TLS or bare; and its keys. */
uint8_t channel_key_source(const struct peer *peer);
void channel_open(struct connection *connection);
void channel_turn(struct connection *connection);
bool channel_is_ready(const struct connection *connection);
void channel_write(struct connection *connection, const uint8_t *bytes, size_t length);

/* attacker.c: the client's part, played by somebody else. */
struct connection *attacker_impersonate(struct peer *peer, enum mptcp_dialect dialect,
					uint64_t client_value, uint64_t server_value,
					uint64_t client_sent, uint64_t server_sent);
void attacker_forge(const struct subflow *subflow, const struct mptcp_option *synack,
		    struct mptcp_option *ack);

/* server.c and client.c: the two applications. */
void server_turn(struct connection *connection);
void server_tell(const struct connection *connection, const char *event);
int client_run(struct peer *peer);

#endif
