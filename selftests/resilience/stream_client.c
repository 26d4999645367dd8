// SPDX-License-Identifier: GPL-2.0-only
/*
 * A client with many slow connections, which compares what it hears with what it should be.
 * Usage: stream-client ADDRESS PORT PACE_MS
 *
 * It asks MESSAGE bytes at a time, one message a pace, the next when the last is answered. It
 * takes orders as lines and answers each with a line of JSON:
 *
 *	open COUNT PER_SECOND mptcp|plain	when each has had its first answer, or failed
 *	end NUMBER				when those at that server have finished; 0: all
 *	forget ID...				these are closed
 *	mark					waits are counted from now on
 *	report
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <time.h>
#include <unistd.h>

#include "stream.h"
#include "subflows.h"

#define TICK_MS 5
#define PATIENCE_MS 90000 /* a SYN and a message are repeated several times meanwhile */
#define MESSAGE 32

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ull + now.tv_nsec / 1000000;
}

enum stage { OPEN, ENDING, ENDED, BROKEN, FORGOTTEN };
static const char *const stages[] = { "open", "ending", "ended", "broken", "forgotten" };

static struct stream {
	int fd;
	bool mptcp;
	enum stage stage;
	const char *error;
	uint8_t server; /* 0: it has not answered */
	uint64_t seed, asked, answered;
	uint64_t asked_ms; /* when it began to wait for what is not answered */
	uint64_t longest_ms;
} streams[STREAMS_MAX];

static uint32_t stream_count;
static uint16_t by_fd[STREAMS_MAX];
static uint64_t pace_ms;

static void break_off(struct stream *stream, const char *why)
{
	stream->stage = BROKEN;
	stream->error = why;
	close(stream->fd);
	stream->fd = -1;
}

static uint64_t waited_ms(const struct stream *stream)
{
	return stream->asked > stream->answered ? now_ms() - stream->asked_ms : 0;
}

static void note_wait(struct stream *stream)
{
	uint64_t waited = waited_ms(stream);

	if (waited > stream->longest_ms)
		stream->longest_ms = waited;
}

static void ask(struct stream *stream)
{
	uint8_t bytes[MESSAGE];

	for (uint32_t i = 0; i < MESSAGE; i++)
		bytes[i] = asked_at(stream->seed, stream->asked + i);
	if (write(stream->fd, bytes, MESSAGE) != MESSAGE) {
		break_off(stream, strerror(errno));
		return;
	}
	stream->asked += MESSAGE;
	stream->asked_ms = now_ms();
}

static bool is_answer(struct stream *stream, uint8_t byte)
{
	uint64_t place = stream->answered++;

	if (place >= SEED)
		return byte == answered_at(stream->seed, place);
	if (!place)
		stream->server = byte;
	return !place == !!byte;
}

static void compare(struct stream *stream, const uint8_t *bytes, ssize_t length)
{
	for (ssize_t i = 0; i < length; i++)
		if (stream->answered >= stream->asked || !is_answer(stream, bytes[i])) {
			break_off(stream, "other bytes than expected");
			return;
		}
}

static void hear(struct stream *stream)
{
	uint8_t bytes[4096];
	ssize_t length = read(stream->fd, bytes, sizeof(bytes));

	if (length < 0) {
		if (errno != EAGAIN)
			break_off(stream, strerror(errno));
		return;
	}
	if (length) {
		note_wait(stream);
		compare(stream, bytes, length);
		return;
	}
	if (stream->stage == OPEN || stream->answered < stream->asked) {
		break_off(stream, "closed by the server");
		return;
	}
	close(stream->fd);
	stream->fd = -1;
	stream->stage = ENDED;
}

static void advance(struct stream *stream, uint64_t now)
{
	if (stream->fd < 0 || stream->answered < stream->asked)
		return;
	if (stream->stage == ENDING && stream->server)
		shutdown(stream->fd, SHUT_WR);
	else if (stream->stage == OPEN && now >= stream->asked_ms + pace_ms)
		ask(stream);
}

static void open_one(const struct sockaddr_in *address, bool mptcp)
{
	struct stream *stream = &streams[stream_count];
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, mptcp ? IPPROTO_OF_MPTCP : 0);

	if (fd < 0 || fd >= STREAMS_MAX || stream_count == STREAMS_MAX)
		die("too many streams");
	by_fd[fd] = stream_count++;
	*stream = (struct stream){ .fd = fd, .mptcp = mptcp, .asked_ms = now_ms() };
	stream->seed = (uint64_t)getpid() << 32 | by_fd[fd];
	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) &&
	    errno != EINPROGRESS) {
		break_off(stream, strerror(errno));
		return;
	}
	watch(fd);
}

/* A stream that is not connected yet can't be asked: write() says EAGAIN. */
static bool is_connected(int fd)
{
	struct sockaddr_in peer;
	socklen_t length = sizeof(peer);

	return !getpeername(fd, (struct sockaddr *)&peer, &length);
}

static void begin(struct stream *stream, uint64_t now)
{
	if (is_connected(stream->fd))
		ask(stream);
	else if (now >= stream->asked_ms + PATIENCE_MS)
		break_off(stream, "no answer to its SYN");
}

static void look_at_clock(void)
{
	uint64_t now = now_ms();

	for (uint32_t i = 0; i < stream_count; i++)
		if (streams[i].stage <= ENDING && !streams[i].asked)
			begin(&streams[i], now);
		else
			advance(&streams[i], now);
}

static bool fell_back(const struct stream *stream)
{
	struct mptcp_info info = {};
	socklen_t length = sizeof(info);

	return stream->mptcp && stream->fd >= 0 &&
	       (getsockopt(stream->fd, SOL_OF_MPTCP, MPTCP_INFO, &info, &length) ||
		info.mptcpi_flags & MPTCP_INFO_FLAG_FALLBACK);
}

static void report(uint32_t id)
{
	struct stream *stream = &streams[id];
	struct subflow subflows[SUBFLOWS_MAX] = {};
	uint32_t count = stream->fd < 0 ? 0 : find_subflows(stream->fd, stream->mptcp, subflows);
	const char *comma = "";

	note_wait(stream);
	printf("{\"id\": %u, \"mptcp\": %s, \"fell_back\": %s, \"stage\": \"%s\", "
	       "\"error\": \"%s\", \"server\": %u, \"answered\": %llu, \"longest_ms\": %llu, "
	       "\"subflows\": {",
	       id, stream->mptcp ? "true" : "false", fell_back(stream) ? "true" : "false",
	       stages[stream->stage], stream->error ?: "", stream->server,
	       (unsigned long long)stream->answered, (unsigned long long)stream->longest_ms);
	for (uint32_t i = 0; i < count; i++) {
		char address[INET_ADDRSTRLEN];

		if (subflows[i].info.tcpi_state != STATE_ESTABLISHED)
			continue;
		inet_ntop(AF_INET, &subflows[i].local.sin_addr, address, sizeof(address));
		printf("%s\"%s:%u\": %llu", comma, address, ntohs(subflows[i].local.sin_port),
		       (unsigned long long)subflows[i].info.tcpi_bytes_acked);
		comma = ", ";
	}
	printf("}}");
}

static void report_all(void)
{
	const char *comma = "";

	printf("[");
	for (uint32_t i = 0; i < stream_count; i++) {
		if (streams[i].stage == FORGOTTEN)
			continue;
		printf("%s", comma);
		report(i);
		comma = ", ";
	}
	printf("]\n");
}

static void mark_all(void)
{
	for (uint32_t i = 0; i < stream_count; i++) {
		streams[i].longest_ms = 0;
		if (waited_ms(&streams[i]))
			streams[i].asked_ms = now_ms();
	}
}

static void forget(char *ids)
{
	for (char *word = strtok(ids, " "); word; word = strtok(NULL, " ")) {
		uint32_t id = atoi(word);

		if (id >= stream_count)
			continue;
		if (streams[id].fd >= 0)
			close(streams[id].fd);
		streams[id].fd = -1;
		streams[id].stage = FORGOTTEN;
	}
}

static void end(uint8_t server)
{
	for (uint32_t i = 0; i < stream_count; i++)
		if (streams[i].stage == OPEN && (!server || streams[i].server == server))
			streams[i].stage = ENDING;
}

/* What was ordered that takes time: no other order is read until it is done. */
static struct {
	uint32_t to_open, opened, per_second;
	bool mptcp, busy;
	uint64_t since_ms;
} work;

static bool obey(char *line)
{
	char kind[8];
	unsigned int count, per_second;

	work.since_ms = now_ms();
	work.to_open = work.opened = 0;
	if (sscanf(line, "open %u %u %7s", &count, &per_second, kind) == 3) {
		work.to_open = count;
		work.per_second = per_second;
		work.mptcp = !strcmp(kind, "mptcp");
		return true;
	}
	if (sscanf(line, "end %u", &count) == 1) {
		end(count);
		return true;
	}
	if (!strncmp(line, "forget", 6))
		forget(line + 6);
	else if (!strncmp(line, "mark", 4))
		mark_all();
	else if (!strncmp(line, "report", 6)) {
		report_all();
		return false;
	}
	printf("{}\n");
	return false;
}

/* Is a stream ending, or without a first answer yet? Those that take too long are broken. */
static bool under_way(void)
{
	bool late = now_ms() >= work.since_ms + PATIENCE_MS, any = false;

	for (uint32_t i = 0; i < stream_count; i++) {
		struct stream *stream = &streams[i];

		if (stream->stage != ENDING && !(stream->stage == OPEN && !stream->server))
			continue;
		if (late)
			break_off(stream, "no answer in time");
		else
			any = true;
	}
	return any;
}

static void go_on(const struct sockaddr_in *address)
{
	uint64_t passed = now_ms() - work.since_ms;

	while (work.opened < work.to_open && work.opened < (passed + 1) * work.per_second / 1000) {
		open_one(address, work.mptcp);
		work.opened++;
	}
	if (work.opened < work.to_open || under_way())
		return;
	work.busy = false;
	printf("{}\n");
	fflush(stdout);
}

static void read_order(void)
{
	static char line[1 << 17];

	if (!fgets(line, sizeof(line), stdin))
		exit(0);
	work.busy = obey(line);
	fflush(stdout);
}

static void converse(const struct sockaddr_in *address)
{
	struct epoll_event ready[EVENTS];

	setvbuf(stdin, NULL, _IONBF, 0); /* an order is never left behind in a buffer */
	watch(STDIN_FILENO);
	for (;;) {
		int count = epoll_wait(events, ready, EVENTS, TICK_MS);

		for (int i = 0; i < count; i++)
			if (ready[i].data.fd != STDIN_FILENO)
				hear(&streams[by_fd[ready[i].data.fd]]);
			else if (!work.busy)
				read_order();
		look_at_clock();
		if (work.busy)
			go_on(address);
	}
}

int main(int argc, char **argv)
{
	struct sockaddr_in address = { .sin_family = AF_INET };

	if (argc != 4 || inet_pton(AF_INET, argv[1], &address.sin_addr) != 1)
		return 2;
	address.sin_port = htons(atoi(argv[2]));
	events = epoll_create1(0);
	pace_ms = atoi(argv[3]);
	converse(&address);
	return 0;
}
