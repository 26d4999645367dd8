/* SPDX-License-Identifier: GPL-2.0-only */
/* The subflows of a connection, as the kernel lists them; plain TCP counts as one. */
#ifndef SUBFLOWS_H
#define SUBFLOWS_H

#include <linux/mptcp.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#define SOL_OF_MPTCP 284
#define SUBFLOWS_MAX 8
#define STATE_ESTABLISHED 1 /* TCP_ESTABLISHED of netinet/tcp.h, which clashes with linux/tcp.h */

struct subflow {
	struct sockaddr_in local;
	struct tcp_info info;
};

static inline uint32_t list(int fd, int what, void *data, uint32_t each)
{
	struct {
		struct mptcp_subflow_data head;
		uint8_t data[SUBFLOWS_MAX * 512];
	} said = { .head = { .size_subflow_data = sizeof(said.head), .size_user = each } };
	socklen_t length = sizeof(said.head) + SUBFLOWS_MAX * each;
	uint32_t count;

	if (getsockopt(fd, SOL_OF_MPTCP, what, &said, &length))
		return 0;
	count = said.head.num_subflows < SUBFLOWS_MAX ? said.head.num_subflows : SUBFLOWS_MAX;
	memcpy(data, said.data, count * each);
	return count;
}

static inline uint32_t find_plain(int fd, struct subflow *subflow)
{
	socklen_t size = sizeof(subflow->local), info_size = sizeof(subflow->info);

	return !getsockname(fd, (struct sockaddr *)&subflow->local, &size) &&
	       !getsockopt(fd, IPPROTO_TCP, TCP_INFO, &subflow->info, &info_size);
}

static inline uint32_t find_subflows(int fd, bool mptcp, struct subflow *subflows)
{
	struct mptcp_subflow_addrs addresses[SUBFLOWS_MAX];
	struct tcp_info infos[SUBFLOWS_MAX];
	uint32_t count;

	if (!mptcp)
		return find_plain(fd, subflows);
	count = list(fd, MPTCP_SUBFLOW_ADDRS, addresses, sizeof(*addresses));
	if (list(fd, MPTCP_TCPINFO, infos, sizeof(*infos)) != count)
		return 0; /* one came or went in between; whoever asks will ask again */
	for (uint32_t i = 0; i < count; i++)
		subflows[i] = (struct subflow){ addresses[i].sin_local, infos[i] };
	return count;
}

#endif
