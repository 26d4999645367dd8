/* SPDX-License-Identifier: GPL-2.0-only */
/* What the stages know of a packet: scalars only, so that no packet pointer outlives its check. */
#ifndef PACKET_BPF_H
#define PACKET_BPF_H

#include <stdbool.h>
#include <linux/bpf.h>
#include <linux/types.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "../include/reason.h"
#include "../include/types.h"
#include "../include/wire.h"

/*
 * be16() and be32() for constants and what is written; be16(x) == be32(y) and a forgotten swap
 * are errors to sparse, which must not look into libbpf's macros, whose results are plain.
 */
#ifdef __CHECKER__
#define plain(x, type) ((__attribute__((force)) type)(x))
#undef bpf_ntohs
#undef bpf_ntohl
#define be16(x) plain((uint16_t)(x), __be16)
#define be32(x) plain((uint32_t)(x), __be32)
#define bpf_ntohs(x) ((void)sizeof((x) == be16(0)), plain(x, uint16_t))
#define bpf_ntohl(x) ((void)sizeof((x) == be32(0)), plain(x, uint32_t))
#else
#define plain(x, type) ((type)(x)) /* the order of the bytes is no matter to a hash */
#define be16(x) ((__be16)bpf_htons(x))
#define be32(x) ((__be32)bpf_htonl(x))
#endif

/* The way of a stamped packet falls through: each jump taken costs it about a nanosecond. */
#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

/* What the TCP options say about where the packet belongs. */
enum clue {
	CLUE_NONE,
	CLUE_NEW,       /* SYN without a join */
	CLUE_JOIN,      /* SYN with MP_JOIN: value is the token */
	CLUE_BARE_JOIN, /* the same without timestamps */
	CLUE_STAMP,     /* ACK with a timestamp: value is TSecr */
	CLUE_MALFORMED,
	CLUE_JOIN_PORT, /* to a join port: value is the index */
};

struct packet {
	struct address saddr, daddr;
	__be16 sport, dport;
	uint16_t ip;        /* offsets of the headers from the start of the frame */
	uint16_t tcp;       /* the one that ICMP quotes, for an ICMP error */
	uint16_t transport; /* behind IP and its extension headers */
	uint8_t is_v6;
	uint8_t protocol; /* behind IP, where it is not TCP and the packet is whole */
	uint8_t flags;    /* TCP_SYN and so on */
	uint8_t options;  /* length of the TCP options, 0 to 40 */
	uint8_t clue;     /* enum clue */
	uint8_t bank;
	uint8_t picked;   /* enum reason: why this backend */
	uint16_t service; /* id: its row of counters; 0 for none */
	uint16_t backend; /* index, once picked */
	uint32_t value;   /* host order: what the clue carries */
};

static __always_inline void *packet_start(const struct xdp_md *ctx)
{
	return (void *)(long)ctx->data;
}

static __always_inline void *packet_end(const struct xdp_md *ctx)
{
	return (void *)(long)ctx->data_end;
}

/* No header of ours begins beyond it: two tags, IPv6, four extensions, ICMP and what it quotes. */
#define HEADER_OFFSET_MASK 0x1ff

/* offset: read from memory, where the verifier does not know its bound. */
static __always_inline void *packet_at(const struct xdp_md *ctx, uint32_t offset)
{
	return packet_start(ctx) + (offset & HEADER_OFFSET_MASK);
}

#endif
