// SPDX-License-Identifier: GPL-2.0-only
/*
 * A generator of packets for a veth, which BPF_PROG_TEST_RUN drives with live frames, where
 * they end, and what the balancer is compared with on the way between.
 */
#include "generate.bpf.h"
#include "minimal.bpf.h"

char LICENSE[] SEC("license") = "GPL";

uint32_t generator_ifindex;
uint64_t arrived;

SEC("xdp")
int generate(struct xdp_md *ctx)
{
	const struct bench_flow *flow = next_flow();
	struct iphdr *ip = packet_start(ctx) + ETH_HLEN;

	if (!flow || !prepare(ctx, flow) || (void *)(ip + 1) > packet_end(ctx))
		return XDP_DROP;
	/* For the kernel, which has counted down the TTL where a frame comes back. */
	ip->ttl = 64;
	ip->check = 0;
	ip->check = checksum_of(ip);
	return bpf_redirect(generator_ifindex, 0);
}

SEC("xdp")
int arrive(struct xdp_md *ctx __attribute__((unused)))
{
	arrived++;
	return XDP_DROP;
}

SEC("xdp")
int drop(struct xdp_md *ctx __attribute__((unused)))
{
	return XDP_DROP;
}

SEC("xdp")
int swap(struct xdp_md *ctx)
{
	return floor_macs(ctx);
}

SEC("xdp")
int encap(struct xdp_md *ctx)
{
	return floor_encap(ctx);
}

SEC("xdp")
int minimal_stateless(struct xdp_md *ctx)
{
	return minimal(ctx);
}

SEC("xdp")
int minimal_stateful(struct xdp_md *ctx)
{
	return minimal_lru(ctx);
}
