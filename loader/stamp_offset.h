/* SPDX-License-Identifier: GPL-2.0-only */
/* The offset of this boot's stamps. */
#ifndef STAMP_OFFSET_H
#define STAMP_OFFSET_H

#include <stdint.h>

#include "say.h"

/*
 * Sampled at the first call of a boot and kept in a file, since connections outlive an
 * attachment and must keep their stamps. Says why it can't; warns, or with strict_clock fails,
 * where it is sampled from a clock that is not synchronised.
 */
enum status stamp_offset_of_boot(bool strict_clock, uint32_t *offset_ms);

/* What would be sampled now: it differs from the former by how far the clock was set since. */
uint32_t stamp_offset_now(void);

#endif
