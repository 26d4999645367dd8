/* SPDX-License-Identifier: GPL-2.0-only */
/* Keys for servers of RFC 6824 and 8684: searched, as the server side of mptcp-lb does. */
#ifndef LAB_SEARCHED_KEY_H
#define LAB_SEARCHED_KEY_H

#include "../include/mptcp_issuer.h"

struct keysearch;

/* NULL without memory or randomness. version: of MPTCP, 0 or 1. */
struct keysearch *searched_key_open(const struct mptcp_issuer *issuer, int version);

/* A key whose token names the issuer's index, as a number. */
uint64_t searched_key_next(struct keysearch *search);

#endif
