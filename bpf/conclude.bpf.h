/* SPDX-License-Identifier: GPL-2.0-only */
/* Conclude: count the reason, once, and turn it into an XDP action. */
#ifndef CONCLUDE_BPF_H
#define CONCLUDE_BPF_H

#include "maps.bpf.h"

/* The dispositions as bits by reason: a test of a constant in place of a table. */
#define BIT_IF_NOBODY(name, disposition, words) \
	| (uint32_t)((disposition) == TO_NOBODY) << REASON_##name
#define BIT_IF_SENDER(name, disposition, words) \
	| (uint32_t)((disposition) == TO_SENDER) << REASON_##name
static const uint32_t to_nobody = 0 REASONS(BIT_IF_NOBODY);
static const uint32_t to_sender = 0 REASONS(BIT_IF_SENDER);
#undef BIT_IF_NOBODY
#undef BIT_IF_SENDER

_Static_assert(REASON_COUNT <= COUNTER_REASONS, "a row of counters holds every reason");

static __always_inline void count(uint32_t counter)
{
	uint64_t *packets = bpf_map_lookup_elem(&counters, &counter);

	if (packets)
		*packets += 1;
}

static __always_inline void count_stamped(const struct packet *pkt)
{
	uint32_t part = pkt->backend / STAMPED_BACKENDS % STAMPED_PARTS;
	struct stamped *packets = bpf_map_lookup_elem(&stamped, &part);

	if (!packets)
		return; /* never; for the verifier */
	packets->services[pkt->service % MAX_SERVICES] += 1;
	packets->backends[pkt->backend % STAMPED_BACKENDS] += 1;
}

/* action: what forward() chose for a packet that a backend gets, else XDP_ABORTED. */
static __always_inline uint32_t conclude(const struct packet *pkt, enum reason why, uint32_t action)
{
	if (likely(why == REASON_stamp)) {
		count_stamped(pkt);
		return action;
	}
	count(pkt->service * COUNTER_REASONS + why);
	if (likely(action != XDP_ABORTED)) {
		count(COUNTER_BACKENDS + pkt->backend);
		return action;
	}
	if (to_sender >> why & 1)
		return XDP_TX;
	return to_nobody >> why & 1 ? XDP_DROP : XDP_PASS;
}

#endif
