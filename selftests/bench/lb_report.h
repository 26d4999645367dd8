/* SPDX-License-Identifier: GPL-2.0-only */
/* What came of the rows: a table, build/bench.json, and how far the goals are met. */
#ifndef LB_REPORT_H
#define LB_REPORT_H

#include <sys/utsname.h>

#include "lb_rows.h"

/* "AMD EPYC", or whatever the kernel calls the processor. */
static inline void name_processor(char *name, size_t size)
{
	FILE *file = fopen("/proc/cpuinfo", "r");
	char line[256];

	snprintf(name, size, "unknown processor");
	while (file && fgets(line, sizeof(line), file))
		if (!strncmp(line, "model name", 10)) {
			line[strcspn(line, "\n")] = '\0';
			snprintf(name, size, "%s", strchr(line, ':') + 2);
			break;
		}
	if (file)
		fclose(file);
}

/* Where and under what load the figures were measured. */
static inline void print_machine(FILE *out)
{
	char processor[128];
	struct utsname system;
	double load = 0;

	uname(&system);
	getloadavg(&load, 1);
	name_processor(processor, sizeof(processor));
	fprintf(out,
		"Measured on %s, %ld CPUs, Linux %s, %d loads, %d bursts of %d packets a row after "
		"each, ",
		processor, sysconf(_SC_NPROCESSORS_ONLN), system.release, loads,
		rounds * BENCH_BURSTS, BENCH_BURST);
	fprintf(out, "load average %.1f at the end.\n\n", load);
}

static inline const char *forward_of(const struct row *row)
{
	static const char *const names[] = {
		[FORWARD_L2] = "l2", [FORWARD_IPIP] = "ipip", [FORWARD_GUE] = "gue"
	};
	enum program program = classes[row->class].program;

	if (program == BALANCER)
		return classes[row->class].verdict == XDP_TX ? names[row->group->forward] : "none";
	return program >= FLOOR_ENCAP ? "ipip" : "none";
}

static inline void name_of(const struct row *row, char *name, size_t size)
{
	bool noted = classes[row->class].program == BALANCER && row->group->note;

	snprintf(name, size, "%s%s", classes[row->class].name, noted ? row->group->note : "");
}

static inline void print_table(FILE *out)
{
	char name[64];

	fprintf(out,
		"| %-36s | IP | %-4s | %8s | %8s | %8s | %6s | %6s | %6s | %7s | %5s | %5s |\n",
		"packet", "fwd", "flows", "backends", "services", "min", "median", "net", "min net",
		"xE", "xT");
	fprintf(out, "|---|--:|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n");
	for (size_t i = 0; i < row_count; i++) {
		const struct row *row = &rows[i];

		name_of(row, name, sizeof(name));
		fprintf(out,
			"| %-36s | %2d | %-4s | %8u | %8u | %8u | %6.1f | %6.1f | %6.1f | %7.1f | "
			"%5.2f | %5.2f |\n",
			name, row->v6 ? 6 : 4, forward_of(row), row->flows, row->group->backends,
			row->group->services, row->min_ns, row->median_ns, row->net_ns,
			row->net_min_ns, row->to_encap, row->to_tight);
	}
}

static inline struct json_object *rows_as_json(void)
{
	struct json_object *list = json_object_new_array();
	char name[64];

	for (size_t i = 0; i < row_count; i++) {
		struct json_object *object = json_object_new_object();
		const struct row *row = &rows[i];

		name_of(row, name, sizeof(name));
		json_object_object_add(object, "name", json_object_new_string(name));
		json_object_object_add(object, "family", json_object_new_int(row->v6 ? 6 : 4));
		json_object_object_add(object, "forward", json_object_new_string(forward_of(row)));
		json_object_object_add(object, "flows", json_object_new_int(row->flows));
		json_object_object_add(object, "backends",
				       json_object_new_int(row->group->backends));
		json_object_object_add(object, "services",
				       json_object_new_int(row->group->services));
		json_object_object_add(object, "median_ns", json_object_new_double(row->median_ns));
		json_object_object_add(object, "net_ns", json_object_new_double(row->net_ns));
		json_object_object_add(object, "ratio_to_encap",
				       json_object_new_double(row->to_encap));
		json_object_array_add(list, object);
	}
	return list;
}

#endif
