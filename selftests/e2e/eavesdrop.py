# SPDX-License-Identifier: GPL-2.0-only
"""Prints, as JSON, what third segments of MPTCP's first handshake say: by the client's port, the
two keys, or tokens, of MP_CAPABLE. It listens on one device, and forgets all else."""

import json
import select
import socket
import struct
import sys

ETH_P_ALL = 3
ETHERTYPE_IP = b"\x08\x00"
TCP_HEADER = 14 + 20  # of frames whose IPv4 header has no options
TCPOPT_NOP, TCPOPT_MPTCP = 1, 30
CAPABLE_ACK = 20, 0  # length and subtype


def options(segment):
    at, end = 20, (segment[12] >> 4) * 4
    while at + 1 < end and segment[at]:
        if segment[at] != TCPOPT_NOP:
            yield segment[at], segment[at:at + segment[at + 1]]
        at += 1 if segment[at] == TCPOPT_NOP else segment[at + 1]


def note(frame, heard):
    if frame[12:14] != ETHERTYPE_IP or frame[23] != socket.IPPROTO_TCP:
        return
    segment = frame[TCP_HEADER:]
    for kind, option in options(segment):
        if kind == TCPOPT_MPTCP and (len(option), option[2] >> 4) == CAPABLE_ACK:
            values = struct.unpack_from("!QQ", option, 4)
            heard[struct.unpack_from("!H", segment)[0]] = [f"{value:016x}" for value in values]


def main():
    """Until its input ends and nothing is left to hear."""
    heard = {}
    # All protocols: others are asked only after the bridge has taken the frame.
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL)) as sock:
        sock.bind((sys.argv[1], ETH_P_ALL))
        print("listening", flush=True)
        while True:
            ready = select.select([sock, sys.stdin], [], [])[0]
            if sock not in ready:
                break
            note(sock.recv(2048), heard)
    print(json.dumps(heard))


if __name__ == "__main__":
    main()
