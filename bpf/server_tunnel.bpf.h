/* SPDX-License-Identifier: GPL-2.0-only */
/* Outer headers that balancers put on by IPIP or GUE, taken off so that no tunnel device is needed.
 */
#ifndef SERVER_TUNNEL_BPF_H
#define SERVER_TUNNEL_BPF_H

#include "server_segment.bpf.h"
#include "../include/gue.h"

/*
 * At tc and not in an XDP program of its own: VLAN tags are gone by now, the stamp comes off
 * in the same run, every device has tc, and attaching neither resets a NIC nor displaces
 * anybody's XDP program. The price is that GRO has been: it has merged segments in IPIP and
 * left those in GUE single. A merged packet keeps the tunnel's bits in gso_type and
 * skb->encapsulation (until Linux 6.18 no flag clears them), which concerns only those who
 * send it on. Segments for a local socket are not sent on.
 */

#define ECN_MASK 3
#define ECN_CE 3
#define ETHERTYPE_OFFSET 12

enum outer { NO_TUNNEL, TUNNEL, TUNNEL_MALFORMED };

struct tunnel {
	uint32_t room;   /* bytes of the outer headers, 0 without a tunnel */
	uint32_t length; /* of what is behind them, if they say the truth */
	uint32_t inner;  /* as skb->protocol will be */
	bool is_gue;
	uint8_t protocol;  /* of what is behind them */
	uint8_t ecn;       /* of the outer header */
	uint8_t inner_ecn; /* of the inner one */
};

static __always_inline bool may_be_tunnel(uint8_t protocol)
{
	return protocol == IPPROTO_IPIP || protocol == IPPROTO_IPV6 || protocol == IPPROTO_UDP;
}

static __always_inline bool is_own(const struct server_state *state, const struct address *address)
{
	return state->address.halves[0] == address->halves[0] &&
	       state->address.halves[1] == address->halves[1];
}

/* Of a header without options. */
static __always_inline bool has_right_sum(const struct iphdr *ip)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i < sizeof(*ip) / 2; i++)
		sum += ((const uint16_t *)ip)[i];
	sum = (sum & 0xffff) + (sum >> 16);
	return (sum & 0xffff) + (sum >> 16) == 0xffff;
}

/* Balancers send neither options nor fragments; both are left to the kernel's own tunnels. */
static __always_inline enum outer look_at_outer_ipv4(struct __sk_buff *skb, uint32_t link,
						     const struct server_state *state,
						     struct tunnel *tunnel)
{
	struct address address = {};
	struct iphdr *ip;

	if (!reach(skb, link + sizeof(*ip)))
		return NO_TUNNEL;
	ip = segment_start(skb) + link;
	if ((void *)(ip + 1) > segment_end(skb) || !may_be_tunnel(ip->protocol))
		return NO_TUNNEL;
	set_ipv4(&address, ip->daddr);
	if (!is_own(state, &address) || ip->version != 4 || ip->ihl * 4 != sizeof(*ip) ||
	    ip->frag_off & bpf_htons(IPV4_FRAGMENT_MASK) || !has_right_sum(ip))
		return NO_TUNNEL;
	tunnel->room = sizeof(*ip);
	tunnel->length = bpf_ntohs(ip->tot_len) - sizeof(*ip);
	tunnel->protocol = ip->protocol;
	tunnel->ecn = ip->tos & ECN_MASK;
	return TUNNEL;
}

static __always_inline uint8_t ecn_of_ipv6(const struct ipv6hdr *ip)
{
	return bpf_ntohl(*(const __be32 *)ip) >> 20 & ECN_MASK;
}

static __always_inline enum outer look_at_outer_ipv6(struct __sk_buff *skb, uint32_t link,
						     const struct server_state *state,
						     struct tunnel *tunnel)
{
	struct address address;
	struct ipv6hdr *ip;

	if (!reach(skb, link + sizeof(*ip)))
		return NO_TUNNEL;
	ip = segment_start(skb) + link;
	if ((void *)(ip + 1) > segment_end(skb) || !may_be_tunnel(ip->nexthdr))
		return NO_TUNNEL;
	__builtin_memcpy(&address, &ip->daddr, sizeof(address));
	if (!is_own(state, &address) || ip->version != 6)
		return NO_TUNNEL;
	tunnel->room = sizeof(*ip);
	tunnel->length = bpf_ntohs(ip->payload_len);
	tunnel->protocol = ip->nexthdr;
	tunnel->ecn = ecn_of_ipv6(ip);
	return TUNNEL;
}

/*
 * The UDP checksum, where there is one, is not looked at: what it covers beyond the inner
 * packet, which has its own, is compared here with what we know.
 */
static __always_inline enum outer look_at_gue(struct __sk_buff *skb, uint32_t link,
					      struct tunnel *tunnel)
{
	uint32_t at = link + tunnel->room;
	struct udphdr *udp;
	struct gue *gue;

	if (!reach(skb, at + GUE_ROOM))
		return NO_TUNNEL;
	udp = segment_start(skb) + at;
	gue = (struct gue *)(udp + 1);
	if ((void *)(gue + 1) > segment_end(skb) || udp->dest != bpf_htons(GUE_PORT) ||
	    gue->version_length || gue->flags)
		return NO_TUNNEL;
	if (bpf_ntohs(udp->len) != tunnel->length)
		return TUNNEL_MALFORMED;
	tunnel->is_gue = true;
	tunnel->room += GUE_ROOM;
	tunnel->length -= GUE_ROOM;
	tunnel->protocol = gue->protocol;
	return TUNNEL;
}

/* A length that was below the headers' own is beyond every frame by now. */
static __always_inline bool fits(const struct __sk_buff *skb, uint32_t at,
				 const struct tunnel *tunnel, uint32_t inner_length)
{
	return tunnel->length <= skb->len - at && inner_length <= tunnel->length;
}

static __always_inline enum outer look_at_inner_ipv4(struct __sk_buff *skb, uint32_t at,
						     struct tunnel *tunnel)
{
	struct iphdr *ip;

	if (!reach(skb, at + sizeof(*ip)))
		return TUNNEL_MALFORMED;
	ip = segment_start(skb) + at;
	if ((void *)(ip + 1) > segment_end(skb) || ip->version != 4 ||
	    !fits(skb, at, tunnel, bpf_ntohs(ip->tot_len)))
		return TUNNEL_MALFORMED;
	tunnel->inner = IPV4_PROTOCOL;
	tunnel->inner_ecn = ip->tos & ECN_MASK;
	return TUNNEL;
}

static __always_inline enum outer look_at_inner_ipv6(struct __sk_buff *skb, uint32_t at,
						     struct tunnel *tunnel)
{
	struct ipv6hdr *ip;

	if (!reach(skb, at + sizeof(*ip)))
		return TUNNEL_MALFORMED;
	ip = segment_start(skb) + at;
	if ((void *)(ip + 1) > segment_end(skb) || ip->version != 6 ||
	    !fits(skb, at, tunnel, sizeof(*ip) + bpf_ntohs(ip->payload_len)))
		return TUNNEL_MALFORMED;
	tunnel->inner = IPV6_PROTOCOL;
	tunnel->inner_ecn = ecn_of_ipv6(ip);
	return TUNNEL;
}

static __always_inline enum outer look_at_inner(struct __sk_buff *skb, uint32_t link,
						struct tunnel *tunnel)
{
	if (tunnel->protocol == IPPROTO_IPIP)
		return look_at_inner_ipv4(skb, link + tunnel->room, tunnel);
	if (tunnel->protocol == IPPROTO_IPV6)
		return look_at_inner_ipv6(skb, link + tunnel->room, tunnel);
	return NO_TUNNEL;
}

/* link: the length of the link-layer header. Whether the inner packet is ours is not asked yet. */
static __always_inline enum outer find_tunnel(struct __sk_buff *skb, uint32_t link,
					      const struct server_state *state,
					      struct tunnel *tunnel)
{
	enum outer outer = NO_TUNNEL;

	if (skb->protocol == IPV4_PROTOCOL)
		outer = look_at_outer_ipv4(skb, link, state, tunnel);
	else if (skb->protocol == IPV6_PROTOCOL)
		outer = look_at_outer_ipv6(skb, link, state, tunnel);
	if (outer == TUNNEL && tunnel->protocol == IPPROTO_UDP)
		outer = look_at_gue(skb, link, tunnel);
	return outer == TUNNEL ? look_at_inner(skb, link, tunnel) : outer;
}

/*
 * What a NIC said of an IPIP packet's checksum it said of TCP's, and what GRO merged keeps
 * its segments' size. Of GUE neither holds: a checksum may have been UDP's, and merged
 * datagrams (`rx-udp-gro-forwarding`) can't be taken apart here, so the kernel refuses them.
 */
static __always_inline uint64_t room_flags(const struct tunnel *tunnel)
{
	return tunnel->is_gue ? 0 : BPF_F_ADJ_ROOM_FIXED_GSO | BPF_F_ADJ_ROOM_NO_CSUM_RESET;
}

/*
 * Where the families differ, bpf_skb_change_proto() changes skb->protocol, with the header's
 * length; flags of bpf_skb_adjust_room() that do it came with Linux 6.3.
 */
static __always_inline bool shrink(struct __sk_buff *skb, const struct tunnel *tunnel)
{
	int grown = sizeof(struct ipv6hdr) - sizeof(struct iphdr);
	int room = tunnel->room;

	if (skb->protocol != tunnel->inner) {
		if (bpf_skb_change_proto(skb, tunnel->inner, 0))
			return false;
		room += tunnel->inner == IPV6_PROTOCOL ? grown : -grown;
	}
	return !bpf_skb_adjust_room(skb, -room, BPF_ADJ_ROOM_MAC, room_flags(tunnel));
}

static __always_inline void write_ethertype(struct __sk_buff *skb, uint16_t protocol)
{
	uint16_t *type = segment_start(skb) + ETHERTYPE_OFFSET;

	if ((void *)(type + 1) <= segment_end(skb))
		*type = protocol;
}

/* ECN as in RFC 6040 section 4.2, but for ECT(1) over ECT(0), which only PCN would make. */
static __always_inline enum server_counter decapsulate(struct __sk_buff *skb, uint32_t link,
						       const struct tunnel *tunnel)
{
	if (tunnel->ecn == ECN_CE && !tunnel->inner_ecn)
		return SERVER_tunnel_congested;
	if (!shrink(skb, tunnel))
		return SERVER_tunnel_refused;
	if (link)
		write_ethertype(skb, tunnel->inner);
	if (tunnel->ecn == ECN_CE)
		bpf_skb_ecn_set_ce(skb);
	return SERVER_decapsulated;
}

#endif
