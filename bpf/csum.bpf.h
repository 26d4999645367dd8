/* SPDX-License-Identifier: GPL-2.0-only */
/* The internet checksum (RFC 1071) over words that were loaded anyway. */
#ifndef CSUM_BPF_H
#define CSUM_BPF_H

#include "packet.bpf.h"

/* Room for 2^15 calls before 32 bits overflow. */
static __always_inline uint32_t csum_add_word(uint32_t sum, __be32 word)
{
	uint32_t host = bpf_ntohl(word);

	return sum + (host >> 16) + (host & 0xffff);
}

/* The first fold leaves at most 0x1fffe, which has a carry left in 1 of 80,000 headers. */
static __always_inline uint16_t csum_fold(uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/* Of a sum of words as they stand in memory, in the same order (RFC 1071 section 2 (B)). */
static __always_inline uint16_t csum_of_words(uint64_t sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~csum_fold(sum);
}

#endif
