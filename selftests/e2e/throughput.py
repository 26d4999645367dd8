#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""`make throughput`: how fast a server sends by a bare veth with offloads, with our programs
and without, as Gbit/s. Both take turns, so that they meet the same load of the machine."""

import os
import statistics
import subprocess
import sys

from tap import exit_on_signals
from topology import PORT, SERVICES
from wire import ServerSide, Wire

ROUNDS = int(os.environ.get("ROUNDS", "5"))
SECONDS_EACH = 2
PROTOCOLS = {"TCP": 6, "MPTCP": 262}

SEND = """
import socket, sys
listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, int(sys.argv[3]))
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind((sys.argv[1], int(sys.argv[2])))
listener.listen()
print("listening", flush=True)
block, sock = bytes(1 << 20), listener.accept()[0]
try:
    while True:
        sock.sendall(block)
except OSError:
    pass
"""

RECEIVE = """
import socket, sys, time
sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, int(sys.argv[3]))
sock.connect((sys.argv[1], int(sys.argv[2])))
room, got, start = bytearray(1 << 20), 0, time.monotonic()
while time.monotonic() < start + float(sys.argv[4]):
    got += sock.recv_into(room)
print(got * 8e-9 / (time.monotonic() - start))
"""


def measure(net, protocol):
    words = SERVICES[4], str(PORT), str(protocol)
    sender = net["server"].start(sys.executable, "-c", SEND, *words, stdout=subprocess.PIPE)
    sender.stdout.readline()
    said = net["client"].run(sys.executable, "-c", RECEIVE, *words, str(SECONDS_EACH))
    sender.wait()
    return float(said)


def main():
    exit_on_signals()
    found = {(name, attached): [] for name in PROTOCOLS for attached in (False, True)}
    with Wire(bare=True) as net:
        side = ServerSide(net)
        for _ in range(ROUNDS):
            for attached in (False, True):
                if attached:
                    side.attach(keys=10)
                for name, protocol in PROTOCOLS.items():
                    found[name, attached].append(measure(net, protocol))
            side.detach()
            net["server"].sysctl("net.ipv4.tcp_syncookies=2", "net.ipv4.tcp_timestamps=2")
    for (name, attached), rates in found.items():
        print(f"{name:6} {'with' if attached else 'without':8} median "
              f"{statistics.median(rates):6.2f}  lowest {min(rates):6.2f}  "
              f"highest {max(rates):6.2f} Gbit/s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
