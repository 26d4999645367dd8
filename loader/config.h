/* SPDX-License-Identifier: GPL-2.0-only */
/* The whole configuration, as a file gives it and as the loaded maps hold it. */
#ifndef CONFIG_H
#define CONFIG_H

#include <stdbool.h>
#include <stddef.h>

#include "../include/types.h"
#include "address.h"
#include "say.h"

#define CONFIG_FILE_DEFAULT "/etc/mptcp-lb/mptcp-lb.yaml"
#define INDEX_BITS_DEFAULT 8
#define WEIGHT_DEFAULT 100
#define WEIGHT_MAX 65534 /* maps hold 1 + weight in 16 bits */
#define SECRET_FILE_MAX 252
#define FLOW_ENTRIES_MIN 8192 /* an eighth of which is a fair LRU on many CPUs still */
#define FLOW_ENTRIES_DEFAULT 65536
#define FLOW_ENTRIES_MAX (1 << 24)

struct config_secret {
	bool present;
	struct token_secret secret;
	char file[SECRET_FILE_MAX]; /* "-": it came by stdin, no file is known */
};

/* By index. */
struct config_backend {
	bool assigned; /* false: no backend has this index */
	bool lladdr_given;
	uint8_t lladdr[6];
	enum backend_state state;
	enum forward forward;
	struct address address;
};

struct config_service {
	struct address address;
	uint16_t port; /* host order, 1 to 65535 */
	enum joins joins;
	bool stamps;
	enum flows flows;
	uint32_t flow_entries;
	uint16_t join_port;            /* host order: that of index 0; 0: none */
	uint16_t weight[MAX_BACKENDS]; /* by index: 1 + weight, or 0 where no member */
};

/* 4.4 MB: config_new() puts it on the heap, config_free() wipes the secrets. */
struct config {
	uint32_t index_bits;
	uint64_t ring_seed;
	uint32_t epoch; /* the one that servers issue under */
	bool strict_clock;
	/* Outer sources of tunnels, whose host bits are the flow's; length 0: none. */
	struct prefix tunnel_source, tunnel_source_v6;
	enum df_clear df_clear;
	struct config_secret secrets[TOKEN_EPOCHS];
	struct config_backend backends[MAX_BACKENDS];
	size_t service_count;
	struct config_service services[MAX_SERVICES];
};

/* An empty configuration with the defaults; exits if there is no memory. */
struct config *config_new(void);
void config_free(struct config *config);

/*
 * Reads a file and the secret files that it names. The sentence of an error begins
 * with FILE:LINE:COLUMN. Returns BAD_CONFIG, or FAILED where a file can't be read.
 */
enum status config_read(const char *file, struct config *config);

/* Likewise, but a secret whose file is "-" is kept from the loaded configuration. */
enum status config_read_over(const char *file, const struct config *loaded, struct config *config);

/*
 * Reads a file of 32 hex digits ("-" is stdin) and warns if others may read it. Says
 * why not, in a sentence without FILE:LINE:COLUMN.
 */
enum status secret_read(const char *file, struct token_secret *secret);

/* What must hold of any configuration, wherever it came from. Says what does not. */
enum status config_validate(const struct config *config);

/* What a service is of which nothing is said. */
void config_service_defaults(struct config_service *service);

/* The service at an address and port, or NULL. */
struct config_service *config_find_service(struct config *config, const struct address *address,
					   uint16_t port);

#endif
