// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

#include "address.h"
#include "sockets.h"

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

#define STATES_LISTEN (1u << TCP_LISTEN)
#define STATES_WITH_PEER \
	(1u << TCP_ESTABLISHED | 1u << TCP_SYN_SENT | 1u << TCP_SYN_RECV | 1u << TCP_FIN_WAIT1 | \
	 1u << TCP_FIN_WAIT2 | 1u << TCP_TIME_WAIT | 1u << TCP_CLOSE_WAIT | 1u << TCP_LAST_ACK | \
	 1u << TCP_CLOSING)

struct dump {
	int family;
	uint32_t protocol;
	uint32_t states;
	uint8_t extensions;
	mnl_cb_t each;
	void *walk;
};

static int request(struct mnl_socket *socket, const struct dump *dump)
{
	_Alignas(struct nlmsghdr) char buffer[256] = {};
	struct nlmsghdr *header = mnl_nlmsg_put_header(buffer);
	struct inet_diag_req_v2 *query;

	header->nlmsg_type = SOCK_DIAG_BY_FAMILY;
	header->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	query = mnl_nlmsg_put_extra_header(header, sizeof(*query));
	query->sdiag_family = dump->family;
	query->sdiag_protocol = (uint8_t)dump->protocol;
	query->idiag_states = dump->states;
	query->idiag_ext = dump->extensions;
	if (dump->protocol > UINT8_MAX)
		mnl_attr_put_u32(header, INET_DIAG_REQ_PROTOCOL, dump->protocol);
	return mnl_socket_sendto(socket, header, header->nlmsg_len) < 0 ? -errno : 0;
}

static int receive(struct mnl_socket *socket, const struct dump *dump)
{
	_Alignas(struct nlmsghdr) char
		buffer[32768]; /* as much as the kernel puts into a message of a dump */
	int more = MNL_CB_OK;

	while (more > MNL_CB_STOP) {
		ssize_t length = mnl_socket_recvfrom(socket, buffer, sizeof(buffer));

		if (length < 0)
			return -errno;
		more = mnl_cb_run(buffer, length, 0, 0, dump->each, dump->walk);
	}
	return more < 0 ? -errno : 0;
}

static int run_dump(const struct dump *dump)
{
	struct mnl_socket *socket = mnl_socket_open2(NETLINK_SOCK_DIAG, SOCK_CLOEXEC);
	int error;

	if (!socket)
		return -errno;
	error = request(socket, dump);
	if (!error)
		error = receive(socket, dump);
	mnl_socket_close(socket);
	return error;
}

/* Both families, since a socket that is bound to :: may hold IPv4 connections. */
static int run_dumps(struct dump *dump)
{
	static const int families[] = { AF_INET, AF_INET6 };
	int error = 0;

	for (int i = 0; !error && i < 2; i++) {
		dump->family = families[i];
		error = run_dump(dump);
	}
	return error;
}

static struct address address_of(const struct inet_diag_msg *message, const __be32 words[4])
{
	struct address address = { .words = { 0, 0, htonl(0xffff), words[0] } };

	if (message->idiag_family == AF_INET6)
		memcpy(address.bytes, words, sizeof(address));
	return address;
}

static struct connection connection_of(const struct inet_diag_msg *message)
{
	return (struct connection){
		.local = address_of(message, message->id.idiag_src),
		.remote = address_of(message, message->id.idiag_dst),
		.local_port = message->id.idiag_sport,
		.remote_port = message->id.idiag_dport,
	};
}

struct connection_walk {
	void (*each)(const struct connection *connection, int state, void *context);
	void *context;
};

static int each_connection(const struct nlmsghdr *header, void *walk_data)
{
	const struct inet_diag_msg *message = mnl_nlmsg_get_payload(header);
	const struct connection_walk *walk = walk_data;
	struct connection connection = connection_of(message);

	walk->each(&connection, message->idiag_state, walk->context);
	return MNL_CB_OK;
}

int sockets_each_connection(void (*each)(const struct connection *connection, int state,
					 void *context),
			    void *context)
{
	struct connection_walk walk = { each, context };
	struct dump dump = {
		.protocol = IPPROTO_TCP,
		.states = STATES_WITH_PEER,
		.each = each_connection,
		.walk = &walk,
	};

	return run_dumps(&dump);
}

static void put_address(__be32 words[4], const struct address *address)
{
	if (address_is_v4(address))
		words[0] = address->words[3];
	else
		memcpy(words, address, sizeof(*address));
}

void sockets_abort(const struct connection *connection)
{
	struct mnl_socket *socket = mnl_socket_open2(NETLINK_SOCK_DIAG, SOCK_CLOEXEC);
	_Alignas(struct nlmsghdr) char buffer[256] = {};
	struct nlmsghdr *header = mnl_nlmsg_put_header(buffer);
	struct inet_diag_req_v2 *query = mnl_nlmsg_put_extra_header(header, sizeof(*query));

	header->nlmsg_type = SOCK_DESTROY;
	header->nlmsg_flags = NLM_F_REQUEST;
	query->sdiag_family = address_is_v4(&connection->local) ? AF_INET : AF_INET6;
	query->sdiag_protocol = IPPROTO_TCP;
	query->idiag_states = STATES_WITH_PEER;
	query->id.idiag_sport = connection->local_port;
	query->id.idiag_dport = connection->remote_port;
	query->id.idiag_cookie[0] = query->id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
	put_address(query->id.idiag_src, &connection->local);
	put_address(query->id.idiag_dst, &connection->remote);
	if (!socket)
		return;
	mnl_socket_sendto(socket, header, header->nlmsg_len);
	mnl_socket_close(socket);
}

struct idle_walk {
	void (*each)(const struct connection *connection, uint32_t idle_ms, void *context);
	void *context;
};

static int note_idle(const struct nlattr *attribute, void *idle_ms)
{
	const struct tcp_info *info = mnl_attr_get_payload(attribute);

	if (mnl_attr_get_type(attribute) == INET_DIAG_INFO &&
	    mnl_attr_get_payload_len(attribute) >= offsetof(struct tcp_info, tcpi_last_ack_recv))
		*(uint32_t *)idle_ms = info->tcpi_last_data_sent < info->tcpi_last_data_recv
					       ? info->tcpi_last_data_sent
					       : info->tcpi_last_data_recv;
	return MNL_CB_OK;
}

static int each_idle(const struct nlmsghdr *header, void *walk_data)
{
	const struct inet_diag_msg *message = mnl_nlmsg_get_payload(header);
	const struct idle_walk *walk = walk_data;
	struct connection connection = connection_of(message);
	uint32_t idle_ms = 0;

	mnl_attr_parse(header, sizeof(*message), note_idle, &idle_ms);
	walk->each(&connection, idle_ms, walk->context);
	return MNL_CB_OK;
}

int sockets_each_idle(void (*each)(const struct connection *connection, uint32_t idle_ms,
				   void *context),
		      void *context)
{
	struct idle_walk walk = { each, context };
	struct dump dump = {
		.protocol = IPPROTO_TCP,
		.states = 1u << TCP_ESTABLISHED | 1u << TCP_CLOSE_WAIT,
		.extensions = 1 << (INET_DIAG_INFO - 1),
		.each = each_idle,
		.walk = &walk,
	};

	return run_dumps(&dump);
}

struct listener_walk {
	void (*each)(const struct address *address, __be16 port, bool is_mptcp, void *context);
	void *context;
	bool is_mptcp;
};

static int note_v6_only(const struct nlattr *attribute, void *v6_only)
{
	if (mnl_attr_get_type(attribute) == INET_DIAG_SKV6ONLY)
		*(bool *)v6_only = mnl_attr_get_u8(attribute);
	return MNL_CB_OK;
}

static int each_listener(const struct nlmsghdr *header, void *walk_data)
{
	static const struct address any_v4 = { .bytes = { [10] = 0xff, [11] = 0xff } }, any_v6;
	const struct inet_diag_msg *message = mnl_nlmsg_get_payload(header);
	const struct listener_walk *walk = walk_data;
	struct address address = address_of(message, message->id.idiag_src);
	bool v6_only = false;

	mnl_attr_parse(header, sizeof(*message), note_v6_only, &v6_only);
	walk->each(&address, message->id.idiag_sport, walk->is_mptcp, walk->context);
	if (!memcmp(&address, &any_v6, sizeof(address)) && !v6_only)
		walk->each(&any_v4, message->id.idiag_sport, walk->is_mptcp, walk->context);
	return MNL_CB_OK;
}

int sockets_each_listener(void (*each)(const struct address *address, __be16 port, bool is_mptcp,
				       void *context),
			  void *context)
{
	struct listener_walk walk = { each, context, .is_mptcp = false };
	struct dump dump = {
		.protocol = IPPROTO_TCP,
		.states = STATES_LISTEN,
		.each = each_listener,
		.walk = &walk,
	};
	int error = run_dumps(&dump);

	walk.is_mptcp = true;
	dump.protocol = IPPROTO_MPTCP;
	return error ? error : run_dumps(&dump);
}

struct listening_walk {
	const struct address *address;
	__be16 port;
	enum listening listening;
};

static void note_listener(const struct address *address, __be16 port, bool is_mptcp, void *context)
{
	static const struct address any_v4 = { .bytes = { [10] = 0xff, [11] = 0xff } }, any_v6;
	struct listening_walk *walk = context;
	const struct address *any = address_is_v4(walk->address) ? &any_v4 : &any_v6;

	if (port != walk->port ||
	    (!address_equal(address, walk->address) && !address_equal(address, any)))
		return;
	if (is_mptcp)
		walk->listening = LISTENS_MPTCP;
	else if (walk->listening == LISTENS_NOBODY)
		walk->listening = LISTENS_TCP;
}

enum listening sockets_listening(const struct address *address, __be16 port)
{
	struct listening_walk walk = { .address = address, .port = port };

	sockets_each_listener(note_listener, &walk);
	return walk.listening;
}
