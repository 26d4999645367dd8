/* SPDX-License-Identifier: GPL-2.0-only */
/* Packets that do not fit on the way to their backend: the sender is told, by ICMP or ICMPv6. */
#ifndef TOO_BIG_BPF_H
#define TOO_BIG_BPF_H

#include "encap.bpf.h"
#include "icmp.bpf.h"

#define IPV6_MTU_MIN 1280
#define INTERNETWORK_CONTROL 0xc0 /* the precedence of errors, RFC 1812 section 4.3.2.5 */
#define CSUM_DIFF_MAX 512         /* what the helper takes at once */
#define LINK_LENGTH_MAX 22        /* Ethernet and two tags */
#define LINK_LENGTH_MASK 31       /* for the verifier */

/*
 * What is quoted. A packet that does not fit has more bytes than that, and an IPv4 header
 * with all its options leaves 8 of TCP; ICMPv6 errors fill the least MTU (RFC 4443 section 2.4).
 */
#define QUOTE_V4 PACKET_LENGTH_MIN
#define QUOTE_V6 (IPV6_MTU_MIN - sizeof(struct ipv6hdr) - sizeof(struct icmp_header))

/* As the kernel's own ICMP: a thousand a second, fifty at once, in all. */
#define ERROR_INTERVAL_NS 1000000
#define ERROR_BURST 50

struct error_v4 {
	struct iphdr ip;
	struct icmp_header icmp;
	struct iphdr quoted;
	uint8_t quoted_rest[QUOTE_V4 - sizeof(struct iphdr)];
};

struct error_v6 {
	struct ipv6hdr ip;
	struct icmp_header icmp;
	struct ipv6hdr quoted;
	uint8_t quoted_rest[QUOTE_V6 - sizeof(struct ipv6hdr)];
};

_Static_assert(sizeof(struct error_v6) == IPV6_MTU_MIN, "an ICMPv6 error fills the least MTU");

/* Two packets at the same instant: the one that loses the race goes untold. */
static __always_inline bool take_turn(void)
{
	uint32_t zero = 0;
	struct state *now = bpf_map_lookup_elem(&state, &zero);
	uint64_t ns = bpf_ktime_get_ns(), last, next;

	if (!now)
		return false;
	last = now->error_turn_ns;
	next = ns - ERROR_BURST * ERROR_INTERVAL_NS;
	if (next < last)
		next = last;
	next += ERROR_INTERVAL_NS;
	return next <= ns && __sync_val_compare_and_swap(&now->error_turn_ns, last, next) == last;
}

/* RFC 1122 section 3.2.2: whom an error is sent to must be a single host, and not this one. */
static __always_inline bool is_one_host_v4(struct xdp_md *ctx, uint32_t link)
{
	struct iphdr *ip = packet_start(ctx) + link;
	uint8_t first;

	if ((void *)(ip + 1) > packet_end(ctx))
		return false;
	first = *(uint8_t *)&ip->saddr;
	return first != 0 && first != 127 && first < 224;
}

/* ::/96 has the loopback address and the unspecified one, and no other that is in use. */
static __always_inline bool is_one_host_v6(struct xdp_md *ctx, uint32_t link)
{
	struct ipv6hdr *ip = packet_start(ctx) + link;
	const __be32 *words;

	if ((void *)(ip + 1) > packet_end(ctx))
		return false;
	words = ip->saddr.in6_u.u6_addr32;
	return ip->saddr.in6_u.u6_addr8[0] != 0xff && (words[0] || words[1] || words[2]);
}

/* Of bytes in the packet that were found to be there. */
static __always_inline uint16_t sum_bytes(void *at, uint32_t length, uint32_t seed)
{
	for (uint32_t done = 0; done < length; done += CSUM_DIFF_MAX) {
		uint32_t rest = length - done;

		seed = bpf_csum_diff(NULL, 0, at + done,
				     rest < CSUM_DIFF_MAX ? rest : CSUM_DIFF_MAX,
				     plain(seed, __wsum));
	}
	return ~csum_fold(seed);
}

static __always_inline void write_error_v4(struct error_v4 *error, uint32_t mtu)
{
	error->ip = (struct iphdr){
		.version = 4,
		.ihl = sizeof(error->ip) / 4,
		.tos = INTERNETWORK_CONTROL,
		.tot_len = be16(sizeof(*error)),
		.frag_off = be16(IPV4_DF),
		.ttl = OUTER_TTL,
		.protocol = IPPROTO_ICMP,
		.saddr = error->quoted.daddr,
		.daddr = error->quoted.saddr,
	};
	error->ip.check = plain(sum_bytes(&error->ip, sizeof(error->ip), 0), __sum16);
	error->icmp = (struct icmp_header){
		.type = ICMP_DEST_UNREACH,
		.code = ICMP_FRAG_NEEDED,
		.rest = be32(mtu),
	};
	error->icmp.checksum =
		plain(sum_bytes(&error->icmp, sizeof(error->icmp) + QUOTE_V4, 0), __be16);
}

/* The pseudo-header's addresses stand right before the message. */
static __always_inline void write_error_v6(struct error_v6 *error, uint32_t mtu)
{
	__be16 length = be16(sizeof(error->icmp) + QUOTE_V6);
	uint32_t pseudo = plain(length, uint16_t) + plain(be16(IPPROTO_ICMPV6), uint16_t);
	uint32_t from = __builtin_offsetof(struct error_v6, ip.saddr);

	*(__be32 *)&error->ip = be32(6 << 28);
	error->ip.payload_len = length;
	error->ip.nexthdr = IPPROTO_ICMPV6;
	error->ip.hop_limit = OUTER_TTL;
	error->ip.saddr = error->quoted.daddr;
	error->ip.daddr = error->quoted.saddr;
	error->icmp = (struct icmp_header){ .type = ICMPV6_PKT_TOOBIG, .rest = be32(mtu) };
	error->icmp.checksum =
		plain(sum_bytes(&error->ip.saddr, sizeof(*error) - from, pseudo), __be16);
}

/*
 * Moves the front by the length of the error's headers and cuts the end, so that what is
 * quoted stands where it is to stand. Tags and Ethernet type stay, the MACs change places.
 */
static __always_inline bool make_room(struct xdp_md *ctx, uint32_t front, uint32_t length)
{
	struct link {
		uint8_t to[ETH_ALEN], from[ETH_ALEN], rest[LINK_LENGTH_MAX - 2 * ETH_ALEN];
	} * new, *old;

	if (bpf_xdp_adjust_head(ctx, -(int)front) ||
	    bpf_xdp_adjust_tail(ctx, (int)length - (int)bpf_xdp_get_buff_len(ctx)))
		return false;
	new = packet_start(ctx);
	old = packet_start(ctx) + front;
	if ((void *)(old + 1) > packet_end(ctx))
		return false;
	__builtin_memcpy(new->to, old->from, ETH_ALEN);
	__builtin_memcpy(new->from, old->to, ETH_ALEN);
	__builtin_memcpy(new->rest, old->rest, sizeof(new->rest));
	return true;
}

static __always_inline enum reason tell_v4(struct xdp_md *ctx, uint32_t link, uint32_t mtu)
{
	struct error_v4 *error;

	if (!make_room(ctx, __builtin_offsetof(struct error_v4, quoted), link + sizeof(*error)))
		return REASON_no_headroom;
	error = packet_start(ctx) + link;
	if ((void *)(error + 1) > packet_end(ctx))
		return REASON_too_big_untold;
	write_error_v4(error, mtu);
	return REASON_too_big;
}

static __always_inline enum reason tell_v6(struct xdp_md *ctx, uint32_t link, uint32_t mtu)
{
	struct error_v6 *error;

	if (!make_room(ctx, __builtin_offsetof(struct error_v6, quoted), link + sizeof(*error)))
		return REASON_no_headroom;
	error = packet_start(ctx) + link;
	if ((void *)(error + 1) > packet_end(ctx))
		return REASON_too_big_untold;
	write_error_v6(error, mtu);
	return REASON_too_big;
}

/*
 * Returns enum reason. Global, so that the verifier looks at it by itself; and it is given
 * numbers, for struct packet stays in registers only while nobody is given its address.
 */
__noinline int tell_sender(struct xdp_md *ctx, uint32_t link, uint32_t mtu, uint32_t is_v6)
{
	if (!ctx)
		return REASON_malformed; /* never; for the verifier */
	link &= LINK_LENGTH_MASK;
	if (!(is_v6 ? is_one_host_v6(ctx, link) : is_one_host_v4(ctx, link)) || !take_turn())
		return REASON_too_big_untold;
	return is_v6 ? tell_v6(ctx, link, mtu) : tell_v4(ctx, link, mtu);
}

/*
 * Every link takes IPv6 packets of 1280 bytes, so senders need not make smaller ones. They go
 * in IPv4 that routers may cut (RFC 4213 section 3.2.1), and in IPv6 as they are: XDP can't cut.
 */
static __always_inline bool goes_anyway(const struct packet *pkt, const struct backend *backend,
					struct inner *inner)
{
	if (!pkt->is_v6)
		return !inner->fragment && inner->length <= backend->df_clear_mtu;
	if (inner->length > IPV6_MTU_MIN)
		return false;
	inner->fragment = 0;
	inner->id = bpf_get_prandom_u32();
	return true;
}

/* Of a packet longer than backend->mtu. REASON_go_on: send it all the same. */
static __always_inline enum reason too_big(struct xdp_md *ctx, const struct packet *pkt,
					   const struct backend *backend, struct inner *inner)
{
	uint32_t least = pkt->is_v6 ? IPV6_MTU_MIN : 0;

	if (goes_anyway(pkt, backend, inner))
		return REASON_go_on;
	/* It is an ICMP error, and those are never answered by another. */
	if (pkt->protocol)
		return REASON_too_big_untold;
	return tell_sender(ctx, pkt->ip, backend->mtu > least ? backend->mtu : least, pkt->is_v6);
}

#endif
