# SPDX-License-Identifier: GPL-2.0-only
"""Prints, as JSON, the last TSecr (or `first`) of each flow that leaves the namespace it runs in."""

import json
import select
import socket
import struct
import sys
import time

ETH_P_ALL = 3
ETH_HEADER = 14
IPPROTO_TCP = 6
TCP_ACK = 0x10
TCPOPT_NOP, TCPOPT_TIMESTAMP = 1, 8


def tcp_of(frame):
    """The sender's address as text, and the segment; None if it is no TCP."""
    ethertype, packet = struct.unpack_from("!H", frame, 12)[0], frame[ETH_HEADER:]
    if ethertype == 0x0800 and packet[9] == IPPROTO_TCP:
        return socket.inet_ntop(socket.AF_INET, packet[12:16]), packet[(packet[0] & 15) * 4:]
    if ethertype == 0x86dd and packet[6] == IPPROTO_TCP:
        return socket.inet_ntop(socket.AF_INET6, packet[8:24]), packet[40:]
    return None


def timestamps(segment):
    """TSval and TSecr."""
    at, end = 20, (segment[12] >> 4) * 4
    while at < end and segment[at]:
        if segment[at] == TCPOPT_TIMESTAMP:
            return struct.unpack_from("!II", segment, at + 2)
        at += 1 if segment[at] == TCPOPT_NOP else segment[at + 1]
    return None


def ts_ecr(segment):
    found = timestamps(segment)
    return found and found[1]


def note(frame, where, seen, first):
    sent = where[2] == socket.PACKET_OUTGOING and tcp_of(frame)
    if sent and sent[1][13] & TCP_ACK:
        port = struct.unpack_from("!H", sent[1])[0]
        flow = f"{sent[0]} {port}"
        if not first or flow not in seen:
            seen[flow] = ts_ecr(sent[1]), int(time.time() * 1000)


def main(first):
    """Until its input ends and all that came before is taken in."""
    seen = {}
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL)) as sock:
        print("listening", flush=True)
        while True:
            ready = select.select([sock, sys.stdin], [], [])[0]
            if sock not in ready:
                break
            note(*sock.recvfrom(2048), seen, first)
    print(json.dumps(seen))


if __name__ == "__main__":
    main(sys.argv[1:] == ["first"])
