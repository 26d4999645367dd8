/* SPDX-License-Identifier: GPL-2.0-only */
/* The MPTCP connections of this network namespace, as sock_diag(7) lists them. */
#ifndef MPTCP_SOCKETS_H
#define MPTCP_SOCKETS_H

#include <stdint.h>

/*
 * Calls `each` for the token of every MPTCP connection, in host order; one token may come
 * more than once. Returns 0 or -errno: -ENOENT where the kernel lacks mptcp_diag.
 */
int mptcp_sockets_tokens(void (*each)(uint32_t token, void *context), void *context);

#endif
