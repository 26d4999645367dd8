/* SPDX-License-Identifier: GPL-2.0-only */
/* Classify: is the packet for a service, and what do its options say about the backend? */
#ifndef CLASSIFY_BPF_H
#define CLASSIFY_BPF_H

#include "maps.bpf.h"
#include "tcpopt.bpf.h"

static __always_inline uint64_t key_of(const struct packet *pkt, __be16 port)
{
	if (pkt->is_v6)
		return service_key_v6(pkt->daddr.halves, plain(port, uint16_t));
	return service_key_v4(plain(pkt->daddr.words[3], uint32_t), plain(port, uint16_t));
}

/* No packet has the key of an empty line, which is 0. */
static __always_inline bool is_line_of(const struct service *service, const struct packet *pkt,
				       __be16 port)
{
	if (service->key != key_of(pkt, port))
		return false;
	return !pkt->is_v6 ||
	       (service->address.halves[1] == pkt->daddr.halves[1] &&
		service->address.halves[0] == pkt->daddr.halves[0] && service->port == port);
}

/* The line of the packet's destination address and a port; port 0 finds any service address. */
static __always_inline const struct service *find_line(const struct packet *pkt, __be16 port,
						       const struct cluster *cluster)
{
	uint32_t line = service_line(key_of(pkt, port), cluster->service_seed);

	for (uint32_t probe = 0; probe < SERVICE_PROBES; probe++) {
		uint32_t key = pkt->bank * SERVICE_LINES + (line + probe) % SERVICE_LINES;
		const struct service *service = bpf_map_lookup_elem(&services, &key);

		if (likely(service && is_line_of(service, pkt, port)))
			return service;
		if (!service || !service->id)
			return NULL;
	}
	return NULL;
}

/*
 * The SYN of Linux: MSS, SACK permitted, timestamps, NOP, window scale in 20 bytes, then
 * MP_JOIN, MP_CAPABLE or nothing. CLUE_NONE: it is not one of those, and the walk must tell.
 */
static __always_inline enum clue classify_linux_syn(struct xdp_md *ctx, struct packet *pkt)
{
	__be32 *word = packet_at(ctx, pkt->tcp) + TCP_HEADER_MIN;

	if (pkt->options < 20 || (void *)(word + 5) > packet_end(ctx) ||
	    (word[0] & be32(0xffff0000)) != be32(0x02040000) || word[1] != be32(0x0402080a) ||
	    (word[4] & be32(0xffffff00)) != be32(0x01030300))
		return CLUE_NONE;
	if (pkt->options == 20)
		return CLUE_NEW;
	if (pkt->options == 24 && (void *)(word + 6) <= packet_end(ctx) &&
	    (word[5] & be32(0xfffff000)) == be32(0x1e040000))
		return CLUE_NEW;
	if (pkt->options != 32 || (void *)(word + 8) > packet_end(ctx) ||
	    (word[5] & be32(0xfffff000)) != be32(0x1e0c1000))
		return CLUE_NONE;
	pkt->value = bpf_ntohl(word[6]);
	return CLUE_JOIN;
}

/* MP_CAPABLE beside MP_JOIN: the kernel heeds neither. */
static __always_inline enum clue syn_clue(struct xdp_md *ctx, struct packet *pkt,
					  const struct tcpopt_walk *walk)
{
	if (!walk->join || walk->capable)
		return CLUE_NEW;
	if (!read_be32(ctx, walk->join + MPTCP_TOKEN_OFFSET, &pkt->value))
		return CLUE_MALFORMED;
	return walk->timestamp ? CLUE_JOIN : CLUE_BARE_JOIN;
}

static __always_inline enum clue ack_clue(struct xdp_md *ctx, struct packet *pkt,
					  const struct tcpopt_walk *walk)
{
	if (!walk->timestamp)
		return CLUE_NONE;
	if (!read_be32(ctx, walk->timestamp + TSECR_OFFSET, &pkt->value))
		return CLUE_MALFORMED;
	return pkt->value ? CLUE_STAMP : CLUE_NONE;
}

/* For options that do not stand where Linux puts them. */
static __always_inline enum clue walk_options(struct xdp_md *ctx, struct packet *pkt)
{
	struct tcpopt_walk walk = { .at = pkt->tcp + TCP_HEADER_MIN };
	bool is_ack = pkt->flags & TCP_ACK;

	walk.end = walk.at + pkt->options;
	tcpopt_walk(ctx, &walk, is_ack);
	if (walk.malformed)
		return CLUE_MALFORMED;
	return is_ack ? ack_clue(ctx, pkt, &walk) : syn_clue(ctx, pkt, &walk);
}

/* The TSecr of an ACK, where Linux and Apple put it, behind two NOPs; else 0. */
static __always_inline uint32_t plain_stamp(struct xdp_md *ctx, const struct packet *pkt)
{
	__be32 *first = packet_at(ctx, pkt->tcp) + TCP_HEADER_MIN;

	if (unlikely(!(pkt->flags & TCP_ACK) || pkt->options < 12 ||
		     (void *)(first + 3) > packet_end(ctx) ||
		     first[0] != be32(LINUX_TIMESTAMP_FIRST)))
		return 0;
	return bpf_ntohl(first[2]);
}

static __always_inline enum clue classify_ack(struct xdp_md *ctx, struct packet *pkt)
{
	pkt->value = plain_stamp(ctx, pkt);
	return pkt->value ? CLUE_STAMP : walk_options(ctx, pkt);
}

static __always_inline enum clue classify_syn(struct xdp_md *ctx, struct packet *pkt)
{
	enum clue clue = classify_linux_syn(ctx, pkt);

	return clue ? clue : walk_options(ctx, pkt);
}

static __always_inline enum clue find_clue(struct xdp_md *ctx, struct packet *pkt)
{
	if (likely(pkt->flags & TCP_ACK))
		return classify_ack(ctx, pkt);
	if (pkt->flags & TCP_SYN)
		return classify_syn(ctx, pkt);
	return CLUE_NONE;
}

#endif
