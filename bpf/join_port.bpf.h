/* SPDX-License-Identifier: GPL-2.0-only */
/* Join ports: those of a service's address that each belong to one backend. */
#ifndef JOIN_PORT_BPF_H
#define JOIN_PORT_BPF_H

#include "classify.bpf.h"

/* The line of the address, if the packet's port is one of its join ports: the clue says whose. */
static __always_inline const struct service *find_join_port(struct packet *pkt,
							    const struct cluster *cluster)
{
	const struct service *line;
	uint32_t index;

	if (!cluster->join_ports)
		return NULL;
	line = find_line(pkt, 0, cluster);
	if (!line || !line->join_port)
		return NULL;
	index = bpf_ntohs(pkt->dport) - line->join_port; /* a port below is a great index */
	if (index >> cluster->index_bits)
		return NULL;
	pkt->clue = CLUE_JOIN_PORT;
	pkt->value = index;
	return line;
}

#endif
