/* SPDX-License-Identifier: GPL-2.0-only */
/* Which network namespace this process is in. */
#ifndef NETNS_H
#define NETNS_H

#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

/* Not the inode of /proc/self/ns/net, which a later namespace gets again. 0: unknown. */
static inline uint64_t netns_cookie(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	socklen_t length = sizeof(uint64_t);
	uint64_t cookie = 0;

	if (fd < 0)
		return 0;
	getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &length);
	close(fd);
	return cookie;
}

#endif
