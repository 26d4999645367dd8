// SPDX-License-Identifier: GPL-2.0-only
/* The balancer: an XDP program that keeps no state per flow. */
#include "packet.bpf.h"
#include "maps.bpf.h"
#include "parse.bpf.h"
#include "classify.bpf.h"
#include "icmp.bpf.h"
#include "tunnel_error.bpf.h"
#include "join_port.bpf.h"
#include "pick.bpf.h"
#include "forward.bpf.h"
#include "conclude.bpf.h"

char LICENSE[] SEC("license") = "GPL";

static __always_inline enum reason reason_of_icmp_error(const struct packet *pkt)
{
	if (pkt->picked == REASON_stamp)
		return REASON_icmp_stamp;
	return pkt->picked == REASON_join_port ? REASON_join_port : REASON_icmp_ring;
}

/*
 * The way from the service on; what is known of *pkt when this is inlined makes it short.
 * is_plain: parse_plain_ipv4() or its like has taken it.
 */
static __always_inline enum reason decide(struct xdp_md *ctx, struct packet *pkt, struct state *now,
					  const struct cluster *cluster,
					  const struct service *service, bool is_plain,
					  uint32_t *action)
{
	const struct backend *backend;

	/* Port 0 finds the line that stands for the address. */
	if (unlikely(!service || !pkt->dport))
		service = find_join_port(pkt, cluster);
	else if (!pkt->protocol)
		pkt->clue = find_clue(ctx, pkt);
	if (unlikely(!service))
		return REASON_not_service;
	pkt->service = service->id;
	backend = pick(pkt, now, cluster, service);
	if (unlikely(!backend))
		return REASON_no_backend;
	if (pkt->protocol)
		pkt->picked = reason_of_icmp_error(pkt);
	return is_plain ? forward_plain(ctx, pkt, cluster, backend, action)
			: forward(ctx, pkt, cluster, backend, action);
}

static __always_inline uint32_t decide_and_conclude(struct xdp_md *ctx, struct packet *pkt,
						    struct state *now,
						    const struct service *service, bool is_plain)
{
	const struct cluster *cluster = &now->cluster[pkt->bank];
	uint32_t action = XDP_ABORTED;
	enum reason why = decide(ctx, pkt, now, cluster, service, is_plain, &action);

	return conclude(pkt, why, action);
}

static __always_inline uint32_t send_stamped(struct xdp_md *ctx, struct packet pkt,
					     const struct cluster *cluster,
					     const struct backend *backend)
{
	uint32_t action = XDP_ABORTED;
	enum reason why;

	if (likely(turn_round(ctx, backend)))
		return conclude(&pkt, REASON_stamp, XDP_TX);
	why = forward_plain(ctx, &pkt, cluster, backend, &action);
	return conclude(&pkt, why, action);
}

/*
 * Nearly every packet has a stamp that leads to a backend, and nothing else need be asked. It
 * has a copy of the way to itself: what it had in common with the others would have to be in
 * the same places, which costs it a tenth more instructions.
 */
static __always_inline uint32_t balance_plain(struct xdp_md *ctx, struct packet *pkt,
					      struct state *now)
{
	const struct cluster *cluster = &now->cluster[pkt->bank];
	const struct service *service = find_line(pkt, pkt->dport, cluster);
	const struct backend *backend = NULL;
	struct packet stamped = *pkt;

	if (likely(service && service->by_stamp))
		backend = pick_at_once(ctx, &stamped, now, cluster, service);
	if (likely(backend))
		return send_stamped(ctx, stamped, cluster, backend);
	return decide_and_conclude(ctx, pkt, now, service, true);
}

/* What is not a whole TCP segment may still be about a service. */
static __always_inline enum reason parse_uncommon(struct xdp_md *ctx, struct packet *pkt,
						  const struct cluster *cluster)
{
	enum reason why = parse_any(ctx, pkt);
	uint32_t end;

	pkt->transport = pkt->tcp;
	if (why == REASON_fragment || why == REASON_too_many_extensions)
		return find_line(pkt, 0, cluster) ? why : REASON_not_service;
	if (why != REASON_not_tcp || !is_icmp(pkt))
		return why;
	if (!find_line(pkt, 0, cluster))
		return find_tunnel_error(ctx, pkt, cluster);
	end = message_end(ctx, pkt);
	if (!end)
		return REASON_malformed;
	why = answer_echo(ctx, pkt);
	return why == REASON_not_tcp ? parse_icmp_error(ctx, pkt, end) : why;
}

/* Global, so that the verifier looks at it by itself. */
__noinline int balance_uncommon(struct xdp_md *ctx)
{
	uint32_t zero = 0;
	struct state *now = bpf_map_lookup_elem(&state, &zero);
	const struct service *service;
	struct packet pkt = {};
	enum reason why = REASON_not_loaded;

	if (!ctx || !now)
		return XDP_PASS; /* never; for the verifier */
	pkt.bank = now->generation % BANKS;
	if (now->abi == LB_ABI)
		why = parse_uncommon(ctx, &pkt, &now->cluster[pkt.bank]);
	if (why)
		return conclude(&pkt, why, XDP_ABORTED);
	service = find_line(&pkt, pkt.dport, &now->cluster[pkt.bank]);
	return decide_and_conclude(ctx, &pkt, now, service, false);
}

/* Each family has its own copy of the way, which is shorter for knowing which it is. */
static __always_inline uint32_t balance(struct xdp_md *ctx)
{
	uint32_t zero = 0;
	struct state *now = bpf_map_lookup_elem(&state, &zero);
	struct packet v4, v6;

	if (likely(now && now->abi == LB_ABI)) {
		v4 = (struct packet){ .bank = now->generation % BANKS };
		if (likely(parse_plain_ipv4(ctx, &v4)))
			return balance_plain(ctx, &v4, now);
		v6 = (struct packet){ .bank = now->generation % BANKS };
		if (parse_plain_ipv6(ctx, &v6))
			return balance_plain(ctx, &v6, now);
	}
	return balance_uncommon(ctx);
}

SEC("xdp")
int lb(struct xdp_md *ctx)
{
	return balance(ctx);
}

/* The same for devices whose MTU is more than a page, which refuse the first. */
SEC("xdp.frags")
int lb_frags(struct xdp_md *ctx)
{
	return balance(ctx);
}
