#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""Joins to join ports, on servers that run none of our programs: kernel endpoints, one sysctl."""

import sys

from cluster import INDICES, JOIN_FAILURES, Cluster
from counters import subflows
from tap import exit_on_signals, run_tests
from topology import CLIENT, SERVERS, SERVICES, Failure, Topology, wait_until

CONNECTIONS = 20
BASE = 20000


class StockCluster(Cluster):
    """`joins: ring` needs no secret: servers choose their tokens themselves."""
    service_settings = ("joins: ring", "flows: off", f"join-port: {BASE}")

    def start_server_sides(self, names=SERVERS, keys=0):
        for name in names:
            space = self.net[name]
            space.sysctl("net.mptcp.allow_join_initial_addr_port=0")

    def announce(self, family):
        """An IPv6 address with a port takes 30 bytes: beside timestamps Linux can't send it."""
        self.net["client"].sysctl(f"net.ipv4.tcp_timestamps={int(family == 4)}")
        for name in SERVERS:
            self.net[name].ip("mptcp endpoint flush")
            self.net[name].ip(f"mptcp endpoint add {SERVICES[family]} "
                              f"port {BASE + INDICES[name]} signal")


def use_second_path(net):
    """The client joins from its second address, to whatever address a server announces."""
    client = net["client"]
    for first, second in CLIENT.values():
        for row in client.run("ip", "mptcp", "endpoint", "show").splitlines():
            address, _, number = row.split()[:3]
            if address in (first, second):
                client.ip(f"mptcp endpoint delete id {number}")
        client.ip(f"mptcp endpoint add {second} dev c1 subflow fullmesh")


class Trial:
    """The whole of it for one family of addresses, in the order of the methods."""

    def __init__(self, cluster, family):
        self.cluster = cluster
        self.client = cluster.client
        self.family = family
        self.why = self.failures = None

    def open(self):
        self.cluster.lb(f"apply {self.cluster.config}")
        self.cluster.announce(self.family)
        self.why = self.cluster.reasons()
        self.failures = self.count_failures()
        opened = self.client.open(CONNECTIONS, self.family)
        self.cluster.wait_for_joins(CONNECTIONS)
        used = {connection["server"] for connection in opened}
        if used != {"s1", "s2", "s3"}:
            raise Failure(f"only {used} were used")

    def count_failures(self):
        now = self.cluster.server_counters()
        return [now[name] for name in JOIN_FAILURES]

    def joins_with_their_connections(self):
        for connection in self.cluster.connections():
            (first, server), (second, other) = connection
            wanted = SERVICES[self.family], BASE + INDICES[server]
            if server != other or second.there != wanted or first.joined:
                raise Failure(f"{connection}: the join should be on {wanted}")
        if self.count_failures() != self.failures:
            raise Failure("a server refused a join")

    def went_by_port(self):
        now = self.cluster.reasons()
        more = {name: now[name] - self.why[name] for name in now}
        if more["join_port"] < 2 * CONNECTIONS or more["ring_new"] < CONNECTIONS:
            raise Failure(f"the balancer counted {more}")
        for name in ("token", "stamp", "ring_join", "ring_join_port_unroutable"):
            if more[name]:
                raise Failure(f"{more[name]} packets went by {name}")

    def joined(self, space, here):
        """By the client's address and port: bytes that went to the server on join ports."""
        return {subflow.here if here else subflow.there: subflow.sent if here else subflow.received
                for subflow in subflows(space) if subflow.joined}

    def move(self):
        """The first subflows, which no stamp holds, are reset; the others carry all data on."""
        before = self.joined(self.cluster.net["client"], here=True)
        self.cluster.move_slots(self.family)
        self.client.progress()
        wait_until("data on every second subflow", lambda: all(
            sent > before[end] + 1000
            for end, sent in self.joined(self.cluster.net["client"], here=True).items()))
        self.client.progress()

    def first_subflows_are_gone(self):
        def left():
            return [s for s in subflows(self.cluster.net["client"]) if not s.joined]

        wait_until("the end of the first subflows", lambda: not left())
        here = subflows(self.cluster.net["client"])
        if len(here) != CONNECTIONS:
            raise Failure(f"{len(here)} subflows are left")

    def bytes_agree(self):
        def agree():
            sent = self.joined(self.cluster.net["client"], here=True)
            received = {}
            for name in SERVERS:
                received.update(self.joined(self.cluster.net[name], here=False))
            return len(sent) == CONNECTIONS and sent == received

        self.client.hold()
        wait_until("as many bytes at the servers as the client sent", agree)
        self.client.flow()

    def finish(self):
        self.client.finish()

    def steps(self):
        return [(f"IPv{self.family}: {name}", step) for name, step in (
            (f"{CONNECTIONS} connections over three backends get two subflows each", self.open),
            ("every join is on its connection's backend, on that one's port",
             self.joins_with_their_connections),
            ("the balancer went by ring and join port alone", self.went_by_port),
            ("data goes on by the second subflows when every slot of the ring moves", self.move),
            ("first subflows, which have no stamps, do not outlive it",
             self.first_subflows_are_gone),
            ("each join's bytes arrive on the backend of its port", self.bytes_agree),
            ("all finish, equal byte for byte both ways", self.finish))]


def main():
    exit_on_signals()
    with Topology() as net:
        cluster = StockCluster(net)
        use_second_path(net)
        cluster.start_balancer(("s1", "s2", "s3"), stamps="off")
        cluster.start_servers()
        cluster.start_server_sides()
        return run_tests([step for family in (4, 6) for step in Trial(cluster, family).steps()],
                         cluster.describe)


if __name__ == "__main__":
    sys.exit(main())
