/* SPDX-License-Identifier: GPL-2.0-only */
/* Reads pcap files, whatever the link layer, as Ethernet frames. */
#ifndef CAPTURES_PCAP_H
#define CAPTURES_PCAP_H

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define PCAP_FRAME_MAX 2048 /* longer ones are cut */

/* draft-ietf-opsawg-pcap; the upper half of the last word says how long a checksum follows. */
struct pcap_header {
	uint32_t magic;
	uint16_t major, minor;
	uint32_t reserved[2], longest, link;
};

struct pcap_packet {
	uint32_t seconds, fraction, captured, original;
};

struct pcap {
	FILE *file;
	uint16_t link;
};

enum { PCAP_MAGIC_US = 0xa1b2c3d4, PCAP_MAGIC_NS = 0xa1b23c4d };
enum { LINK_ETHERNET = 1, LINK_IPV4 = 228, LINK_IPV6 = 229, LINK_COOKED_2 = 276 };

/* False: no file, or not one of this machine's byte order. pcap_close() is due in any case. */
static inline bool pcap_open(struct pcap *pcap, const char *path)
{
	struct pcap_header header;

	pcap->file = fopen(path, "r");
	if (!pcap->file)
		return false;
	if (fread(&header, sizeof(header), 1, pcap->file) == 1 &&
	    (header.magic == PCAP_MAGIC_US || header.magic == PCAP_MAGIC_NS)) {
		pcap->link = header.link;
		return true;
	}
	return false;
}

static inline void pcap_close(struct pcap *pcap)
{
	if (pcap->file)
		fclose(pcap->file);
}

/* How long the link-layer header is, and what Ethernet type says the same; 0: not known. */
static inline uint16_t pcap_ethertype(const struct pcap *pcap, const uint8_t *packet,
				      size_t *header)
{
	*header = pcap->link == LINK_COOKED_2 ? 20 : 0;
	if (pcap->link == LINK_COOKED_2)
		return packet[0] << 8 | packet[1];
	return pcap->link == LINK_IPV4 ? 0x0800 : pcap->link == LINK_IPV6 ? 0x86dd : 0;
}

/* Returns the length of the next frame, or 0 at the end. */
static inline size_t pcap_next(struct pcap *pcap, uint8_t frame[static PCAP_FRAME_MAX])
{
	static uint8_t packet[1 << 18];
	struct pcap_packet about;
	uint16_t type;
	size_t header, length;

	if (fread(&about, sizeof(about), 1, pcap->file) != 1 || about.captured > sizeof(packet) ||
	    fread(packet, 1, about.captured, pcap->file) != about.captured)
		return 0;
	length = about.captured;
	if (pcap->link != LINK_ETHERNET) {
		type = htons(pcap_ethertype(pcap, packet, &header));
		memset(frame, 2, 12);
		memcpy(frame + 12, &type, sizeof(type));
		length = 14 + length - header;
		memmove(packet + 14, packet + header, length - 14);
		memcpy(packet, frame, 14);
	}
	if (length > PCAP_FRAME_MAX)
		length = PCAP_FRAME_MAX;
	memcpy(frame, packet, length);
	return length;
}

#endif
