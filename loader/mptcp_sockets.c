// SPDX-License-Identifier: GPL-2.0-only
/* Dumps MPTCP sockets by sock_diag and picks their tokens out of struct mptcp_info. */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <linux/mptcp.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <stddef.h>

#include "mptcp_sockets.h"

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

struct dump {
	void (*each)(uint32_t token, void *context);
	void *context;
};

static int note_token(const struct nlattr *attribute, void *data)
{
	const struct dump *dump = data;
	const struct mptcp_info *info = mnl_attr_get_payload(attribute);

	if (mnl_attr_get_type(attribute) != INET_DIAG_INFO)
		return MNL_CB_OK;
	if (mnl_attr_get_payload_len(attribute) >=
		    offsetof(struct mptcp_info, mptcpi_token) + sizeof(info->mptcpi_token) &&
	    info->mptcpi_token)
		dump->each(info->mptcpi_token, dump->context);
	return MNL_CB_OK;
}

static int note_socket(const struct nlmsghdr *message, void *data)
{
	return mnl_attr_parse(message, sizeof(struct inet_diag_msg), note_token, data);
}

/* IPPROTO_MPTCP does not fit into sdiag_protocol: the attribute has it. */
static void put_request(struct nlmsghdr *message, uint8_t family)
{
	struct inet_diag_req_v2 *request;

	message->nlmsg_type = SOCK_DIAG_BY_FAMILY;
	message->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	request = mnl_nlmsg_put_extra_header(message, sizeof(*request));
	request->sdiag_family = family;
	request->sdiag_protocol = (uint8_t)IPPROTO_MPTCP;
	request->idiag_ext = 1 << (INET_DIAG_INFO - 1);
	request->idiag_states = ~0u;
	mnl_attr_put_u32(message, INET_DIAG_REQ_PROTOCOL, IPPROTO_MPTCP);
}

static int dump_family(struct mnl_socket *netlink, uint8_t family, struct dump *dump)
{
	_Alignas(struct nlmsghdr) char buffer[32768];
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
	int result = MNL_CB_OK;

	put_request(message, family);
	if (mnl_socket_sendto(netlink, message, message->nlmsg_len) < 0)
		return -errno;
	while (result > MNL_CB_STOP) {
		ssize_t length = mnl_socket_recvfrom(netlink, buffer, sizeof(buffer));

		if (length < 0)
			return -errno;
		result = mnl_cb_run(buffer, length, 0, 0, note_socket, dump);
	}
	return result < 0 ? -errno : 0;
}

int mptcp_sockets_tokens(void (*each)(uint32_t token, void *context), void *context)
{
	struct dump dump = { .each = each, .context = context };
	struct mnl_socket *netlink = mnl_socket_open2(NETLINK_SOCK_DIAG, SOCK_CLOEXEC);
	int error;

	if (!netlink)
		return -errno;
	error = dump_family(netlink, AF_INET, &dump);
	if (!error)
		error = dump_family(netlink, AF_INET6, &dump);
	mnl_socket_close(netlink);
	return error;
}
