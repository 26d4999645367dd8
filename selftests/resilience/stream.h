/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The streams of a slow connection. The client's begins with a seed, SEED bytes; every further byte
 * follows from seed and place. The server answers each byte with one of another stream: its own
 * number, zeros until it knows the seed, and then what follows from that.
 */
#ifndef STREAM_H
#define STREAM_H

#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#define IPPROTO_OF_MPTCP 262
#define STREAMS_MAX 16384 /* descriptors of a server, connections of a client */
#define EVENTS 256
#define SEED 8

static int events;

static inline void die(const char *what)
{
	fprintf(stderr, "stream: %s: %s\n", what, strerror(errno));
	exit(1);
}

static inline void watch(int fd)
{
	struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };

	if (epoll_ctl(events, EPOLL_CTL_ADD, fd, &event))
		die("epoll");
}

/* What stands at a place of a stream, by the finaliser of SplitMix64. */
static inline uint8_t byte_at(uint64_t seed, uint64_t place)
{
	uint64_t mix = seed + (place + 1) * 0x9e3779b97f4a7c15ull;

	mix = (mix ^ mix >> 30) * 0xbf58476d1ce4e5b9ull;
	mix = (mix ^ mix >> 27) * 0x94d049bb133111ebull;
	return mix >> 56;
}

static inline uint8_t asked_at(uint64_t seed, uint64_t place)
{
	return place < SEED ? seed >> 8 * place : byte_at(seed, place);
}

static inline uint8_t answered_at(uint64_t seed, uint64_t place)
{
	return byte_at(~seed, place);
}

#endif
