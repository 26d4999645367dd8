#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""`make bench-haproxy`: CPU per gigabyte of MPTCP connections through the balancer, and through
HAProxy that ends them in its place, with the same client, server and transfers.

HAProxy's figure is what its process used; what the kernel does for it in softirqs is not in it.
The balancer's is what its XDP program used, by the kernel's own measurement (bpf_stats), which
itself adds some nanoseconds to each packet. Both turns meet the same load of the machine.
"""

import contextlib
import ctypes
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))

from cluster import Cluster
from counters import counters
from tap import exit_on_signals
from topology import BALANCER, BPFTOOL, BUILD, PORT, SERVICES, Failure, Topology, wait_until

ROUNDS = int(os.environ.get("ROUNDS", "3"))
MEGABYTES = int(os.environ.get("MEGABYTES", "256"))
PROXY_PORT = 8443
SERVER = "s1"
WAYS = ("down", "up")
PARTIES = ("mptcp-lb, l2", "HAProxy", "HAProxy with offloads")
TICKS = os.sysconf("SC_CLK_TCK")
TABLE = os.path.join(BUILD, "performance", "haproxy.md")
HAPROXY = """
global
    nbthread 1
defaults
    mode tcp
    timeout connect 10s
    timeout client 60s
    timeout server 60s
listen mptcp
    bind {here}:{port}
    server s1 {there}:{service}
"""

# Gives as many bytes as it is asked for, or takes them and then says so.
SERVE = """
import socket, sys
listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262)
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind(("0.0.0.0", int(sys.argv[1])))
listener.listen()
print("listening", flush=True)
block = bytes(1 << 20)
while True:
    sock = listener.accept()[0]
    way, count = sock.recv(64).split()
    if way == b"down":
        for _ in range(int(count)):
            sock.sendall(block)
    else:
        sock.sendall(b"go")
        left, room = int(count) << 20, bytearray(1 << 20)
        while left:
            got = sock.recv_into(room)
            if not got:
                break
            left -= got
        sock.sendall(b"done" if not left else b"lost")
    sock.close()
"""

TRANSFER = """
import socket, sys
sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262)
sock.connect((sys.argv[1], int(sys.argv[2])))
way, count = sys.argv[3], int(sys.argv[4])
sock.sendall(f"{way} {count} ".encode())
if way == "down":
    left, room = count << 20, bytearray(1 << 20)
    while left:
        got = sock.recv_into(room)
        if not got:
            sys.exit("the connection ended early")
        left -= got
else:
    sock.recv(2)
    for _ in range(count):
        sock.sendall(bytes(1 << 20))
    if sock.recv(4) != b"done":
        sys.exit("bytes are missing")
"""


def enable_stats():
    """The kernel measures programs for as long as this file is open."""
    bpf = {"x86_64": 321, "aarch64": 280}[platform.machine()]
    attributes = (ctypes.c_uint32 * 1)(0)  # BPF_STATS_RUN_TIME
    file = ctypes.CDLL(None, use_errno=True).syscall(bpf, 32, attributes, 4)
    if file < 0:
        raise Failure("the kernel does not measure programs")
    return file


class Proxy:
    def __init__(self, net):
        self.config = os.path.join(net.dir, "haproxy.cfg")
        with open(self.config, "w", encoding="ascii") as file:
            file.write(HAPROXY.format(here=BALANCER[4][0], port=PROXY_PORT, there="10.0.0.11",
                                      service=PORT))
        self.process = net["lb"].start("mptcpize", "run", "haproxy", "-db", "-f", self.config,
                                       stderr=subprocess.DEVNULL)
        self.pid = self.process.pid  # nsenter and mptcpize have become it
        wait_until("HAProxy listens", lambda: f":{PROXY_PORT} " in net["lb"].run("ss", "-tlnH"))

    def seconds(self):
        with open(f"/proc/{self.pid}/stat", encoding="ascii") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS


class Balancer:
    def __init__(self, cluster):
        self.pin = os.path.join(cluster.lb.pins, "lb")

    def shown(self):
        return json.loads(subprocess.run((BPFTOOL, "-j", "prog", "show", "pinned", self.pin),
                                         check=True, capture_output=True, text=True).stdout)

    def seconds(self):
        return self.shown().get("run_time_ns", 0) / 1e9


def transfer(net, address, port, way):
    net["client"].run(sys.executable, "-c", TRANSFER, address, str(port), way, str(MEGABYTES))


def check_mptcp(net, before):
    """The proxy must have ended MPTCP, not TCP."""
    if counters(net["lb"])["MPTcpExtMPCapableACKRX"] == before:
        raise Failure("HAProxy spoke plain TCP with the client")


def per_gigabyte(net, party, address, port, way):
    start = party.seconds()
    transfer(net, address, port, way)
    return (party.seconds() - start) / (MEGABYTES * 1.048576 / 1000)


def through_proxy(net, proxy, way):
    ended = counters(net["lb"])["MPTcpExtMPCapableACKRX"]
    seconds = per_gigabyte(net, proxy, BALANCER[4][0], PROXY_PORT, way)
    check_mptcp(net, ended)
    return seconds


def serve(net, stack):
    server = net[SERVER].start(sys.executable, "-c", SERVE, str(PORT), stdout=subprocess.PIPE)
    stack.callback(server.kill)
    server.stdout.readline()


def measure_both(found):
    """Packets of 1,500 bytes, as XDP wants them, for HAProxy as well."""
    with Topology() as net, contextlib.ExitStack() as stack:
        cluster = Cluster(net)
        cluster.start_balancer((SERVER,))
        serve(net, stack)
        cluster.write_config(cluster.servers_config, (SERVER,))
        cluster.attach(SERVER)
        cluster.start_daemon(SERVER)
        wait_until("keys", lambda: cluster.keys_queued(SERVER) >= 20)
        proxy, balancer = Proxy(net), Balancer(cluster)
        stack.callback(proxy.process.kill)
        for _ in range(ROUNDS):
            for way in WAYS:
                found["mptcp-lb, l2", way].append(
                    per_gigabyte(net, balancer, SERVICES[4], PORT, way))
                found["HAProxy", way].append(through_proxy(net, proxy, way))


def measure_offloaded(found):
    """HAProxy as it would run alone: no XDP, all that veths offer to save packets."""
    with Topology() as net, contextlib.ExitStack() as stack:
        net["switch"].ip("link set dev lb0 xdp off")
        for name, device in (("client", "c0"), ("client", "c1"), ("lb", "lb0")):
            net[name].run("ethtool", "-K", device, "tx", "on", "tso", "on", "gso", "on",
                          "gro", "on")
        serve(net, stack)
        proxy = Proxy(net)
        stack.callback(proxy.process.kill)
        for _ in range(ROUNDS):
            for way in WAYS:
                found["HAProxy with offloads", way].append(through_proxy(net, proxy, way))


def report(found):
    lines = [f"| {'CPU seconds per gigabyte':40} | {'median':>8} | {'least':>8} |",
             "|---|--:|--:|"]
    lines += [f"| {f'{who}, client {way}loads':40} | {statistics.median(seconds):8.4f} | "
              f"{min(seconds):8.4f} |" for (who, way), seconds in found.items()]
    os.makedirs(os.path.dirname(TABLE), exist_ok=True)
    with open(TABLE, "w", encoding="ascii") as file:
        file.write("\n".join(lines) + "\n")
    print("\n".join(lines))


def main():
    exit_on_signals()
    if not shutil.which("haproxy"):
        sys.exit("haproxy is not installed: 'make daemons'")
    stats = enable_stats()
    found = {(who, way): [] for who in PARTIES for way in WAYS}
    measure_both(found)
    measure_offloaded(found)
    os.close(stats)
    report(found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
