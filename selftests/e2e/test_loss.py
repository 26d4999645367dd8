#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""Segments are lost at random, 5 % either way: with our programs no worse than without them.

LOST says over how many connections. Without them the kernel keeps the same cookies.
"""

import math
import os
import sys

from counters import counters, nonzero
from tap import exit_on_signals, note, run_tests
from topology import Failure
from wire import ServerSide, Wire, open_connections

LOST = int(os.environ.get("LOST", "100"))
PER_SECOND = 50
PER_MILLE = 50
DELAY_MS = 5
HOLD_MS = 8000  # a join's SYN is repeated some times meanwhile


def lose(side):
    """How many did not come to their end, and how many of the others did not join."""
    with side.net.carried(DELAY_MS, PER_MILLE) as seen:
        said = open_connections(side.net, LOST, PER_SECOND, HOLD_MS)
    note(f"{said}; {seen}")
    return {"failed": LOST - said["answered"],
            "not joined": said["answered"] - said["fallen_back"] - said["joined"],
            "fallen back": said["fallen_back"]}


def bound(expected):
    """Three standard deviations of the difference of two counts, and one."""
    return expected + 1 + 3 * math.sqrt(2 * expected + 1)


class Trial:
    def __init__(self, side):
        self.side = side
        self.with_programs = None

    def attached(self):
        self.side.attach()
        self.with_programs = lose(self.side)
        replaced = self.side.counted("key_replaced")
        refused = counters(self.side.space)["MPTcpExtMPJoinNoTokenFound"]
        if replaced < LOST - self.with_programs["failed"] or refused:
            raise Failure(f"{replaced} keys replaced, {refused} joins refused for their token")

    def detached(self):
        self.side.detach()
        self.side.space.sysctl("net.ipv4.tcp_syncookies=2", "net.ipv4.tcp_timestamps=2")
        without = lose(self.side)
        note(f"with: {self.with_programs}, without: {without}")
        for name, expected in without.items():
            if self.with_programs[name] > bound(expected):
                raise Failure(f"{name}: {self.with_programs[name]} with, {expected} without")


def main():
    exit_on_signals()
    with Wire() as net:
        side = ServerSide(net)
        side.listen()
        trial = Trial(side)
        return run_tests([
                (f"{LOST} connections get replaced keys, and no join is refused for its token",
                 trial.attached),
                (f"without our programs as many of {LOST} connections fail", trial.detached),
        ], lambda: nonzero(side.space))


if __name__ == "__main__":
    sys.exit(main())
