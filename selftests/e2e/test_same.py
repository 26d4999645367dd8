#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""A connection is the same with our programs as without them, and others are not touched."""

import collections
import json
import os
import re
import subprocess
import sys
import time

from tap import exit_on_signals, note, run_tests
from topology import BUILD, PORT, SERVICES, Failure
from wire import INDEX, ServerSide, Wire

OTHER_PORT = 8443
CLOSED_PORT = 8444
HOST = "10.1.0.11"
DELAY_MS = 5
HOLD_MS = 1500
FLAGS = re.compile(r"\b(ts|sack|ecn|cubic|reno|bbr|wscale:\S+|mss:\d+|pmtu:\d+|advmss:\d+)")
RTT = re.compile(r"\brtt:([\d.]+)")
CLOCK_SLACK_MS = 60000
TCP_RST = 4
PLACES = ((SERVICES[4], PORT), (SERVICES[4], OTHER_PORT), (HOST, PORT), (SERVICES[4], CLOSED_PORT))
RECEIVED = os.path.join(os.path.dirname(os.path.abspath(__file__)), "received.py")

# An ACK of no connection to port 443 of each address; the kernel fills in the IP header.
STRAY = """
import socket, struct, sys
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP)
for address in sys.argv[1:]:
    raw.connect((address, 0))
    segment = struct.pack("!HHIIBBHHH", 9, 443, 1, 1, 0x50, 0x10, 1000, 0, 0)
    data = socket.inet_aton(raw.getsockname()[0]) + socket.inet_aton(address) + bytes((0, 6, 0, 20))
    total = sum(struct.unpack("!16H", data + segment))
    total = (total & 0xffff) + (total >> 16)
    total = ~((total & 0xffff) + (total >> 16)) & 0xffff
    raw.send(segment[:16] + struct.pack("!H", total) + segment[18:])
"""


class Traffic:
    def __init__(self, side):
        self.net = side.net

    def listen(self, address, port):
        listener = self.net["server"].start(os.path.join(BUILD, "traffic"), "serve", address,
                                            str(port), stdout=subprocess.PIPE)
        if listener.stdout.readline() != "listening\n":
            raise Failure(f"nobody listens at {address} port {port}")

    def open(self, address, port, count=1):
        return self.net["client"].start(os.path.join(BUILD, "traffic"), "open", address,
                                        str(port), str(count), "100", str(HOLD_MS),
                                        stdout=subprocess.PIPE)


class Trial:
    def __init__(self, side):
        self.side = side
        self.net = side.net
        self.traffic = Traffic(side)
        self.before = None

    def describe_connection(self):
        """What both ends say of the first subflow of a connection, in words and in ms."""
        with self.net.carried(DELAY_MS):
            client = self.traffic.open(SERVICES[4], PORT)
            time.sleep(HOLD_MS / 2000)
            said = {}
            for name, port in (("server", "sport"), ("client", "dport")):
                lines = self.net[name].run("ss", "-tnioOH", "state", "established",
                                           f"{port} = :{PORT} and {port[0]}port = :{PORT}")
                said[name] = sorted(" ".join(FLAGS.findall(line))
                                    for line in lines.splitlines())
                note(f"{name}: rtt {RTT.findall(lines)} ms, {said[name]}")
            client.communicate()
        if len(said["server"]) != 2 or len(said["client"]) != 2:
            raise Failure(f"not two subflows: {said}")
        return said

    def without(self):
        self.side.space.sysctl("net.ipv4.tcp_syncookies=2", "net.ipv4.tcp_timestamps=2")
        self.before = self.describe_connection()

    def with_programs(self):
        self.side.attach()
        now = self.describe_connection()
        if now != self.before:
            raise Failure(f"without: {self.before}, with: {now}")

    def received(self):
        """All that the client gets of connections to services and to others, and of none."""
        watcher = self.net["client"].start(sys.executable, "-B", RECEIVED,
                                           stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        watcher.stdout.readline()
        with self.net.carried(DELAY_MS):
            clients = [self.traffic.open(*where) for where in PLACES]
            self.net["client"].run(sys.executable, "-B", "-c", STRAY, HOST, SERVICES[4])
            for client in clients:
                client.communicate()
        return json.loads(watcher.communicate("\n")[0])

    def touched(self):
        constant = (self.side.show()["stamp-offset"] + (INDEX << 24)) % 2 ** 32
        seen = collections.Counter()
        for address, port, flags, ahead, is_sum_right in self.received():
            if not is_sum_right:
                raise Failure(f"a wrong checksum from {address} port {port}, flags {flags}")
            is_service = (address, port) == (SERVICES[4], PORT)
            kind = "RST" if flags & TCP_RST else "no timestamps"
            if ahead is not None:
                kind = "segment"
                late = (constant * is_service - ahead) % 2 ** 32
                if late > CLOCK_SLACK_MS:
                    raise Failure(f"a timestamp of {address} port {port}, flags {flags}, is "
                                  f"{ahead} ms ahead of the clock")
            seen[kind, address, port] += 1
        note(str(dict(seen)))
        for place in PLACES[:3]:
            if not seen["segment", *place]:
                raise Failure(f"nothing seen of {place}")
        for place in ((SERVICES[4], PORT), (SERVICES[4], CLOSED_PORT), (HOST, PORT)):
            if not seen["RST", *place]:
                raise Failure(f"no RST seen of {place}")


def main():
    exit_on_signals()
    with Wire() as net:
        trial = Trial(ServerSide(net))
        for place in PLACES[:3]:
            trial.traffic.listen(*place)
        return run_tests([
                ("a connection without our programs has two subflows", trial.without),
                ("with them MSS, window scale, SACK and timestamps are the same at both ends",
                 trial.with_programs),
                ("stamps are on the service's segments and on no others, and all sums are right",
                 trial.touched),
        ], trial.side.describe)


if __name__ == "__main__":
    sys.exit(main())
