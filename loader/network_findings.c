// SPDX-License-Identifier: GPL-2.0-only
/* server check: what of the kernel and of this host's network is not as a backend's must be. */
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <sys/utsname.h>

#include "address.h"
#include "findings.h"
#include "offload.h"
#include "rtnetlink.h"
#include "server_identity.h"
#include "sysctls.h"

#define KERNEL_MAJOR 5
#define KERNEL_MINOR 14 /* before, many joins were not found again among those under cookies */
#define ARP_ANNOUNCE_BEST 2
#define RP_FILTER_STRICT 1

#ifndef RTAX_FEATURE_TCP_USEC_TS
#define RTAX_FEATURE_TCP_USEC_TS (1 << 4) /* Linux 6.7 */
#endif

static void check_sysctl(struct json_object *findings, const char *name, uint32_t wanted)
{
	uint32_t value;

	if (sysctl_read(name, &value))
		find(findings, "the kernel has no sysctl %s: use one that is built with it", name);
	else if (value != wanted)
		find(findings, "the sysctl %s is %u and must be %u: sysctl -w %s=%u", name, value,
		     wanted, name, wanted);
}

void find_in_kernel(struct json_object *findings)
{
	struct utsname kernel;
	unsigned int major = 0, minor = 0;

	uname(&kernel);
	sscanf(kernel.release, "%u.%u", &major, &minor);
	if (major < KERNEL_MAJOR || (major == KERNEL_MAJOR && minor < KERNEL_MINOR))
		find(findings, "the kernel is %s: the server side needs %u.%u or later",
		     kernel.release, KERNEL_MAJOR, KERNEL_MINOR);
	check_sysctl(findings, SYSCTL_MPTCP_ENABLED, 1);
}

struct network {
	struct json_object *findings;
	const struct server_state *state;
	bool has_v4;
};

static bool is_attached(const struct server_state *state, const char *device)
{
	uint32_t ifindex = if_nametoindex(device);

	for (int slot = 0; slot < SERVER_DEVICES_MAX; slot++)
		if (ifindex && state->devices[slot] == ifindex)
			return true;
	return false;
}

static void check_address(const struct server_service *service, void *context)
{
	struct address_text address = address_print(&service->address);
	struct network *network = context;
	char device[IF_NAMESIZE];

	network->has_v4 |= address_is_v4(&service->address);
	if (!identity_find_address(&service->address, device))
		find(network->findings,
		     "this host does not have the service address %s: ip addr add %s dev lo",
		     address.text, address.text);
	else if (is_attached(network->state, device))
		find(network->findings,
		     "the service address %s is on the device '%s', which tells the network that "
		     "it "
		     "is here: put it on lo instead",
		     address.text, device);
}

static void check_own_address(struct json_object *findings, const struct server_state *state)
{
	char device[IF_NAMESIZE];

	if (state->forward != FORWARD_L2 && !identity_find_address(&state->address, device))
		find(findings,
		     "this host does not have the address %s, to which balancers send tunnelled "
		     "packets: add it, or correct the configuration and attach anew",
		     address_print(&state->address).text);
}

static void check_arp(struct json_object *findings, const char *device)
{
	if (!sysctl_of_device(device, "arp_ignore"))
		find(findings,
		     "'%s' answers ARP for the services' addresses: sysctl -w "
		     "net.ipv4.conf.all.arp_ignore=1",
		     device);
	if (sysctl_of_device(device, "arp_announce") < ARP_ANNOUNCE_BEST)
		find(findings,
		     "'%s' may announce the services' addresses by ARP: sysctl -w "
		     "net.ipv4.conf.all.arp_announce=2",
		     device);
}

/* Clients are taken to be anywhere: the default route leads to them. */
static void check_rp_filter(struct json_object *findings, struct mnl_socket *netlink,
			    const char *device)
{
	static const struct address anywhere = {
		.bytes = { [10] = 0xff, [11] = 0xff, 198, 18, 0, 1 }
	};
	struct rtnetlink_route route;

	if (sysctl_of_device(device, "rp_filter") != RP_FILTER_STRICT ||
	    rtnetlink_find_route(netlink, NULL, &anywhere, &route) ||
	    route.ifindex == if_nametoindex(device))
		return;
	find(findings,
	     "'%s' drops what clients send, since answers to them leave by another device: sysctl "
	     "-w net.ipv4.conf.all.rp_filter=2",
	     device);
}

static void check_offload(struct json_object *findings, const struct server_state *state,
			  const char *device)
{
	static const char *const features[] = { "rx-udp-gro-forwarding", "rx-gro-list" };

	if (state->forward != FORWARD_GUE)
		return;
	for (size_t i = 0; i < sizeof(features) / sizeof(features[0]); i++)
		if (offload_is_on(device, features[i]))
			find(findings,
			     "'%s' merges UDP datagrams, so that GUE can't be taken off: ethtool "
			     "-K "
			     "%s %s off",
			     device, device, features[i]);
}

static void check_device(const struct network *network, struct mnl_socket *netlink,
			 const char *device)
{
	if (network->has_v4) {
		check_arp(network->findings, device);
		check_rp_filter(network->findings, netlink, device);
	}
	check_offload(network->findings, network->state, device);
}

static uint32_t features_of(const struct nlattr *metrics)
{
	const struct nlattr *attr;

	mnl_attr_for_each_nested(attr, metrics) if (mnl_attr_get_type(attr) ==
						    RTAX_FEATURES) return mnl_attr_get_u32(attr);
	return 0;
}

static int note_features(const struct nlmsghdr *message, void *features)
{
	const struct nlattr *attr;

	mnl_attr_for_each(attr, message,
			  sizeof(struct rtmsg)) if (mnl_attr_get_type(attr) == RTA_METRICS) *
		(uint32_t *)features |= features_of(attr);
	return MNL_CB_OK;
}

static void check_routes(struct json_object *findings, struct mnl_socket *netlink, int family)
{
	_Alignas(struct nlmsghdr) char buffer[256];
	struct nlmsghdr *message = rtnetlink_start(buffer, RTM_GETROUTE, NLM_F_DUMP);
	struct rtmsg *query = mnl_nlmsg_put_extra_header(message, sizeof(*query));
	uint32_t features = 0;

	query->rtm_family = family;
	if (!rtnetlink_ask(netlink, message, note_features, &features) &&
	    features & RTAX_FEATURE_TCP_USEC_TS)
		find(findings,
		     "an IPv%c route has the feature tcp_usec_ts, with which TCP timestamps count "
		     "microseconds and stamps break: replace it by one without",
		     family == AF_INET ? '4' : '6');
}

void find_in_network(struct json_object *findings, struct server_maps *maps)
{
	struct network network = { findings, server_maps_state(maps), false };
	struct mnl_socket *netlink = rtnetlink_open();
	char device[IF_NAMESIZE];

	check_sysctl(findings, SYSCTL_SYNCOOKIES, SYNCOOKIES_ALWAYS);
	check_sysctl(findings, SYSCTL_TIMESTAMPS, TIMESTAMPS_NO_OFFSET);
	server_maps_each_service(maps, check_address, &network);
	check_own_address(findings, network.state);
	if (!netlink)
		return;
	for (int slot = 0; slot < SERVER_DEVICES_MAX; slot++)
		if (network.state->devices[slot] &&
		    if_indextoname(network.state->devices[slot], device))
			check_device(&network, netlink, device);
	check_routes(findings, netlink, AF_INET);
	check_routes(findings, netlink, AF_INET6);
	mnl_socket_close(netlink);
}
