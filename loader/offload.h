/* SPDX-License-Identifier: GPL-2.0-only */
/* What a device does for the kernel, as ethtool -k tells it. */
#ifndef OFFLOAD_H
#define OFFLOAD_H

#include <stdbool.h>

/* feature: by ethtool's name. False as well where the kernel has no such feature. */
bool offload_is_on(const char *device, const char *feature);

#endif
