// SPDX-License-Identifier: GPL-2.0-only
/* The balancer: an XDP program that keeps no state per flow. */
#include "packet.bpf.h"
#include "maps.bpf.h"
#include "parse.bpf.h"
#include "classify.bpf.h"
#include "icmp.bpf.h"
#include "pick.bpf.h"
#include "forward.bpf.h"
#include "conclude.bpf.h"

char LICENSE[] SEC("license") = "GPL";

/*
 * Global, so that the verifier looks at it once, and no packet of the plain kind pays for it.
 * What is not a whole TCP segment may still be about a service.
 */
__noinline int parse_uncommon(struct xdp_md *ctx, struct packet *pkt)
{
	uint32_t zero = 0;
	struct state *now = bpf_map_lookup_elem(&state, &zero);
	enum reason why;
	uint32_t seed;

	if (!ctx || !pkt || !now)
		return REASON_not_loaded;
	seed = now->cluster[pkt->bank % BANKS].service_seed;
	why = parse_any(ctx, pkt);
	pkt->transport = pkt->tcp;
	if (why == REASON_fragment || why == REASON_too_many_extensions)
		return find_line(pkt, 0, seed) ? why : REASON_not_service;
	if (why != REASON_not_tcp || !is_icmp(pkt) || !find_line(pkt, 0, seed))
		return why;
	why = answer_echo(ctx, pkt);
	return why == REASON_not_tcp ? parse_icmp_error(ctx, pkt) : why;
}

static __always_inline enum reason parse(struct xdp_md *ctx, struct packet *pkt, uint32_t bank)
{
	if (unlikely(!parse_plain(ctx, pkt))) {
		*pkt = (struct packet){ .bank = bank };
		return parse_uncommon(ctx, pkt);
	}
	pkt->bank = bank;
	return REASON_go_on;
}

static __always_inline enum reason decide(struct xdp_md *ctx, struct packet *pkt, uint32_t *action)
{
	uint32_t zero = 0;
	struct state *now = bpf_map_lookup_elem(&state, &zero);
	const struct cluster *cluster;
	const struct service *service;
	const struct backend *backend;
	enum reason why;

	pkt->service = 0;
	if (!now || now->abi != LB_ABI)
		return REASON_not_loaded;
	cluster = &now->cluster[now->generation % BANKS];
	why = parse(ctx, pkt, now->generation % BANKS);
	if (why)
		return why;
	service = find_line(pkt, pkt->dport, cluster->service_seed);
	if (unlikely(!service))
		return REASON_not_service;
	pkt->service = service->id;
	if (likely(!pkt->protocol))
		pkt->clue = find_clue(ctx, pkt);
	backend = pick(pkt, now, cluster, service);
	if (unlikely(!backend))
		return REASON_no_backend;
	if (unlikely(pkt->protocol))
		pkt->picked = pkt->picked == REASON_stamp ? REASON_icmp_stamp : REASON_icmp_ring;
	return forward(ctx, pkt, cluster, backend, action);
}

static __always_inline uint32_t balance(struct xdp_md *ctx)
{
	struct packet pkt;
	uint32_t action = XDP_ABORTED;
	enum reason why = decide(ctx, &pkt, &action);

	return conclude(&pkt, why, action);
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
