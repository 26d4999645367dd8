// SPDX-License-Identifier: GPL-2.0-only
/* The loader's key search, behind two functions. */
#include <stdlib.h>

#include "../loader/keysearch.h"
#include "searched_key.h"

struct keysearch *searched_key_open(const struct mptcp_issuer *issuer, int version)
{
	return keysearch_open(&(struct keysearch_goal){
		.secret = issuer->secret,
		.epoch = issuer->epoch,
		.index_bits = issuer->index_bits,
		.index = issuer->index,
		.version = version ? MPTCP_V1 : MPTCP_V0,
	});
}

/* The search has keys in wire order. */
uint64_t searched_key_next(struct keysearch *search)
{
	struct server_key found;

	while (!keysearch_next(search, UINT64_MAX, &found))
		;
	return __builtin_bswap64(found.key);
}
