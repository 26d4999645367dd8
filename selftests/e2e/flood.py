# SPDX-License-Identifier: GPL-2.0-only
"""A flood of MP_CAPABLE SYNs from forged addresses; as a program, its generator."""

import itertools
import signal
import socket
import struct
import subprocess
import sys
import time

from topology import SERVICES, PORT, Failure, mac

NETWORK = "198.18.0.0"  # /15, 512 networks of /24 that nobody ever connected from
NETWORK_BITS = 17
FRAMES = 1 << 14
BATCH = 64  # sent at once, a quarter of a veth's ring
BALANCER = mac(0x30)
FORGER = mac(0x99)
SYN = 2
MSS = bytes((2, 4)) + struct.pack("!H", 1460)
MP_CAPABLE = bytes((30, 4, 0x01, 0x01))  # version 1, HMAC-SHA256


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total & 0xffff) + (total >> 16)
    return ~((total & 0xffff) + (total >> 16)) & 0xffff


def frame(number):
    """Sources are spread over the network, as a forger would."""
    host = number * 0x9e3779b1 % (1 << NETWORK_BITS)
    source = struct.pack("!I", struct.unpack("!I", socket.inet_aton(NETWORK))[0] | host)
    target = socket.inet_aton(SERVICES[4])
    options = MSS + MP_CAPABLE
    tcp = struct.pack("!HHIIBBHHH", 1024 + number % 60000, PORT, number, 0,
                      (20 + len(options)) << 2, SYN, 65535, 0, 0) + options
    pseudo = source + target + struct.pack("!HH", socket.IPPROTO_TCP, len(tcp))
    tcp = tcp[:16] + struct.pack("!H", checksum(pseudo + tcp)) + tcp[18:]
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(tcp), 0, 0, 64, socket.IPPROTO_TCP, 0)
    ip = ip[:10] + struct.pack("!H", checksum(ip + source + target)) + source + target
    ethernet = bytes.fromhex((BALANCER + FORGER).replace(":", "")) + struct.pack("!H", 0x0800)
    return ethernet + ip + tcp


def generate(device, per_second):
    """
    Says how many there were when it is stopped. A generator that came too late does not make
    up for it: what fills the devices' rings loses others' packets, which is another matter.
    """
    frames = [frame(number) for number in range(FRAMES)]
    out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    out.bind((device, 0))
    stopped = []
    signal.signal(signal.SIGTERM, lambda *_: stopped.append(True))
    print("ready", flush=True)
    sent, due = 0, time.monotonic()
    for sent, data in enumerate(itertools.cycle(frames)):
        if stopped:
            break
        if sent % BATCH == 0:
            time.sleep(max(0, due - time.monotonic()))
            due = max(due, time.monotonic()) + BATCH / per_second
        try:
            out.send(data)
        except OSError:
            pass  # the device's queue is full: that one is lost
    print(sent, flush=True)


class Flood:
    """Use it in a with statement; `sent` is there after it."""

    def __init__(self, cluster, server, per_second):
        self.space = cluster.net["client"]
        self.per_second = per_second
        self.sent = None
        # Where the server sends its answers; nobody takes them.
        cluster.net[server].ip(f"route replace {NETWORK}/15 via 10.1.0.2 dev eth0")

    def __enter__(self):
        self.program = self.space.start(sys.executable, "-B", __file__, "c0",
                                        str(self.per_second), stdout=subprocess.PIPE)
        if self.program.stdout.readline() != "ready\n":
            raise Failure("the flood does not begin")
        return self

    def __exit__(self, *_):
        self.program.terminate()
        self.sent = int(self.program.stdout.readline() or 0)
        self.program.wait()


if __name__ == "__main__":
    generate(sys.argv[1], int(sys.argv[2]))
