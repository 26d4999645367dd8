#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""Other handshakes than usual: a 4-tuple in TIME_WAIT, and cookies that are not forced."""

import sys

from cluster import Cluster
from tap import exit_on_signals, run_tests
from topology import CLIENT, PORT, SERVICES, Failure, Topology, wait_until

FIRST = ("s1", "s2", "s3")
CONNECTIONS = 10
LIMIT = 4000  # bytes after which the server closes


class Trial:
    def __init__(self, cluster, family):
        self.cluster = cluster
        self.client = cluster.client
        self.family = family

    def waiting_at(self, port):
        """Servers that hold the first subflow's 4-tuple in TIME_WAIT."""
        command = "ss", "-tanH", "state", "time-wait", f"sport = :{PORT} and dport = :{port}"
        return [name for name in FIRST if self.cluster.net[name].run(*command).strip()]

    def counted(self, counter):
        return sum(self.cluster.sides[name].json("server show")["counters"][counter]
                   for name in FIRST)

    def finish_early(self, **more):
        """One connection that the server closes first."""
        opened, = self.client.open(1, self.family, limit=LIMIT, pace_s=0.02, **more)
        wait_until("the server has closed",
                   lambda: all(c["finished"] or c["error"] for c in self.client.report()))
        self.client.finish()
        return opened

    def reuse(self):
        before = self.counted("not_a_cookie")
        for _ in range(CONNECTIONS):
            port = self.finish_early()["port"]
            name, = wait_until("TIME_WAIT at a server", lambda: self.waiting_at(port))
            source = CLIENT[self.family][0]
            again = self.finish_early(**{"from": (source, port)})
            if (again["server"], again["port"]) != (name, port):
                raise Failure(f"port {port} at {name} was reused as {again}")
        plain = self.counted("not_a_cookie") - before
        if plain < CONNECTIONS:
            raise Failure(f"only {plain} SYN/ACKs kept the kernel's key")

    def with_cookies_on_demand(self):
        before = self.counted("key_replaced")
        for name in FIRST:
            self.cluster.net[name].sysctl("net.ipv4.tcp_syncookies=1")
        self.client.open(CONNECTIONS, self.family)
        self.client.progress()
        self.cluster.move_slots(self.family)
        self.client.progress()
        self.client.finish()
        if self.counted("key_replaced") != before:
            raise Failure("a key was replaced where the kernel would not adopt it")
        for name in FIRST:
            self.cluster.net[name].sysctl("net.ipv4.tcp_syncookies=2")

    def steps(self):
        return [(f"IPv{self.family}: {name}", step) for name, step in (
            ("a client reuses a port at once that the server has in TIME_WAIT", self.reuse),
            ("connections work with tcp_syncookies=1", self.with_cookies_on_demand))]


def main():
    exit_on_signals()
    with Topology() as net:
        cluster = Cluster(net)
        cluster.start_balancer(FIRST)
        cluster.start_servers()
        cluster.start_server_sides(FIRST)
        trials = [Trial(cluster, family) for family in (4, 6)]
        return run_tests([step for trial in trials for step in trial.steps()], cluster.describe)


if __name__ == "__main__":
    sys.exit(main())
