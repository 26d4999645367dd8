#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""Stamps of idle connections and of idle backup subflows are refreshed from the server's side."""

import json
import os
import subprocess
import sys
import time

from cluster import INDICES, RESETS, Cluster
from tap import exit_on_signals, run_tests
from topology import BUILD, Failure, Topology, wait_until

CONNECTIONS = 10
REFRESH = os.path.join(BUILD, "refresh-stamps")
STAMPS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "stamps.py")
IDLE_S = 2  # more than refresh-stamps asks for
SLOT_MS = 1 << 24
ROUNDED_MS = 128  # the offset, and a tick of two clocks


class Trial:
    def __init__(self, cluster, family):
        self.cluster = cluster
        self.client = cluster.client
        self.family = family
        self.side = cluster.sides["s2"]

    def fall_idle(self):
        """All subflows, and none has said anything for a while."""
        self.client.open(CONNECTIONS, self.family)
        self.cluster.wait_for_joins(CONNECTIONS)
        self.client.hold()
        wait_until("nothing is on its way", lambda: all(
            c["sent"] == c["received"] for c in self.client.report()))
        time.sleep(IDLE_S)

    def speak(self):
        """When the stamps were made that clients echo first after their silence (ms)."""
        watch = self.cluster.net["client"].start(sys.executable, "-B", STAMPS, "first",
                                                 stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        if watch.stdout.readline() != "listening\n":
            raise Failure("the capture does not start")
        self.client.finish()
        seen = json.loads(watch.communicate()[0])
        if len(seen) != 2 * CONNECTIONS:
            raise Failure(f"{len(seen)} subflows spoke, and not {2 * CONNECTIONS}")
        return [at - (at + INDICES["s2"] * SLOT_MS - tsecr) % (1 << 32)
                for tsecr, at in seen.values()]

    def grow_old(self):
        """Left alone, the first echo is from before the silence."""
        self.fall_idle()
        silent_since = (time.time() - IDLE_S / 2) * 1000
        made = self.speak()
        if max(made) > silent_since:
            raise Failure(f"a stamp is new: {sorted(t - silent_since for t in made)}")

    def refresh(self):
        """A fresh one reaches every subflow, and the clients need not say a word."""
        self.fall_idle()
        before = self.resets()
        began = time.time() * 1000 - ROUNDED_MS
        self.cluster.net["s2"].run(REFRESH, "-p", self.side.pins)
        time.sleep(0.2)
        if self.resets() != before:
            raise Failure(f"resets went from {before} to {self.resets()}")
        made = self.speak()
        if min(made) < began:
            raise Failure(f"a stamp is old: {sorted(t - began for t in made)}")

    def resets(self):
        now = self.cluster.server_counters()
        return {name: now[name] for name in RESETS}


def main():
    exit_on_signals()
    with Topology() as net:
        cluster = Cluster(net)
        cluster.start_balancer(("s2",))
        cluster.start_servers(("s2",))
        cluster.start_server_sides(("s2",))
        tests = []
        for family in (4, 6):
            trial = Trial(cluster, family)
            tests += [(f"IPv{family}: stamps of idle subflows grow old", trial.grow_old),
                      (f"IPv{family}: refreshed, each subflow's first echo is a new stamp",
                       trial.refresh)]
        return run_tests(tests, cluster.describe)


if __name__ == "__main__":
    sys.exit(main())
