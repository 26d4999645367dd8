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

int sysctl_read(const char *name, uint32_t *value)
{
	FILE *file = open_sysctl(name, "re");
	int fields;

	if (!file)
		return -errno;
	fields = fscanf(file, "%u", value);
	fclose(file);
	return fields == 1 ? 0 : -EINVAL;
}

int sysctl_write(const char *name, uint32_t value)
{
	FILE *file = open_sysctl(name, "we");

	if (!file)
		return -errno;
	fprintf(file, "%u\n", value);
	return fclose(file) ? -errno : 0;
}
