// SPDX-License-Identifier: GPL-2.0-only
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "address.h"
#include "rtnetlink.h"
#include "scratch.h"
#include "scratch_client.h"

#define ADDRESS_TRIES 16

/* Both ends have it: without ARP a device takes its neighbour's address to be its own. */
static const uint8_t link_address[6] = { 0x02, 'm', 'p', 't', 'c', 'p' };

static const struct address any_v4 = { .bytes = { [10] = 0xff, [11] = 0xff, 198, 18 } };
static const struct address any_v6 = { .bytes = { 0x20, 0x01, 0x00, 0x02 } };

static uint32_t ask_client(struct scratch *scratch, const struct scratch_order *order)
{
	uint32_t answer = 0;

	if (write(scratch->orders, order, sizeof(*order)) != sizeof(*order) ||
	    read(scratch->orders, &answer, sizeof(answer)) != sizeof(answer))
		return 0;
	return answer;
}

static void put_end(struct nlmsghdr *message, const char *name)
{
	mnl_attr_put_strz(message, IFLA_IFNAME, name);
	mnl_attr_put(message, IFLA_ADDRESS, sizeof(link_address), link_address);
}

static int make_veth(struct scratch *scratch)
{
	_Alignas(struct nlmsghdr) char buffer[512];
	struct nlmsghdr *message =
		rtnetlink_start(buffer, RTM_NEWLINK, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL);
	const struct scratch_order up = { .verb = SCRATCH_UP };
	struct nlattr *info, *data, *peer;
	char name[IF_NAMESIZE];
	int error;

	snprintf(name, sizeof(name), "mlbcheck%u", scratch->client);
	mnl_nlmsg_put_extra_header(message, sizeof(struct ifinfomsg));
	put_end(message, name);
	info = mnl_attr_nest_start(message, IFLA_LINKINFO);
	mnl_attr_put_strz(message, IFLA_INFO_KIND, "veth");
	data = mnl_attr_nest_start(message, IFLA_INFO_DATA);
	peer = mnl_attr_nest_start(message, VETH_INFO_PEER);
	mnl_nlmsg_put_extra_header(message, sizeof(struct ifinfomsg));
	put_end(message, SCRATCH_DEVICE);
	mnl_attr_put_u32(message, IFLA_NET_NS_PID, scratch->client);
	mnl_attr_nest_end(message, peer);
	mnl_attr_nest_end(message, data);
	mnl_attr_nest_end(message, info);
	error = rtnetlink_ask(scratch->netlink, message, NULL, NULL);
	if (error)
		return error;
	scratch->ifindex = if_nametoindex(name);
	if (!ask_client(scratch, &up))
		return -EIO;
	return rtnetlink_link_up(scratch->netlink, scratch->ifindex, IFF_NOARP);
}

/* The namespace would take it along, but a moment after we are done. */
static void remove_veth(struct scratch *scratch)
{
	_Alignas(struct nlmsghdr) char buffer[256];
	struct nlmsghdr *message = rtnetlink_start(buffer, RTM_DELLINK, NLM_F_ACK);
	struct ifinfomsg *link = mnl_nlmsg_put_extra_header(message, sizeof(*link));

	link->ifi_index = scratch->ifindex;
	rtnetlink_ask(scratch->netlink, message, NULL, NULL);
}

static int start_client(struct scratch *scratch)
{
	uint32_t answer;
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
		return -errno;
	scratch->client = fork();
	if (!scratch->client) {
		close(ends[0]);
		scratch_client(ends[1]);
		_exit(0);
	}
	close(ends[1]);
	scratch->orders = ends[0];
	if (scratch->client < 0)
		return -errno;
	return read(scratch->orders, &answer, sizeof(answer)) == sizeof(answer) ? 0 : -EPERM;
}

enum status scratch_open(struct scratch *scratch)
{
	int error;

	*scratch = (struct scratch){ .orders = -1, .client = -1 };
	scratch->netlink = rtnetlink_open();
	error = scratch->netlink ? start_client(scratch) : -errno;
	if (!error)
		error = make_veth(scratch);
	if (!error)
		return DONE;
	scratch_close(scratch);
	return fail(FAILED, "can't make a namespace and a veth to test with: %s", strerror(-error));
}

void scratch_close(struct scratch *scratch)
{
	if (scratch->ifindex)
		remove_veth(scratch);
	if (scratch->orders >= 0)
		close(scratch->orders);
	if (scratch->client > 0)
		waitpid(scratch->client, NULL, 0);
	if (scratch->netlink)
		mnl_socket_close(scratch->netlink);
}

/* Somebody's, if a route leads there that is not for far more than the range. */
static bool is_in_use(struct scratch *scratch, const struct address *address)
{
	uint8_t range_bits = address_is_v4(address) ? 15 : 48;
	struct rtnetlink_route route;

	return !rtnetlink_find_route(scratch->netlink, NULL, address, &route) &&
	       route.prefix_bits >= range_bits;
}

static bool choose_address(struct scratch *scratch, struct address *address)
{
	for (int i = 0; i < ADDRESS_TRIES; i++) {
		uint16_t host;

		getrandom(&host, sizeof(host), 0);
		address->bytes[14] = host >> 8;
		address->bytes[15] = host;
		if (!is_in_use(scratch, address))
			return true;
	}
	return false;
}

/* By rules the service's answers may go by a table of their own. */
static bool lead_back(struct scratch *scratch, const struct address *service,
		      const struct address *client)
{
	struct rtnetlink_route route;
	uint32_t table = RT_TABLE_MAIN;

	if (!rtnetlink_find_route(scratch->netlink, service, client, &route) && route.table)
		table = route.table;
	if (route.ifindex != scratch->ifindex)
		rtnetlink_add_route(scratch->netlink, client, scratch->ifindex, table);
	return !rtnetlink_find_route(scratch->netlink, service, client, &route) &&
	       route.ifindex == scratch->ifindex;
}

enum status scratch_lead(struct scratch *scratch, const struct address *service,
			 const struct address **client)
{
	bool v4 = address_is_v4(service);
	struct address *own = v4 ? &scratch->v4 : &scratch->v6;

	if (address_is_zero(own)) {
		*own = v4 ? any_v4 : any_v6;
		if (!choose_address(scratch, own)) {
			*own = (struct address){};
			return fail(FAILED, "can't test: all of %s is in use here",
				    v4 ? "198.18.0.0/16" : "2001:2::/112");
		}
	}
	if (!lead_back(scratch, service, own))
		return fail(FAILED, "can't test: no route from %s to a veth would hold",
			    address_print(service).text);
	*client = own;
	return DONE;
}

uint32_t scratch_connect(struct scratch *scratch, const struct address *client,
			 const struct address *service, __be16 port, uint32_t count)
{
	const struct scratch_order order = {
		.verb = SCRATCH_CONNECT,
		.count = count,
		.client = *client,
		.service = *service,
		.port = port,
	};

	return ask_client(scratch, &order);
}

void scratch_disconnect(struct scratch *scratch)
{
	const struct scratch_order order = { .verb = SCRATCH_DISCONNECT };

	ask_client(scratch, &order);
}
