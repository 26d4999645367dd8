// SPDX-License-Identifier: GPL-2.0-only
/* Lets every frame pass: a veth receives XDP_TX and redirected frames only if it has a program. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int pass(struct xdp_md *ctx __attribute__((unused)))
{
	return XDP_PASS;
}

/* For devices whose MTU is more than a page. */
SEC("xdp.frags")
int pass_frags(struct xdp_md *ctx __attribute__((unused)))
{
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
