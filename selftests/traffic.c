// SPDX-License-Identifier: GPL-2.0-only
/*
 * Many MPTCP connections: a server that echoes, and a client that opens them at a rate.
 * Usage: traffic serve ADDRESS PORT
 *        traffic open ADDRESS PORT COUNT PER_SECOND HOLD_MS
 *
 * A connection says hello, is held, and asks the server with "?" how many further subflows it
 * has there. The client prints, as JSON, how many connections got how far.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/mptcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PROTOCOL 262 /* IPPROTO_MPTCP */
#define SOL_OF_MPTCP 284
#define FILES_MAX 65536
#define BACKLOG 4096
#define EVENTS 256
#define TICK_MS 5
#define PATIENCE_MS 90000 /* a SYN and a question are repeated several times meanwhile */
#define HELLO "hello"
#define ANSWER_BYTES 2 /* the number of subflows as a digit, and whether the token is alone */

static int events;

static void die(const char *what)
{
	fprintf(stderr, "traffic: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ull + now.tv_nsec / 1000000;
}

static void watch(int fd, uint32_t wanted)
{
	struct epoll_event event = { .events = wanted, .data.fd = fd };

	if (epoll_ctl(events, EPOLL_CTL_ADD, fd, &event) &&
	    epoll_ctl(events, EPOLL_CTL_MOD, fd, &event))
		die("epoll");
}

static socklen_t parse(const char *address, const char *port, struct sockaddr_storage *out)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)out;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;

	memset(out, 0, sizeof(*out));
	if (inet_pton(AF_INET, address, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(atoi(port));
		return sizeof(*v4);
	}
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons(atoi(port));
	if (inet_pton(AF_INET6, address, &v6->sin6_addr) != 1)
		die(address);
	return sizeof(*v6);
}

/* The server. */

static uint32_t tokens[FILES_MAX]; /* by descriptor; 0: none */

static struct mptcp_info info_of(int fd)
{
	struct mptcp_info info = {};
	socklen_t length = sizeof(info);

	getsockopt(fd, SOL_OF_MPTCP, MPTCP_INFO, &info, &length);
	return info;
}

static bool is_alone(uint32_t token)
{
	uint32_t times = 0;

	for (int fd = 0; fd < FILES_MAX; fd++)
		times += tokens[fd] == token;
	return times == 1;
}

static void answer(int fd)
{
	struct mptcp_info info = info_of(fd);
	char said[] = { '0' + info.mptcpi_subflows, 'y' };

	if (info.mptcpi_flags & MPTCP_INFO_FLAG_FALLBACK || !info.mptcpi_token)
		said[0] = 'f';
	else if (!is_alone(info.mptcpi_token))
		said[1] = 'n';
	if (write(fd, said, sizeof(said)) != sizeof(said))
		close(fd);
}

static void serve_one(int fd)
{
	char bytes[64];
	ssize_t length = read(fd, bytes, sizeof(bytes));

	if (length <= 0) {
		tokens[fd] = 0;
		close(fd);
		return;
	}
	tokens[fd] = info_of(fd).mptcpi_token;
	if (memchr(bytes, '?', length))
		answer(fd);
	else if (write(fd, bytes, length) != length)
		close(fd);
}

static void serve(const struct sockaddr_storage *address, socklen_t length)
{
	int listener = socket(address->ss_family, SOCK_STREAM | SOCK_NONBLOCK, PROTOCOL), one = 1;
	struct epoll_event ready[EVENTS];

	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(listener, (const struct sockaddr *)address, length) || listen(listener, BACKLOG))
		die("can't listen");
	watch(listener, EPOLLIN);
	printf("listening\n");
	fflush(stdout);
	for (;;) {
		int count = epoll_wait(events, ready, EVENTS, -1), fd;

		for (int i = 0; i < count; i++)
			if (ready[i].data.fd != listener)
				serve_one(ready[i].data.fd);
			else
				while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0)
					watch(fd, EPOLLIN);
	}
}

/* The client. */

enum stage { UNUSED, CONNECTING, GREETING, HOLDING, ASKING };

static struct connection {
	enum stage stage;
	uint64_t until_ms; /* when it has failed, or has been held for long enough */
} connections[FILES_MAX];

static int connections_end; /* above all descriptors so far */

static struct {
	uint32_t opened, established, greeted, answered; /* how far they got */
	uint32_t joined, fallen_back, alone;             /* what the server answered */
	uint32_t hung, refused;
} tally;

static void end(int fd)
{
	connections[fd].stage = UNUSED;
	close(fd);
}

static void move_on(int fd, enum stage stage, uint64_t wait_ms)
{
	connections[fd] = (struct connection){ stage, now_ms() + wait_ms };
	if (fd >= connections_end)
		connections_end = fd + 1;
}

static bool say(int fd, const char *words)
{
	if (write(fd, words, strlen(words)) == (ssize_t)strlen(words))
		return true;
	tally.refused++;
	end(fd);
	return false;
}

static void open_one(const struct sockaddr_storage *address, socklen_t length)
{
	int fd = socket(address->ss_family, SOCK_STREAM | SOCK_NONBLOCK, PROTOCOL);

	tally.opened++;
	if (fd < 0)
		die("can't make a socket");
	if (connect(fd, (const struct sockaddr *)address, length) && errno != EINPROGRESS) {
		tally.refused++;
		close(fd);
		return;
	}
	move_on(fd, CONNECTING, PATIENCE_MS);
	watch(fd, EPOLLOUT);
}

static void hear(int fd, uint64_t hold_ms)
{
	char bytes[64];
	ssize_t length = read(fd, bytes, sizeof(bytes));

	if (connections[fd].stage == GREETING && length == strlen(HELLO)) {
		tally.greeted++;
		move_on(fd, HOLDING, hold_ms);
	} else if (connections[fd].stage == ASKING && length == ANSWER_BYTES) {
		tally.answered++;
		tally.fallen_back += bytes[0] == 'f';
		tally.joined += bytes[0] >= '1' && bytes[0] <= '9';
		tally.alone += bytes[1] == 'y';
		end(fd);
	} else {
		tally.refused++;
		end(fd);
	}
}

static void advance(int fd, uint64_t hold_ms)
{
	int error = 0;
	socklen_t length = sizeof(error);

	if (connections[fd].stage != CONNECTING) {
		hear(fd, hold_ms);
		return;
	}
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) || error) {
		tally.hung += error == ETIMEDOUT;
		tally.refused += error != ETIMEDOUT;
		end(fd);
		return;
	}
	tally.established++;
	watch(fd, EPOLLIN);
	move_on(fd, GREETING, PATIENCE_MS);
	say(fd, HELLO);
}

/* Returns how many are left. */
static uint32_t look_at_clock(void)
{
	uint64_t now = now_ms();
	uint32_t left = 0;

	for (int fd = 0; fd < connections_end; fd++) {
		struct connection *connection = &connections[fd];

		if (connection->stage == UNUSED)
			continue;
		left++;
		if (now < connection->until_ms)
			continue;
		if (connection->stage == HOLDING) {
			move_on(fd, ASKING, PATIENCE_MS);
			say(fd, "?");
		} else {
			tally.hung++;
			end(fd);
		}
	}
	return left;
}

static void open_all(const struct sockaddr_storage *address, socklen_t length, uint32_t count,
		     uint32_t per_second, uint64_t hold_ms)
{
	struct epoll_event ready[EVENTS];
	uint64_t start = now_ms();

	do {
		int number = epoll_wait(events, ready, EVENTS, TICK_MS);

		for (int i = 0; i < number; i++)
			advance(ready[i].data.fd, hold_ms);
		while (tally.opened < count &&
		       tally.opened < (now_ms() - start + 1) * per_second / 1000)
			open_one(address, length);
	} while (look_at_clock() || tally.opened < count);
	printf("{\"opened\": %u, \"established\": %u, \"greeted\": %u, \"answered\": %u, "
	       "\"joined\": %u, \"fallen_back\": %u, \"alone\": %u, \"hung\": %u, "
	       "\"refused\": %u, \"ms\": %llu}\n",
	       tally.opened, tally.established, tally.greeted, tally.answered, tally.joined,
	       tally.fallen_back, tally.alone, tally.hung, tally.refused,
	       (unsigned long long)(now_ms() - start));
}

int main(int argc, char **argv)
{
	struct rlimit files;
	struct sockaddr_storage address;
	socklen_t length;

	if (argc != 4 && argc != 7)
		return 2;
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max < FILES_MAX ? files.rlim_max : FILES_MAX;
	setrlimit(RLIMIT_NOFILE, &files);
	events = epoll_create1(0);
	length = parse(argv[2], argv[3], &address);
	if (!strcmp(argv[1], "serve"))
		serve(&address, length);
	open_all(&address, length, atoi(argv[4]), atoi(argv[5]), atoi(argv[6]));
	return 0;
}
