// SPDX-License-Identifier: GPL-2.0-only
/* The file format of libpcap: a header, then a record for each packet. */
#include <time.h>

#include "recording.h"

#define LINKTYPE_RAW 101 /* packets begin with the IP header */
#define SNAPSHOT 65535

struct recording_header {
	uint32_t magic;
	uint16_t major, minor;
	uint32_t zone, accuracy, snapshot, linktype;
};

struct recording_record {
	uint32_t seconds, microseconds, captured, length;
};

FILE *recording_open(const char *file)
{
	const struct recording_header header = { 0xa1b2c3d4, 2, 4, 0, 0, SNAPSHOT, LINKTYPE_RAW };
	FILE *recording = fopen(file, "we");

	if (!recording)
		return NULL;
	fwrite(&header, sizeof(header), 1, recording);
	fflush(recording);
	return recording;
}

/* Flushed, since a server ends by being killed. */
void recording_packet(FILE *recording, const uint8_t *packet, size_t size)
{
	struct recording_record record;
	struct timespec now;

	if (!recording)
		return;
	clock_gettime(CLOCK_REALTIME, &now);
	record = (struct recording_record){ (uint32_t)now.tv_sec, (uint32_t)now.tv_nsec / 1000,
					    (uint32_t)size, (uint32_t)size };
	fwrite(&record, sizeof(record), 1, recording);
	fwrite(packet, size, 1, recording);
	fflush(recording);
}
