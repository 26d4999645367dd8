// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "sysctls.h"

static FILE *open_sysctl(const char *name, const char *mode)
{
	char path[128];

	snprintf(path, sizeof(path), "/proc/sys/%s", name);
	for (char *dot = path; (dot = strchr(dot, '.'));)
		*dot = '/';
	return fopen(path, mode);
}

static int read_number(FILE *file, uint32_t *value)
{
	int fields;

	if (!file)
		return -errno;
	fields = fscanf(file, "%u", value);
	fclose(file);
	return fields == 1 ? 0 : -EINVAL;
}

int sysctl_read(const char *name, uint32_t *value)
{
	return read_number(open_sysctl(name, "re"), value);
}

int sysctl_write(const char *name, uint32_t value)
{
	FILE *file = open_sysctl(name, "we");

	if (!file)
		return -errno;
	fprintf(file, "%u\n", value);
	return fclose(file) ? -errno : 0;
}

/* The name of a device may have dots. */
static uint32_t read_of(const char *device, const char *name)
{
	uint32_t value = 0;
	char path[128];

	snprintf(path, sizeof(path), "/proc/sys/net/ipv4/conf/%s/%s", device, name);
	read_number(fopen(path, "re"), &value);
	return value;
}

uint32_t sysctl_of_device(const char *device, const char *name)
{
	uint32_t all = read_of("all", name), own = read_of(device, name);

	return all > own ? all : own;
}
