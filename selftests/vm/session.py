# SPDX-License-Identifier: GPL-2.0-only
"""A few connections with two subflows while the ring moves, for any way to the servers."""

import os
import sys

E2E = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "e2e")
sys.path.insert(0, E2E)
sys.dont_write_bytecode = True

from cluster import RESETS
from topology import Failure

CONNECTIONS = 10


class Session:
    """For one family of addresses; the steps in their order are tests."""

    def __init__(self, cluster, family):
        self.cluster = cluster
        self.client = cluster.client
        self.family = family
        self.before = None

    def open(self):
        self.before = self.cluster.server_counters()
        self.client.open(CONNECTIONS, self.family)
        self.cluster.wait_for_joins(CONNECTIONS)
        astray = [c for c in self.cluster.connections() if len({holder for _, holder in c}) > 1]
        if astray:
            raise Failure(f"the subflows lie on different servers: {astray[0]}")

    def move(self):
        for _ in range(2):
            self.cluster.move_slots(self.family)
            self.client.progress()

    def end(self):
        now = self.cluster.server_counters()
        for name in RESETS:
            if now[name] != self.before[name]:
                raise Failure(f"{name} went from {self.before[name]} to {now[name]}")
        self.client.finish()

    def steps(self, *between):
        """between: further steps, when all subflows are there."""
        return [(f"IPv{self.family}: {name}", step) for name, step in (
            (f"{CONNECTIONS} connections have two subflows each, on the same server", self.open),
            *between,
            ("data goes on when every slot of the ring moves, twice", self.move),
            ("nothing is reset, all finish, equal byte for byte both ways", self.end))]
