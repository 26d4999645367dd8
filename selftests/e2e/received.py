# SPDX-License-Identifier: GPL-2.0-only
"""Prints, as JSON, every TCP segment that its network namespace receives until its input ends:
the sender's address and port, flags, TSval less the monotonic clock, and if its sum is right."""

import json
import select
import socket
import struct
import sys
import time

from stamps import ETH_HEADER, ETH_P_ALL, tcp_of, timestamps


def is_sum_right(frame, segment):
    """Of IPv4."""
    header = frame[ETH_HEADER:]
    length = struct.unpack_from("!H", header, 2)[0] - (header[0] & 15) * 4
    data = header[12:20] + struct.pack("!HH", 6, length) + segment[:length] + b"\0" * (length & 1)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return total == 0xffff


def describe(frame):
    address, segment = tcp_of(frame)
    port, flags = struct.unpack_from("!H", segment)[0], segment[13]
    stamp = timestamps(segment)
    ahead = stamp and (stamp[0] - time.monotonic_ns() // 1000000) & 0xffffffff
    return address, port, flags, ahead, is_sum_right(frame, segment)


def main():
    found = []
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL)) as sock:
        print("listening", flush=True)
        while True:
            ready = select.select([sock, sys.stdin], [], [])[0]
            if sock in ready:
                frame, where = sock.recvfrom(2048)
                if where[2] == socket.PACKET_HOST and tcp_of(frame):
                    found.append(describe(frame))
            elif sys.stdin in ready:
                break
    print(json.dumps(found))


if __name__ == "__main__":
    main()
