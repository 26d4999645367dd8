// SPDX-License-Identifier: GPL-2.0-only
/* Generic netlink's family mptcp_pm: its group of events, and the attributes of a birth. */
#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/filter.h>
#include <linux/genetlink.h>
#include <linux/mptcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "mptcp_events.h"

#define ROOM_BYTES (8 << 20) /* some 10,000 births */

/* Of all events, births alone; a connection has five others, and each takes room. */
static struct sock_filter births_only[] = {
	BPF_STMT(BPF_LD | BPF_B | BPF_ABS, NLMSG_HDRLEN), /* struct genlmsghdr, cmd */
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, MPTCP_EVENT_CREATED, 0, 1),
	BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
	BPF_STMT(BPF_RET | BPF_K, 0),
};

static void read_group(const struct nlattr *group, uint32_t *id)
{
	const char *name = "";
	const struct nlattr *field;
	uint32_t found = 0;

	mnl_attr_for_each_nested(field, group)
	{
		if (mnl_attr_get_type(field) == CTRL_ATTR_MCAST_GRP_NAME)
			name = mnl_attr_get_str(field);
		if (mnl_attr_get_type(field) == CTRL_ATTR_MCAST_GRP_ID)
			found = mnl_attr_get_u32(field);
	}
	if (!strcmp(name, MPTCP_PM_EV_GRP_NAME))
		*id = found;
}

static int read_family(const struct nlmsghdr *message, void *id)
{
	const struct nlattr *attribute, *group;

	mnl_attr_for_each(attribute, message, sizeof(struct genlmsghdr))
	{
		if (mnl_attr_get_type(attribute) != CTRL_ATTR_MCAST_GROUPS)
			continue;
		mnl_attr_for_each_nested(group, attribute) read_group(group, id);
	}
	return MNL_CB_OK;
}

/* Returns the group's number, or -errno. */
static int find_group(int netlink)
{
	_Alignas(struct nlmsghdr) char buffer[8192];
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
	struct genlmsghdr *request;
	uint32_t group = 0;
	ssize_t length;

	message->nlmsg_type = GENL_ID_CTRL;
	message->nlmsg_flags = NLM_F_REQUEST;
	request = mnl_nlmsg_put_extra_header(message, sizeof(*request));
	*request = (struct genlmsghdr){ .cmd = CTRL_CMD_GETFAMILY, .version = 1 };
	mnl_attr_put_strz(message, CTRL_ATTR_FAMILY_NAME, MPTCP_PM_NAME);
	if (send(netlink, message, message->nlmsg_len, 0) < 0)
		return -errno;
	length = recv(netlink, buffer, sizeof(buffer), 0);
	if (length < 0 || mnl_cb_run(buffer, length, 0, 0, read_family, &group) < 0)
		return -errno;
	return group ? (int)group : -ENOENT;
}

static int listen_to(int netlink, int group)
{
	struct sock_fprog filter = { sizeof(births_only) / sizeof(*births_only), births_only };
	int room = ROOM_BYTES;

	setsockopt(netlink, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
	if (setsockopt(netlink, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)) ||
	    setsockopt(netlink, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)))
		return -errno;
	return 0;
}

int mptcp_events_open(void)
{
	int netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC);
	int group, error;

	if (netlink < 0)
		return -errno;
	group = find_group(netlink);
	error = group < 0 ? group : listen_to(netlink, group);
	if (!error)
		return netlink;
	close(netlink);
	return error;
}

struct birth {
	uint32_t token;
	struct address peer;
	bool has_peer;
};

static int read_attribute(const struct nlattr *attribute, void *data)
{
	struct birth *birth = data;

	switch (mnl_attr_get_type(attribute)) {
	case MPTCP_ATTR_TOKEN:
		birth->token = mnl_attr_get_u32(attribute);
		break;
	case MPTCP_ATTR_DADDR4:
		birth->peer.words[2] = htonl(0xffff);
		birth->peer.words[3] = mnl_attr_get_u32(attribute);
		birth->has_peer = true;
		break;
	case MPTCP_ATTR_DADDR6:
		memcpy(&birth->peer, mnl_attr_get_payload(attribute), sizeof(birth->peer));
		birth->has_peer = true;
		break;
	}
	return MNL_CB_OK;
}

static int read_birth(const struct nlmsghdr *message, void *data)
{
	const struct mptcp_birth_walk *walk = data;
	struct birth birth = { 0 };

	mnl_attr_parse(message, sizeof(struct genlmsghdr), read_attribute, &birth);
	if (birth.token)
		walk->each(birth.token, birth.has_peer ? &birth.peer : NULL, walk->context);
	return MNL_CB_OK;
}

int mptcp_events_read(int events, const struct mptcp_birth_walk *walk)
{
	_Alignas(struct nlmsghdr) char buffer[8192];
	int lost = 0;

	for (;;) {
		ssize_t length = recv(events, buffer, sizeof(buffer), MSG_DONTWAIT);

		if (length < 0 && errno == EAGAIN)
			return lost;
		if (length < 0 && errno != ENOBUFS)
			return -errno;
		if (length < 0)
			lost = -ENOBUFS;
		else
			mnl_cb_run(buffer, length, 0, 0, read_birth, (void *)walk);
	}
}
