/* SPDX-License-Identifier: GPL-2.0-only */
/* The sysctls of this network namespace that the server side depends on. */
#ifndef SYSCTLS_H
#define SYSCTLS_H

#include "../include/server.h"

#define SYSCTL_SYNCOOKIES "net.ipv4.tcp_syncookies"
#define SYSCTL_TIMESTAMPS "net.ipv4.tcp_timestamps"
#define SYSCTL_MPTCP_ENABLED "net.mptcp.enabled"

#define SYNCOOKIES_ALWAYS 2    /* a cookie for every SYN */
#define TIMESTAMPS_NO_OFFSET 2 /* TSval is the monotonic clock in ms, the same for everybody */

/* Both return 0 or -errno. name: as sysctl(8) has it. */
int sysctl_read(const char *name, uint32_t *value);
int sysctl_write(const char *name, uint32_t value);

/* Of net.ipv4.conf: what is in force for a device, the greater of its own value and that of all. */
uint32_t sysctl_of_device(const char *device, const char *name);

#endif
