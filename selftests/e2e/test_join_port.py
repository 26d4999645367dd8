#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""Joins to join ports, on servers that run none of our programs: kernel endpoints, one sysctl."""

import sys

import second_subflows
from cluster import INDICES, Cluster
from second_subflows import CONNECTIONS
from tap import exit_on_signals, run_tests
from topology import CLIENT, SERVERS, SERVICES, Topology

BASE = 20000


class StockCluster(Cluster):
    """`joins: ring` needs no secret: servers choose their tokens themselves."""
    service_settings = ("joins: ring", "flows: off", f"join-port: {BASE}")

    def start_server_sides(self, names=SERVERS, keys=0):
        for name in names:
            self.net[name].sysctl("net.mptcp.allow_join_initial_addr_port=0")

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
    client.ip("mptcp endpoint flush")
    for _, second in CLIENT.values():
        client.ip(f"mptcp endpoint add {second} dev c1 subflow fullmesh")


class Trial(second_subflows.Trial):
    def open(self):
        self.cluster.announce(self.family)
        super().open()

    def wanted_port(self, server):
        return BASE + INDICES[server]

    def went_by_port(self):
        self.went_by(("ring_new", "join_port"),
                     ("token", "stamp", "ring_join", "ring_join_port_unroutable"))

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
