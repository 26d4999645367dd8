#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""`make throughput`: how fast a server sends and receives by a bare veth with offloads, as Gbit/s:
without the server side, with its sysctls alone, and with its programs, too. (What else has to be
the same, test_same.py compares.)

The three take turns, each is first in every third round, and they are compared round by round. What
else the rate hangs on is kept still: each end has a CPU, and no daemon searches keys on them;
Reno, since BBR goes by rates that it measures, which are chance where a round trip takes
microseconds; for TCP a window that the caches hold. MPTCP has a large one, since Linux drops what
does not fit and then waits 200 ms; that still happens, so its rates scatter.

ROUNDS=N: so many. LINK=10gbit: by a link of that rate, each way, in place of one without bound.
"""

import math
import os
import statistics
import subprocess
import sys

from tap import exit_on_signals
from topology import PORT, SERVICES
from wire import DEVICES, ServerSide, Wire

ROUNDS = int(os.environ.get("ROUNDS", "21"))
LINK = os.environ.get("LINK")
BURST = "1mb"  # more than a segment of a veth
SECONDS_EACH = 0.5
PROTOCOLS = {"TCP": (6, 1 << 19), "MPTCP": (262, 1 << 25)}  # the number, the largest window
LAYERS = ("without", "sysctls", "programs")
COOKIES, STAMPS = "net.ipv4.tcp_syncookies", "net.ipv4.tcp_timestamps"
KINDS = [(name, task) for name in PROTOCOLS for task in ("sends", "receives")]

END = """
import os, socket, sys, time
end, sends, address, port, protocol, seconds = sys.argv[1:]
cpus = sorted(os.sched_getaffinity(0))
os.sched_setaffinity(0, [cpus[0 if end == "server" else -1]])
sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, int(protocol))
if end == "server":
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((address, int(port)))
    sock.listen()
    print("listening", flush=True)
    sock = sock.accept()[0]
else:
    sock.connect((address, int(port)))
room, got, start = bytearray(1 << 20), 0, time.monotonic()
if sends == "True":
    while time.monotonic() < start + float(seconds):
        sock.sendall(room)
else:
    while new := sock.recv_into(room):
        got += new
    print(got * 8e-9 / (time.monotonic() - start))
"""


def start_end(net, end, sends, protocol):
    return net[end].start(sys.executable, "-c", END, end, str(sends), SERVICES[4], str(PORT),
                          str(protocol), str(SECONDS_EACH), stdout=subprocess.PIPE)


def measure(net, name, task):
    protocol, window = PROTOCOLS[name]
    for end in ("client", "server"):
        net[end].sysctl("net.ipv4.tcp_congestion_control=reno",
                        f"net.ipv4.tcp_rmem=4096 131072 {window}")
    server = start_end(net, "server", task == "sends", protocol)
    server.stdout.readline()
    client = start_end(net, "client", task == "receives", protocol)
    said = [end.communicate()[0] for end in (server, client)]
    return float("".join(said))


def bound(net):
    print(f"by a link of {LINK}", flush=True)
    for end, device in DEVICES.items():
        net[end].run("tc", "qdisc", "add", "dev", device, "root", "tbf", "rate", LINK, "burst",
                     BURST, "latency", "20ms")


def measure_all(side, layer):
    if layer == "programs":
        side.put_on()
    elif layer == "sysctls":
        side.space.sysctl(f"{COOKIES}=2", f"{STAMPS}=2")
    rates = [measure(side.net, *kind) for kind in KINDS]
    if layer == "programs":
        side.take_off()
    side.space.sysctl(f"{COOKIES}=1", f"{STAMPS}=1")
    return rates


def report(kind, rates):
    for layer in LAYERS:
        ratios = [math.log(b / a) for a, b in zip(rates["without"], rates[layer])]
        error = statistics.stdev(ratios) / math.sqrt(len(ratios))
        print(f"{kind:15} {layer:8} median {statistics.median(rates[layer]):6.2f}  "
              f"lowest {min(rates[layer]):6.2f}  highest {max(rates[layer]):6.2f} Gbit/s, "
              f"ratio {math.exp(statistics.mean(ratios)):.3f}, standard error {error:.3f}")


def main():
    exit_on_signals()
    found = {layer: [] for layer in LAYERS}
    with Wire(bare=True) as net:
        side = ServerSide(net)
        if LINK:
            bound(net)
        for turn in range(max(ROUNDS, 2)):
            first = turn % len(LAYERS)
            for layer in LAYERS[first:] + LAYERS[:first]:
                found[layer].append(measure_all(side, layer))
    for number, (name, task) in enumerate(KINDS):
        report(f"{name}, {task}", {layer: [rates[number] for rates in found[layer]]
                                   for layer in LAYERS})
    return 0


if __name__ == "__main__":
    sys.exit(main())
