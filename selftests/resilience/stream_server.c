// SPDX-License-Identifier: GPL-2.0-only
/*
 * A server that compares what it hears with what it should be, and answers each byte.
 * Usage: stream-server ADDRESS PORT NUMBER
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

#include "stream.h"

#define BACKLOG 4096

/* By descriptor. */
static struct heard {
	uint64_t seed;
	uint64_t bytes;
} heard[STREAMS_MAX];

static bool is_next(struct heard *stream, uint8_t byte)
{
	if (stream->bytes < SEED)
		stream->seed |= (uint64_t)byte << 8 * stream->bytes;
	return byte == asked_at(stream->seed, stream->bytes++);
}

/* False when the stream is at its end, or wrong. */
static bool answer(int fd, uint8_t number)
{
	struct heard *stream = &heard[fd];
	uint8_t bytes[4096];
	ssize_t length = read(fd, bytes, sizeof(bytes));

	for (ssize_t i = 0; i < length; i++) {
		uint64_t place = stream->bytes;

		if (!is_next(stream, bytes[i])) {
			struct linger hard = { .l_onoff = 1 };

			setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
			return false;
		}
		/* The seed is known by the time an answer depends on it. */
		bytes[i] = !place ? number : place < SEED ? 0 : answered_at(stream->seed, place);
	}
	return length > 0 && write(fd, bytes, length) == length;
}

static void take(int listener)
{
	int fd;

	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
		if (fd >= STREAMS_MAX)
			die("too many streams");
		heard[fd] = (struct heard){};
		watch(fd);
	}
}

static void serve(const struct sockaddr_in *address, uint8_t number)
{
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, IPPROTO_OF_MPTCP), one = 1;
	struct epoll_event ready[EVENTS];

	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(listener, (const struct sockaddr *)address, sizeof(*address)) ||
	    listen(listener, BACKLOG))
		die("can't listen");
	watch(listener);
	printf("listening\n");
	fflush(stdout);
	for (;;) {
		int count = epoll_wait(events, ready, EVENTS, -1);

		for (int i = 0; i < count; i++)
			if (ready[i].data.fd == listener)
				take(listener);
			else if (!answer(ready[i].data.fd, number))
				close(ready[i].data.fd);
	}
}

int main(int argc, char **argv)
{
	struct sockaddr_in address = { .sin_family = AF_INET };

	if (argc != 4 || inet_pton(AF_INET, argv[1], &address.sin_addr) != 1)
		return 2;
	address.sin_port = htons(atoi(argv[2]));
	events = epoll_create1(0);
	serve(&address, atoi(argv[3]));
	return 0;
}
