/* SPDX-License-Identifier: GPL-2.0-only */
/* Packets to a file that tshark and tcpdump read. */
#ifndef LAB_RECORDING_H
#define LAB_RECORDING_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* NULL if it cannot be written, errno says why. */
FILE *recording_open(const char *file);

/* recording: NULL, and nothing is written. packet: IPv4, whole. */
void recording_packet(FILE *recording, const uint8_t *packet, size_t size);

#endif
