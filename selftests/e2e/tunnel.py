# SPDX-License-Identifier: GPL-2.0-only
"""Does what the kernel's tunnel devices do, for kernels that have none.

What arrives by IPIP or GUE comes out of a tun device, less the outer headers.
"""

import fcntl
import os
import select
import socket
import struct
import subprocess
import sys

TUNSETIFF = 0x400454ca
IFF_TUN, IFF_NO_PI = 0x0001, 0x1000
GUE_PORT = 6080
GUE_HEADER = 4


def make_device(name):
    device = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH", name.encode(), IFF_TUN | IFF_NO_PI))
    subprocess.run(["ip", "link", "set", name, "up"], check=True)
    return device


def open_tunnels(family, ip_header):
    """Pairs of a socket and a function: how many bytes of what it receives are not the inner packet."""
    for protocol in (socket.IPPROTO_IPIP, socket.IPPROTO_IPV6):
        yield socket.socket(family, socket.SOCK_RAW, protocol), ip_header
    gue = socket.socket(family, socket.SOCK_DGRAM)
    if family == socket.AF_INET6:
        gue.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    gue.bind(("", GUE_PORT))
    yield gue, lambda packet: GUE_HEADER


def main(name):
    device = make_device(name)
    tunnels = dict([*open_tunnels(socket.AF_INET, lambda packet: (packet[0] & 15) * 4),
                    *open_tunnels(socket.AF_INET6, lambda packet: 0)])
    print("listening", flush=True)
    while True:
        for tunnel in select.select([*tunnels], [], [])[0]:
            packet = tunnel.recv(1 << 16)
            os.write(device, packet[tunnels[tunnel](packet):])


if __name__ == "__main__":
    main(sys.argv[1])
