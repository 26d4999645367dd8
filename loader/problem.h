/* SPDX-License-Identifier: GPL-2.0-only */
/* What is wrong with a configuration, and which part of it. */
#ifndef PROBLEM_H
#define PROBLEM_H

#include "config.h"

#define PROBLEM_MAX 192

struct problem {
	enum { ABOUT_CLUSTER, ABOUT_EPOCH, ABOUT_BACKEND, ABOUT_SERVICE, ABOUT_JOIN_PORT } about;
	uint32_t which; /* the backend's index, or the service's place in the array */
	char sentence[PROBLEM_MAX];
};

/* Whether the configuration breaks a rule; *problem is the first that it breaks. */
bool config_has_problem(const struct config *config, struct problem *problem);

#endif
