/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Why a packet went where it went: each reason, what becomes of the packet, and its words. */
#ifndef MPTCP_LB_REASON_H
#define MPTCP_LB_REASON_H

enum disposition {
	TO_HOST, /* XDP_PASS, untouched */
	TO_BACKEND,
	TO_NOBODY, /* XDP_DROP */
	TO_SENDER, /* XDP_TX: the packet has become the answer */
};

/* REASON(name, disposition, words). Append only: the order is the order of the counters. */
#define REASONS(REASON) \
	REASON(go_on, TO_HOST, "undecided") \
	REASON(not_loaded, TO_HOST, "nothing applied yet, or maps of another ABI") \
	REASON(not_ip, TO_HOST, "neither IPv4 nor IPv6") \
	REASON(not_tcp, TO_HOST, "not TCP") \
	REASON(fragment, TO_NOBODY, "later IP fragment of TCP to a service address") \
	REASON(malformed, TO_HOST, "headers that contradict each other or the frame") \
	REASON(not_service, TO_HOST, "not for a service") \
	REASON(token, TO_BACKEND, "join, by its token") \
	REASON(stamp, TO_BACKEND, "by the stamp") \
	REASON(ring_new, TO_BACKEND, "new connection, by the ring") \
	REASON(ring_join, TO_BACKEND, "join, by the ring as configured") \
	REASON(ring_no_stamp, TO_BACKEND, "no timestamp or stamps off, by the ring") \
	REASON(ring_token_unroutable, TO_BACKEND, "join with an unroutable token, by the ring") \
	REASON(ring_stamp_unroutable, TO_BACKEND, "unroutable stamp, by the ring") \
	REASON(ring_malformed_options, TO_BACKEND, "malformed TCP options, by the ring") \
	REASON(no_backend, TO_NOBODY, "the service has no backend that is up") \
	REASON(no_neighbour, TO_NOBODY, "the backend's link-layer address is not known") \
	REASON(no_headroom, TO_NOBODY, "the driver leaves no room for an outer header") \
	REASON(not_ours, TO_HOST, "on its way to a backend already, or to many") \
	REASON(no_device, TO_NOBODY, "the device that leads to the backend is gone") \
	REASON(icmp_stamp, TO_BACKEND, "ICMP error, by the stamp in what it quotes") \
	REASON(icmp_ring, TO_BACKEND, "ICMP error, by the ring") \
	REASON(icmp_echo, TO_SENDER, "echo to a service address, answered") \
	REASON(too_many_extensions, TO_NOBODY, \
	       "IPv6 extension headers beyond the bound, to a service address") \
	REASON(too_big, TO_SENDER, "too big for the way to its backend, the sender told") \
	REASON(too_big_untold, TO_NOBODY, \
	       "too big, the sender not told: too many, or not to be answered") \
	REASON(tunnel_error, TO_HOST, "ICMP error about a tunnel") \
	REASON(tunnel_too_big, TO_HOST, \
	       "ICMP error about a tunnel: too big, its route needs a smaller mtu") \
	REASON(join_port, TO_BACKEND, "by a join port, or an ICMP error about one") \
	REASON(ring_join_port_unroutable, TO_BACKEND, \
	       "to a join port of an unroutable index, by the ring") \
	REASON(flow, TO_BACKEND, "by the flow cache")

#define REASON_ENUM(name, disposition, words) REASON_##name,
enum reason { REASONS(REASON_ENUM) REASON_COUNT };
#undef REASON_ENUM

#endif
