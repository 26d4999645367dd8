/* SPDX-License-Identifier: GPL-2.0-only */
/* The lab's network: namespaces for a client, a balancer and three servers, and a switch. */
#ifndef LAB_NETWORK_H
#define LAB_NETWORK_H

#include <stdio.h>

#include "say.h"

#define LAB_SERVICE "192.0.2.1"
#define LAB_PORT "443"
#define LAB_PATHS 2
#define LAB_SERVERS 3

extern const char *const lab_client_addresses[LAB_PATHS];
extern const char *const lab_servers[LAB_SERVERS];

/* A program in one of the namespaces: "client", "lb", "s1" and so on. */
struct lab_program {
	int pid;
	FILE *orders, *answers; /* its stdin and stdout */
};

/* Takes down first what an earlier lab may have left behind. */
enum status lab_network_up(void);
void lab_network_down(void);

/* argv[0] is looked for along PATH. False if it cannot be started, or does not end with 0. */
bool lab_start(const char *space, const char *const *argv, struct lab_program *program);
bool lab_run(const char *space, const char *const *argv);
void lab_stop(struct lab_program *program);

#endif
