// SPDX-License-Identifier: GPL-2.0-only
/* The client: connections, and the few messages that set its namespace up. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "address.h"
#include "rtnetlink.h"
#include "scratch_client.h"

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

#define CONNECT_MS 3000 /* time for a SYN and two more */
#define DISCONNECT_MS 1000
#define READY_ROUNDS 1000
#define READY_PAUSE_US 1000

struct scratch_client {
	struct pollfd connections[SCRATCH_CONNECTIONS_MAX];
	uint32_t count;
};

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

static int add_address(struct mnl_socket *netlink, const struct address *address, uint32_t ifindex)
{
	_Alignas(struct nlmsghdr) char buffer[256];
	struct nlmsghdr *message =
		rtnetlink_start(buffer, RTM_NEWADDR, NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE);
	struct ifaddrmsg *header = mnl_nlmsg_put_extra_header(message, sizeof(*header));
	size_t bytes = rtnetlink_address_bytes(address);

	header->ifa_family = rtnetlink_family(address);
	header->ifa_prefixlen = bytes * 8;
	header->ifa_flags = IFA_F_NODAD;
	header->ifa_index = ifindex;
	mnl_attr_put(message, IFA_LOCAL, bytes, rtnetlink_address(address));
	mnl_attr_put(message, IFA_ADDRESS, bytes, rtnetlink_address(address));
	return rtnetlink_ask(netlink, message, NULL, NULL);
}

static bool is_running(void)
{
	struct ifreq request = { .ifr_name = SCRATCH_DEVICE };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	bool running =
		fd >= 0 && !ioctl(fd, SIOCGIFFLAGS, &request) && request.ifr_flags & IFF_RUNNING;

	if (fd >= 0)
		close(fd);
	return running;
}

/* A device and an IPv6 address are in use a moment after the kernel has said that they are. */
static void wait_until_ready(struct mnl_socket *netlink, const struct address *address)
{
	struct rtnetlink_route route;

	for (int round = 0; round < READY_ROUNDS; round++) {
		if (is_running() && !rtnetlink_find_route(netlink, NULL, address, &route) &&
		    route.type == RTN_LOCAL)
			return;
		usleep(READY_PAUSE_US);
	}
}

/* Before the other end is up: whichever is up first sends nothing until it hears of the other. */
static uint32_t bring_up(void)
{
	struct mnl_socket *netlink = rtnetlink_open();
	int error = netlink ? 0 : -errno;

	if (!error)
		error = rtnetlink_link_up(netlink, if_nametoindex(SCRATCH_DEVICE), IFF_NOARP);
	if (netlink)
		mnl_socket_close(netlink);
	return !error;
}

/* Done anew for each service: what is there already stays. */
static bool set_up(const struct scratch_order *order)
{
	uint32_t ifindex = if_nametoindex(SCRATCH_DEVICE);
	struct mnl_socket *netlink = rtnetlink_open();
	int error = netlink ? 0 : -errno;

	if (!error)
		error = add_address(netlink, &order->client, ifindex);
	if (!error)
		wait_until_ready(netlink, &order->client);
	if (!error)
		error = rtnetlink_add_route(netlink, &order->service, ifindex, RT_TABLE_MAIN);
	if (netlink)
		mnl_socket_close(netlink);
	return !error || error == -EEXIST;
}

static int start_connection(const struct scratch_order *order)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = order->port };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = order->port };
	bool is_v4 = address_is_v4(&order->service);
	const struct sockaddr *to = is_v4 ? (void *)&v4 : (void *)&v6;
	int fd = socket(rtnetlink_family(&order->service), SOCK_STREAM | SOCK_NONBLOCK,
			IPPROTO_MPTCP);

	memcpy(&v4.sin_addr, &order->service.bytes[12], 4);
	memcpy(&v6.sin6_addr, order->service.bytes, 16);
	if (fd >= 0 && connect(fd, to, is_v4 ? sizeof(v4) : sizeof(v6)) && errno != EINPROGRESS) {
		close(fd);
		return -1;
	}
	return fd;
}

/*
 * Waits until each connection has one of the events or has failed, or the time is up; how many
 * have not failed. poll() passes over those whose descriptor is turned to its complement.
 */
static uint32_t wait_for_all(struct scratch_client *client, short events, int patience_ms)
{
	int64_t end_ms = now_ms() + patience_ms;
	uint32_t waiting = client->count, came = 0;

	for (uint32_t i = 0; i < client->count; i++)
		client->connections[i].events = events;
	while (waiting && now_ms() < end_ms && poll(client->connections, client->count, 100) >= 0)
		for (uint32_t i = 0; i < client->count; i++) {
			struct pollfd *connection = &client->connections[i];

			if (connection->fd < 0 || !connection->revents)
				continue;
			came += !(connection->revents & POLLERR);
			connection->fd = ~connection->fd;
			waiting--;
		}
	for (uint32_t i = 0; i < client->count; i++)
		if (client->connections[i].fd < 0)
			client->connections[i].fd = ~client->connections[i].fd;
	return came;
}

static uint32_t connect_all(struct scratch_client *client, const struct scratch_order *order)
{
	if (!set_up(order))
		return 0;
	for (client->count = 0; client->count < order->count; client->count++) {
		int fd = start_connection(order);

		if (fd < 0)
			break;
		client->connections[client->count].fd = fd;
	}
	return wait_for_all(client, POLLOUT, CONNECT_MS);
}

/* First as any client ends; who does not end as well then is reset. */
static void disconnect_all(struct scratch_client *client)
{
	const struct sockaddr nobody = { .sa_family = AF_UNSPEC };

	for (uint32_t i = 0; i < client->count; i++)
		shutdown(client->connections[i].fd, SHUT_WR);
	wait_for_all(client, POLLRDHUP, DISCONNECT_MS);
	for (uint32_t i = 0; i < client->count; i++) {
		connect(client->connections[i].fd, &nobody, sizeof(nobody));
		close(client->connections[i].fd);
	}
	client->count = 0;
}

void scratch_client(int orders)
{
	struct scratch_order order;
	struct scratch_client client = {};
	uint32_t answer = 1;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (unshare(CLONE_NEWNET) || write(orders, &answer, sizeof(answer)) != sizeof(answer))
		return;
	while (read(orders, &order, sizeof(order)) == sizeof(order)) {
		answer = 0;
		switch (order.verb) {
		case SCRATCH_UP:
			answer = bring_up();
			break;
		case SCRATCH_CONNECT:
			answer = connect_all(&client, &order);
			break;
		case SCRATCH_DISCONNECT:
			disconnect_all(&client);
			break;
		}
		if (write(orders, &answer, sizeof(answer)) != sizeof(answer))
			return;
	}
}
