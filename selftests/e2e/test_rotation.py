#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""The secret is rotated as docs/rotation.md says, while connections live and new ones join."""

import os
import sys
import time

from cluster import JOIN_FAILURES, RESETS, Cluster
from tap import exit_on_signals, run_tests
from topology import Failure, Topology, wait_until

MEMBERS = ("s1", "s2", "s3")
CONNECTIONS = 15
OLD, NEW = 0, 1
STOPPED_S = 3


class Journaled(Cluster):
    """What `server run` says is kept."""

    def journal(self, name):
        return os.path.join(self.net.dir, "journal-" + name)

    def start_daemon(self, name):
        with open(self.journal(name), "w", encoding="utf-8") as journal:
            self.daemons[name] = self.net[name].start(*self.sides[name].argv, "server", "run",
                                                      stderr=journal)

    def said(self, name):
        with open(self.journal(name), encoding="utf-8") as journal:
            return journal.read()


class Trial:
    def __init__(self, cluster):
        self.cluster = cluster
        self.secret = os.path.join(cluster.net.dir, "secret.1")
        self.before = None

    def configure(self, path, epoch, *epochs):
        files = {OLD: self.cluster.secret, NEW: self.secret}
        secrets = ", ".join(f"{e}: {files[e]}" for e in epochs)
        with open(path, encoding="ascii") as file:
            lines = file.read().split("\n")
        lines = [f"  epoch: {epoch}" if "  epoch:" in line else
                 f"  secrets: {{{secrets}}}" if "  secrets:" in line else line for line in lines]
        with open(path + ".new", "w", encoding="ascii") as file:
            file.write("\n".join(lines))
        os.rename(path + ".new", path)

    def apply(self, epoch, *epochs):
        self.configure(self.cluster.config, epoch, *epochs)
        self.cluster.lb(f"apply {self.cluster.config}")
        self.cluster.client.progress(500)

    def secrets(self):
        """What show says, by epoch."""
        return {row["epoch"]: row for row in self.cluster.lb.json("show")["secrets"]}

    def last_join(self, epoch):
        return self.secrets()[epoch].get("last-join-s")

    def open(self, joins):
        self.cluster.client.open(CONNECTIONS, 4)
        self.cluster.wait_for_joins(joins)

    def begin(self):
        self.before = self.cluster.server_counters()
        if "last-join-s" in self.secrets()[OLD]:
            raise Failure("show knows of a join before there was one")
        self.open(CONNECTIONS)
        if self.last_join(OLD) is None:
            raise Failure("show knows of no join")

    def balancers_learn(self):
        with open(self.secret, "w", opener=lambda p, f: os.open(p, f, 0o600)) as file:
            file.write(self.cluster.lb("secret generate"))
        self.apply(OLD, OLD, NEW)
        if self.last_join(OLD) is None or self.last_join(NEW) is not None:
            raise Failure(f"show says {self.secrets()}")

    def servers_switch(self):
        self.configure(self.cluster.servers_config, NEW, OLD, NEW)
        for name in MEMBERS:
            wait_until(f"{name} issues under the new epoch",
                       lambda: f"issued under epoch {NEW}" in self.cluster.said(name))
            wait_until(f"keys for {name}", lambda: self.cluster.keys_queued(name) >= 200)
        self.apply(NEW, OLD, NEW)

    def new_ones_join(self):
        time.sleep(STOPPED_S)
        before = self.cluster.reasons()["token"]
        self.open(2 * CONNECTIONS)
        if self.cluster.reasons()["token"] < before + CONNECTIONS:
            raise Failure("the joins did not go by their tokens")
        old, new = self.last_join(OLD), self.last_join(NEW)
        if new is None or not STOPPED_S <= old > new:
            raise Failure(f"the last joins came {old} s and {new} s ago")

    def retire(self):
        self.apply(NEW, NEW)
        self.configure(self.cluster.servers_config, NEW, NEW)
        if set(self.secrets()) != {NEW} or self.last_join(NEW) is None:
            raise Failure(f"show says {self.secrets()}")
        self.open(3 * CONNECTIONS)

    def another(self):
        """A secret that comes to the same epoch later had no join yet."""
        self.configure(self.cluster.config, NEW, NEW, OLD)
        self.cluster.lb(f"apply {self.cluster.config}")
        if self.last_join(OLD) is not None or self.last_join(NEW) is None:
            raise Failure(f"show says {self.secrets()}")

    def nothing_lost(self):
        now = self.cluster.server_counters()
        worse = {name: now[name] - self.before[name] for name in JOIN_FAILURES + RESETS
                 if now[name] != self.before[name]}
        if worse or now["MPTcpExtMPJoinAckRx"] - self.before["MPTcpExtMPJoinAckRx"] != \
                3 * CONNECTIONS:
            raise Failure(f"lost: {worse}; counted: {now}")
        if self.cluster.reasons()["ring_token_unroutable"]:
            raise Failure("a token was unroutable")
        self.cluster.client.finish()

    def steps(self):
        return [
            (f"{CONNECTIONS} connections join under the old epoch, and show tells", self.begin),
            ("the balancer learns the new secret, and they go on", self.balancers_learn),
            ("the servers switch by themselves", self.servers_switch),
            ("new connections join under the new epoch; show tells how long the old one is idle",
             self.new_ones_join),
            ("the old epoch retires, and new connections join", self.retire),
            ("an epoch that comes back has had no joins", self.another),
            ("no join and no connection was lost", self.nothing_lost),
        ]


def main():
    exit_on_signals()
    with Topology() as net:
        cluster = Journaled(net)
        cluster.start_balancer(MEMBERS)
        cluster.start_servers()
        cluster.start_server_sides(MEMBERS)
        return run_tests(Trial(cluster).steps(), cluster.describe)


if __name__ == "__main__":
    sys.exit(main())
