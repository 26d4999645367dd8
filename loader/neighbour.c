// SPDX-License-Identifier: GPL-2.0-only
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "address.h"
#include "neighbour.h"
#include "rtnetlink.h"

#define DISCARD_PORT 9
#define PROMPT_ROUNDS 20
#define PROMPT_PAUSE_NS 50000000

static const char no_route[] = "no route leads there";
static const char behind_router[] = "it is behind a router, and l2 needs it on the link";
static const char no_answer[] = "it, or the router to it, does not answer on the link";

/* What one question to the kernel is about, and the answer. */
struct question {
	struct address address; /* the backend's, then its next hop's */
	struct next_hop *hop;
	struct address gateway; /* all zero: the route has none */
};

/* bytes: 4 or 16 of them. */
static void set_address(struct address *address, const void *bytes, size_t length)
{
	*address = (struct address){ .words = { 0, 0, htonl(0xffff), 0 } };
	if (length == 4 || length == 16)
		memcpy(&address->bytes[16 - length], bytes, length);
}

/* Of the metrics of a route: what the operator has said, or what has been found out. */
static int on_metric(const struct nlattr *metric, void *data)
{
	struct question *question = data;

	if (mnl_attr_get_type(metric) == RTAX_MTU)
		question->hop->mtu = mnl_attr_get_u32(metric);
	return MNL_CB_OK;
}

static int on_route(const struct nlmsghdr *message, void *data)
{
	struct question *question = data;
	const struct nlattr *attr;

	mnl_attr_for_each(attr, message, sizeof(struct rtmsg))
	{
		const void *payload = mnl_attr_get_payload(attr);
		size_t length = mnl_attr_get_payload_len(attr);

		if (mnl_attr_get_type(attr) == RTA_OIF)
			question->hop->ifindex = mnl_attr_get_u32(attr);
		if (mnl_attr_get_type(attr) == RTA_GATEWAY)
			set_address(&question->gateway, payload, length);
		if (mnl_attr_get_type(attr) == RTA_VIA) /* a gateway of the other family */
			set_address(&question->gateway, payload + sizeof(struct rtvia),
				    length - sizeof(struct rtvia));
		if (mnl_attr_get_type(attr) == RTA_METRICS)
			mnl_attr_parse_nested(attr, on_metric, question);
	}
	return MNL_CB_STOP;
}

static int ask_route(struct mnl_socket *netlink, struct question *question)
{
	char buffer[256];
	struct nlmsghdr *message = rtnetlink_start(buffer, RTM_GETROUTE, 0);
	struct rtmsg *route = mnl_nlmsg_put_extra_header(message, sizeof(*route));

	route->rtm_family = rtnetlink_family(&question->address);
	route->rtm_dst_len = rtnetlink_address_bytes(&question->address) * 8;
	mnl_attr_put(message, RTA_DST, rtnetlink_address_bytes(&question->address),
		     rtnetlink_address(&question->address));
	return rtnetlink_ask(netlink, message, on_route, question);
}

static int on_link(const struct nlmsghdr *message, void *data)
{
	struct question *question = data;
	const struct nlattr *attr;

	mnl_attr_for_each(attr, message, sizeof(struct ifinfomsg))
	{
		if (mnl_attr_get_type(attr) == IFLA_ADDRESS && mnl_attr_get_payload_len(attr) == 6)
			memcpy(question->hop->eth_src, mnl_attr_get_payload(attr), 6);
		if (mnl_attr_get_type(attr) == IFLA_MTU)
			question->hop->device_mtu = mnl_attr_get_u32(attr);
	}
	return MNL_CB_STOP;
}

static int ask_link(struct mnl_socket *netlink, struct question *question)
{
	char buffer[256];
	struct nlmsghdr *message = rtnetlink_start(buffer, RTM_GETLINK, 0);
	struct ifinfomsg *link = mnl_nlmsg_put_extra_header(message, sizeof(*link));

	link->ifi_index = question->hop->ifindex;
	return rtnetlink_ask(netlink, message, on_link, question);
}

static bool is_usable(uint16_t state)
{
	return state & (NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT);
}

static int on_neighbour(const struct nlmsghdr *message, void *data)
{
	const struct ndmsg *neighbour = mnl_nlmsg_get_payload(message);
	const void *address = NULL, *lladdr = NULL;
	struct question *question = data;
	const struct nlattr *attr;

	mnl_attr_for_each(attr, message, sizeof(*neighbour))
	{
		if (mnl_attr_get_type(attr) == NDA_DST)
			address = mnl_attr_get_payload(attr);
		if (mnl_attr_get_type(attr) == NDA_LLADDR && mnl_attr_get_payload_len(attr) == 6)
			lladdr = mnl_attr_get_payload(attr);
	}
	if (address && lladdr && is_usable(neighbour->ndm_state) &&
	    neighbour->ndm_ifindex == (int)question->hop->ifindex &&
	    !memcmp(address, rtnetlink_address(&question->address),
		    rtnetlink_address_bytes(&question->address)))
		memcpy(question->hop->eth_dst, lladdr, 6);
	return MNL_CB_OK;
}

static int ask_neighbours(struct mnl_socket *netlink, struct question *question)
{
	char buffer[256];
	struct nlmsghdr *message = rtnetlink_start(buffer, RTM_GETNEIGH, NLM_F_DUMP);
	struct ndmsg *neighbour = mnl_nlmsg_put_extra_header(message, sizeof(*neighbour));

	neighbour->ndm_family = rtnetlink_family(&question->address);
	mnl_attr_put_u32(message, NDA_IFINDEX, question->hop->ifindex);
	return rtnetlink_ask(netlink, message, on_neighbour, question);
}

/* A datagram to the discard port makes the kernel look for the neighbour. */
static void prompt(const struct address *address)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(DISCARD_PORT) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(DISCARD_PORT) };
	int udp = socket(rtnetlink_family(address), SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (udp < 0)
		return;
	memcpy(&v4.sin_addr, rtnetlink_address(address), 4);
	memcpy(&v6.sin6_addr, address->bytes, 16);
	if (address_is_v4(address))
		sendto(udp, "", 0, MSG_DONTWAIT, (struct sockaddr *)&v4, sizeof(v4));
	else
		sendto(udp, "", 0, MSG_DONTWAIT, (struct sockaddr *)&v6, sizeof(v6));
	close(udp);
}

static bool is_known(const uint8_t lladdr[static 6])
{
	static const uint8_t none[6];

	return memcmp(lladdr, none, sizeof(none));
}

/* Leaves hop->why set, and ifindex 0, unless the next hop is known now. */
static void resolve(struct mnl_socket *netlink, const struct config_backend *backend,
		    struct next_hop *hop)
{
	struct question question = { .address = backend->address, .hop = hop };

	*hop = (struct next_hop){ .why = no_route };
	if (ask_route(netlink, &question) < 0 || !hop->ifindex)
		return;
	hop->why = no_answer;
	if (backend->lladdr_given)
		memcpy(hop->eth_dst, backend->lladdr, sizeof(hop->eth_dst));
	else if (!address_is_zero(&question.gateway) && backend->forward == FORWARD_L2)
		hop->why = behind_router;
	else {
		if (!address_is_zero(&question.gateway))
			question.address = question.gateway;
		ask_neighbours(netlink, &question);
	}
	ask_link(netlink, &question);
	if (!hop->mtu || hop->mtu > hop->device_mtu)
		hop->mtu = hop->device_mtu;
	if (is_known(hop->eth_dst))
		hop->why = NULL;
	else
		hop->ifindex = 0;
}

/* One round over all that is not resolved yet; true if another may help. */
static bool resolve_all(struct mnl_socket *netlink, const struct config *config,
			struct next_hop *hops, bool first)
{
	bool again = false;

	for (uint32_t i = 0; i < MAX_BACKENDS; i++) {
		if (!config->backends[i].assigned || (!first && hops[i].why != no_answer))
			continue;
		resolve(netlink, &config->backends[i], &hops[i]);
		if (hops[i].why != no_answer)
			continue;
		if (first)
			prompt(&config->backends[i].address);
		again = true;
	}
	return again;
}

enum status neighbours_resolve(const struct config *config, struct next_hop *hops)
{
	struct mnl_socket *netlink = rtnetlink_open();
	const struct timespec pause = { .tv_nsec = PROMPT_PAUSE_NS };
	bool again;

	if (!netlink)
		return fail(FAILED, "can't ask the kernel for routes: %s", strerror(errno));
	again = resolve_all(netlink, config, hops, true);
	for (int round = 0; again && round < PROMPT_ROUNDS; round++) {
		nanosleep(&pause, NULL);
		again = resolve_all(netlink, config, hops, false);
	}
	mnl_socket_close(netlink);
	return DONE;
}
