#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""Connections with two subflows, while ring and backends change in mid-transfer."""

import functools
import sys

from cluster import INDICES, JOIN_FAILURES, RESETS, Cluster
from tap import exit_on_signals, run_tests
from topology import PORT, SERVICES, Failure, Topology, wait_until

CONNECTIONS = 60
LATER = 30
FIRST = ("s1", "s2", "s3")


class Trial:
    """The whole of it for one family of addresses, in the order of the methods."""

    def __init__(self, cluster, family):
        self.cluster = cluster
        self.client = cluster.client
        self.family = family
        self.before = None
        self.resets = None

    def open(self):
        self.cluster.lb(f"apply {self.cluster.config}")
        self.before = self.cluster.server_counters()
        opened = self.client.open(CONNECTIONS, self.family)
        self.cluster.wait_for_joins(CONNECTIONS)
        used = {connection["server"] for connection in opened}
        if used != set(FIRST):
            raise Failure(f"only {used} were used")
        fallen = [c for c in self.client.report() if not c["mptcp"]]
        if fallen:
            raise Failure(f"{len(fallen)} connections fell back to TCP")

    def joins_with_their_connections(self):
        for connection in self.cluster.connections():
            holders = {holder for _, holder in connection}
            if len(holders) != 1:
                raise Failure(f"a connection lies on {holders}: {connection}")

    def servers_agree(self, joins=CONNECTIONS):
        now = self.cluster.server_counters()
        done = now["MPTcpExtMPJoinAckRx"] - self.before["MPTcpExtMPJoinAckRx"]
        if done != joins:
            raise Failure(f"the servers counted {done} joins")
        for name in JOIN_FAILURES:
            if now[name] != self.before[name]:
                raise Failure(f"{name} went from {self.before[name]} to {now[name]}")

    def went_by_token_and_stamp(self):
        why = self.cluster.reasons()
        if not (why["ring_new"] >= CONNECTIONS and why["token"] >= CONNECTIONS and why["stamp"]):
            raise Failure(f"the balancer counted {why}")

    def move(self):
        self.resets = self.reset_count()
        for _ in range(2):
            self.cluster.move_slots(self.family)
            self.client.progress()

    def keep_moving(self):
        with self.cluster.moving_slots(self.family, every_ms=20):
            self.client.progress(5000)

    def use_second_subflows(self):
        """The first subflows become backups, so that data must take the others."""
        before = self.joined_bytes()
        self.cluster.set_first_subflows(self.family, "backup")
        wait_until("data on every second subflow", lambda: all(
            sent > before[token] + 1000 for token, sent in self.joined_bytes().items()))
        self.client.progress()
        self.cluster.set_first_subflows(self.family, "nobackup")

    def joined_bytes(self):
        return {s.own_token: s.sent for connection in self.cluster.connections()
                for s, _ in connection if s.joined}

    def change_backends(self):
        lb = self.cluster.lb
        said = " ".join(f"{key} {value}" for key, value in self.cluster.backend("s4").items())
        number = INDICES["s4"]
        lb(f"backend add {number} {said}")
        lb(f"service backend add {SERVICES[self.family]} port {PORT} index {number}")
        self.client.progress()
        lb(f"backend set {INDICES['s1']} state drain")
        self.client.progress()

    def open_more(self):
        opened = self.client.open(LATER, self.family)
        self.cluster.wait_for_joins(CONNECTIONS + LATER)
        used = {connection["server"] for connection in opened}
        if used != {"s2", "s3", "s4"}:
            raise Failure(f"{used} were used")
        self.servers_agree(CONNECTIONS + LATER)
        self.joins_with_their_connections()

    def reset_count(self):
        now = self.cluster.server_counters()
        return {name: now[name] for name in RESETS}

    def nothing_reset(self):
        if self.reset_count() != self.resets:
            raise Failure(f"from {self.resets} to {self.reset_count()}")

    def finish(self):
        self.client.finish()

    def steps(self):
        return [(f"IPv{self.family}: {name}", step) for name, step in (
            (f"{CONNECTIONS} connections over three backends get two subflows each", self.open),
            ("every join is on its connection's backend", self.joins_with_their_connections),
            ("the servers counted each join and no failure", self.servers_agree),
            ("the balancer went by ring, token and stamp", self.went_by_token_and_stamp),
            ("data goes on when every slot of the ring moves, twice", self.move),
            ("and while all slots move fifty times a second", self.keep_moving),
            ("the second subflows carry data as well", self.use_second_subflows),
            ("data goes on when a backend is added and one drains", self.change_backends),
            ("new connections use the new backend, not the draining one", self.open_more),
            ("nothing was reset", self.nothing_reset),
            ("all finish, equal byte for byte both ways", self.finish))]


def run_trials(net, *more, kind=Cluster):
    """more: further tests, of the cluster as the trials left it."""
    cluster = kind(net)
    cluster.start_balancer(FIRST)
    cluster.start_servers()
    cluster.start_server_sides()
    tests = [step for family in (4, 6) for step in Trial(cluster, family).steps()]
    tests += [(name, functools.partial(test, cluster)) for name, test in more]
    return run_tests(tests, cluster.describe)


def main():
    exit_on_signals()
    with Topology() as net:
        return run_trials(net)


if __name__ == "__main__":
    sys.exit(main())
