// SPDX-License-Identifier: GPL-2.0-only
/* server check: what the attachment, its queue of keys and its listeners lack. */
#include <arpa/inet.h>
#include <inttypes.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "../include/stamp.h"
#include "address.h"
#include "findings.h"
#include "server_programs.h"
#include "sockets.h"
#include "stamp_offset.h"

static void check_devices(struct json_object *findings, const struct server_state *state)
{
	char name[IF_NAMESIZE];

	for (int slot = 0; slot < SERVER_DEVICES_MAX; slot++) {
		uint32_t ifindex = state->devices[slot];

		if (ifindex && !if_indextoname(ifindex, name))
			find(findings,
			     "the device with the number %u is gone: 'server run' attaches to it "
			     "when it "
			     "is back, and 'server detach dev %u' forgets it",
			     ifindex, ifindex);
		else if (ifindex && (!programs_on(SERVER_INGRESS, ifindex) ||
				     !programs_on(SERVER_EGRESS, ifindex)))
			find(findings,
			     "the programs are gone from the device '%s': 'server run' puts them "
			     "back",
			     name);
	}
}

static void check_state(struct json_object *findings, const struct server_state *state)
{
	int32_t drift = stamp_offset_now() - state->offset;

	if (!state->stamping)
		find(findings,
		     "new connections get no stamps since a detach has begun: let it end, or "
		     "'server attach' again");
	else if (!state->replacing)
		find(findings, "new connections get no keys since an attach or detach has stopped "
			       "half-way: do it again");
	if (abs(drift) > (int32_t)stamp_clock_error_ms(state->index_bits))
		find(findings,
		     "the clock was set by %d s since the stamps of this boot began: they name "
		     "other backends until the host is booted anew",
		     drift / 1000);
}

/* keys_reserve is set when the queue is full for the first time. */
static void check_queue(struct json_object *findings, struct server_maps *maps)
{
	const struct server_state *state = server_maps_state(maps);
	uint32_t queued = server_maps_keys_queued(maps);

	if (!server_maps_queue_is_claimed(maps))
		find(findings, "nothing refills the queue of keys: start 'server run'");
	if (!queued)
		find(findings,
		     "the queue of keys is empty, and new connections lose their joins: let "
		     "'server run' fill it before the service is announced");
	else if (!state->keys_reserve)
		find(findings,
		     "the queue of keys was never full and holds %u of %u: let 'server run' fill "
		     "it "
		     "before the service is announced",
		     queued, state->keys_room);
	else if (queued <= state->keys_reserve)
		find(findings,
		     "the queue of keys is down to its reserve, and clients from new networks get "
		     "none: it is being refilled, or 'server run' is too slow for a flood");
}

static void check_tunnel(struct json_object *findings, struct server_maps *maps)
{
	uint64_t sums[SERVER_COUNTER_COUNT];

	if (!server_maps_counters(maps, sums) && sums[SERVER_tunnel_refused])
		find(findings,
		     "%" PRIu64 " tunnelled packets could not be unwrapped and were dropped: GRO "
		     "must not merge UDP, see 'ethtool -K DEV rx-udp-gro-forwarding off'",
		     sums[SERVER_tunnel_refused]);
}

static void check_listener(const struct server_service *service, void *findings)
{
	struct address_text address = address_print(&service->address);
	uint16_t port = ntohs(service->port);

	switch (sockets_listening(&service->address, service->port)) {
	case LISTENS_NOBODY:
		find(findings, "nothing listens on %s port %u: start the server program",
		     address.text, port);
		break;
	case LISTENS_TCP:
		find(findings,
		     "what listens on %s port %u does not speak MPTCP: start it by 'mptcpize run'",
		     address.text, port);
		break;
	case LISTENS_MPTCP:
		break;
	}
}

static void compare(struct json_object *findings, struct server_maps *maps,
		    const struct config *config)
{
	const struct server_state *state = server_maps_state(maps);

	if (config->index_bits != state->index_bits)
		find(findings,
		     "the configuration has index-bits %u, and the server side was attached with "
		     "%u: detach and attach",
		     config->index_bits, state->index_bits);
	for (size_t i = 0; i < config->service_count; i++) {
		const struct config_service *service = &config->services[i];

		if (service->weight[state->index] &&
		    !server_maps_is_service(maps, &service->address, htons(service->port)))
			find(findings,
			     "the configuration has service %s port %u, which is not stamped: "
			     "detach and attach",
			     address_print(&service->address).text, service->port);
	}
}

void find_in_attachment(struct json_object *findings, struct server_maps *maps,
			const struct config *config)
{
	check_state(findings, server_maps_state(maps));
	check_devices(findings, server_maps_state(maps));
	check_queue(findings, maps);
	check_tunnel(findings, maps);
	server_maps_each_service(maps, check_listener, findings);
	if (config)
		compare(findings, maps, config);
}
