// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <net/if.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <time.h>

#include "address.h"
#include "rtnetlink.h"

#define MESSAGE_BYTES 256
#define ANSWER_BYTES 32768 /* as much as the kernel puts into a message of a dump */

struct mnl_socket *rtnetlink_open(void)
{
	struct mnl_socket *netlink = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);

	if (netlink && mnl_socket_bind(netlink, 0, MNL_SOCKET_AUTOPID) < 0) {
		mnl_socket_close(netlink);
		return NULL;
	}
	return netlink;
}

struct nlmsghdr *rtnetlink_start(char *buffer, uint16_t type, uint16_t flags)
{
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);

	message->nlmsg_type = type;
	message->nlmsg_flags = NLM_F_REQUEST | flags;
	return message;
}

int rtnetlink_ask(struct mnl_socket *netlink, struct nlmsghdr *message, mnl_cb_t callback,
		  void *data)
{
	_Alignas(struct nlmsghdr) char buffer[ANSWER_BYTES];
	int more = MNL_CB_OK;

	if (mnl_socket_sendto(netlink, message, message->nlmsg_len) < 0)
		return -errno;
	while (more > MNL_CB_STOP) {
		ssize_t length = mnl_socket_recvfrom(netlink, buffer, sizeof(buffer));

		if (length < 0)
			return -errno;
		more = mnl_cb_run(buffer, length, 0, 0, callback, data);
	}
	return more < 0 ? -errno : 0;
}

int rtnetlink_family(const struct address *address)
{
	return address_is_v4(address) ? AF_INET : AF_INET6;
}

const void *rtnetlink_address(const struct address *address)
{
	return address_is_v4(address) ? &address->bytes[12] : &address->bytes[0];
}

size_t rtnetlink_address_bytes(const struct address *address)
{
	return address_is_v4(address) ? 4 : 16;
}

static void put_address(struct nlmsghdr *message, uint16_t type, const struct address *address)
{
	mnl_attr_put(message, type, rtnetlink_address_bytes(address), rtnetlink_address(address));
}

int rtnetlink_link_up(struct mnl_socket *netlink, uint32_t ifindex, uint32_t flags)
{
	_Alignas(struct nlmsghdr) char buffer[MESSAGE_BYTES];
	struct nlmsghdr *message = rtnetlink_start(buffer, RTM_NEWLINK, NLM_F_ACK);
	struct ifinfomsg *link = mnl_nlmsg_put_extra_header(message, sizeof(*link));

	link->ifi_index = ifindex;
	link->ifi_flags = IFF_UP | flags;
	link->ifi_change = IFF_UP | flags;
	return rtnetlink_ask(netlink, message, NULL, NULL);
}

int rtnetlink_add_route(struct mnl_socket *netlink, const struct address *to, uint32_t ifindex,
			uint32_t table)
{
	_Alignas(struct nlmsghdr) char buffer[MESSAGE_BYTES];
	struct nlmsghdr *message =
		rtnetlink_start(buffer, RTM_NEWROUTE, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL);
	struct rtmsg *route = mnl_nlmsg_put_extra_header(message, sizeof(*route));

	route->rtm_family = rtnetlink_family(to);
	route->rtm_dst_len = rtnetlink_address_bytes(to) * 8;
	route->rtm_protocol = RTPROT_STATIC;
	route->rtm_scope = RT_SCOPE_LINK;
	route->rtm_type = RTN_UNICAST;
	put_address(message, RTA_DST, to);
	mnl_attr_put_u32(message, RTA_OIF, ifindex);
	mnl_attr_put_u32(message, RTA_TABLE, table);
	return rtnetlink_ask(netlink, message, NULL, NULL);
}

static int on_route(const struct nlmsghdr *message, void *data)
{
	const struct rtmsg *header = mnl_nlmsg_get_payload(message);
	struct rtnetlink_route *route = data;
	const struct nlattr *attr;

	route->type = header->rtm_type;
	route->prefix_bits = header->rtm_dst_len;
	mnl_attr_for_each(attr, message, sizeof(*header))
	{
		if (mnl_attr_get_type(attr) == RTA_OIF)
			route->ifindex = mnl_attr_get_u32(attr);
		if (mnl_attr_get_type(attr) == RTA_TABLE)
			route->table = mnl_attr_get_u32(attr);
	}
	return MNL_CB_STOP;
}

int rtnetlink_find_route(struct mnl_socket *netlink, const struct address *from,
			 const struct address *to, struct rtnetlink_route *route)
{
	_Alignas(struct nlmsghdr) char buffer[MESSAGE_BYTES];
	struct nlmsghdr *message = rtnetlink_start(buffer, RTM_GETROUTE, 0);
	struct rtmsg *query = mnl_nlmsg_put_extra_header(message, sizeof(*query));

	*route = (struct rtnetlink_route){};
	query->rtm_family = rtnetlink_family(to);
	query->rtm_dst_len = rtnetlink_address_bytes(to) * 8;
	query->rtm_flags = RTM_F_FIB_MATCH | RTM_F_LOOKUP_TABLE;
	put_address(message, RTA_DST, to);
	if (from) {
		query->rtm_src_len = rtnetlink_address_bytes(from) * 8;
		put_address(message, RTA_SRC, from);
	}
	return rtnetlink_ask(netlink, message, on_route, route);
}
