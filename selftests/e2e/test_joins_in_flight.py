#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""Joins that fail end, and joins that are too many come later."""

import os
import sys

from tap import exit_on_signals, run_tests
from topology import BUILD, Failure
from wire import ServerSide, Wire, open_connections

CONNECTIONS = 5
FEW = 3
MANY = 40
# Of them join in HOLD_MANY_MS: 31, less two for each pair that meets in a slot. If one at a time
# were let in, 6.
MOST = 25
HOLD_MANY_MS = 6000
HOLD_MS = 3000
DELAY_MS = 10
AT_ONCE = 1000000  # a second


class Trial:
    def __init__(self, side, family):
        self.side = side
        self.net = side.net
        self.family = family

    def set_joins_max(self, number):
        self.net["server"].run(os.path.join(BUILD, "set-joins-max"), self.net.pins, str(number))

    def trial(self, count, *words, hold_ms=HOLD_MS):
        """What the client and the wire say, and how often joins were reset and held back."""
        before = self.side.show()["counters"]
        with self.net.carried(DELAY_MS, 0, *words) as seen:
            said = open_connections(self.net, count, AT_ONCE, hold_ms, self.family)
        after = self.side.show()["counters"]
        if said["answered"] != count or said["alone"] != count or said["fallen_back"]:
            raise Failure(f"not every connection worked: {said}")
        return said["joined"], seen["repeated"], *(
                after[name] - before[name] for name in ("join_reset", "join_held_back"))

    def dead(self):
        found = self.trial(CONNECTIONS, "spoil")
        if found != (0, 0, CONNECTIONS, 0):
            raise Failure(f"joined, repeated, reset, held back: {found}")

    def undead(self):
        self.set_joins_max(0)
        found = self.trial(CONNECTIONS, "spoil")
        self.set_joins_max(32)
        if found != (0, CONNECTIONS, 0, 0):
            raise Failure(f"joined, repeated, reset, held back: {found}")

    def many(self):
        self.set_joins_max(1)
        joined, repeated, _, held_back = self.trial(FEW)
        self.set_joins_max(32)
        if joined != FEW or repeated or not held_back:
            raise Failure(f"{joined} joined, {held_back} held back, {repeated} repeated")

    def far_too_many(self):
        self.set_joins_max(1)
        joined, _, _, held_back = self.trial(MANY, hold_ms=HOLD_MANY_MS)
        self.set_joins_max(32)
        if joined < MOST or not held_back:
            raise Failure(f"{joined} joined, {held_back} held back")

    def steps(self):
        return [(f"IPv{self.family}: {name}", step) for name, step in (
            ("a join that the kernel has forgotten ends in RST", self.dead),
            ("its client would go on for ever if joins were left alone", self.undead),
            ("joins that are too many at a time are held back, and come to be", self.many))]


def main():
    exit_on_signals()
    with Wire() as net:
        side = ServerSide(net)
        side.attach()
        for_both = []
        for family in (4, 6):
            side.listen(family)
            for_both += Trial(side, family).steps()
        far_too_many = ("joins that are far too many do not pile up",
                        Trial(side, 4).far_too_many)
        return run_tests([*for_both, far_too_many], side.describe)


if __name__ == "__main__":
    sys.exit(main())
