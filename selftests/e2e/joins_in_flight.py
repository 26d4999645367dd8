#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""`make joins-in-flight`: how joins fare against the kernel's 1024 slots, as a table.

Each connection joins once; the remedy is what bpf/server_joins.bpf.h does. JOIN_SECONDS says how
long each line lasts. A third ACK that comes more than three times is one that is repeated
without end; HOLD_S bounds it here.
"""

import os
import sys

from tap import exit_on_signals
from topology import BUILD
from wire import ServerSide, Wire, open_connections

JOIN_SECONDS = int(os.environ.get("JOIN_SECONDS", "120"))
HOLD_S = 30
RATES = [int(rate) for rate in os.environ.get("RATES", "20 50 100 200").split()]
ROUND_TRIPS_MS = (50, 100)
BURST = 200
JOINS_MAX = 32  # SERVER_JOINS_MAX
AT_ONCE = 1000000  # a second
HEAD = ("joins/s", "RTT ms", "remedy", "connections", "joined %", "held back", "reset",
        "repeated without end", "most repeats")


def measure(side, rate, rtt_ms, remedy):
    net = side.net
    net["server"].run(os.path.join(BUILD, "set-joins-max"), net.pins,
                      str(JOINS_MAX if remedy else 0))
    before = side.show()["counters"]
    count = BURST if rate == AT_ONCE else rate * JOIN_SECONDS
    with net.carried(rtt_ms // 2) as seen:
        said = open_connections(net, count, rate, HOLD_S * 1000)
    after = side.show()["counters"]
    multipath = said["answered"] - said["fallen_back"]
    return ("at once" if rate == AT_ONCE else rate, rtt_ms, "yes" if remedy else "no",
            multipath, f"{100 * said['joined'] / multipath:.2f}",
            after["join_held_back"] - before["join_held_back"],
            after["join_reset"] - before["join_reset"], seen["repeated"],
            seen["most_third_acks"] - 1)


def main():
    exit_on_signals()
    with Wire() as net:
        side = ServerSide(net)
        side.attach(keys=5000)
        side.listen()
        print("| " + " | ".join(HEAD) + " |\n|" + "---|" * len(HEAD), flush=True)
        for rate in (*RATES, AT_ONCE):
            for rtt_ms in ROUND_TRIPS_MS:
                for remedy in (False, True):
                    row = measure(side, rate, rtt_ms, remedy)
                    print("| " + " | ".join(str(cell) for cell in row) + " |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
