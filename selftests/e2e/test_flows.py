#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""A client without TCP timestamps: `flows joins` holds its second subflows."""

import sys

import second_subflows
from cluster import Cluster
from second_subflows import CONNECTIONS
from tap import exit_on_signals, run_tests
from topology import PORT, Topology


class CachingCluster(Cluster):
    service_settings = ("flows: joins", "flow-entries: 8192")


class Trial(second_subflows.Trial):
    def wanted_port(self, server):
        return PORT

    def went_by_cache(self):
        self.went_by(("ring_new", "token", "flow"), ("stamp", "ring_token_unroutable"))

    def steps(self):
        return [(f"IPv{self.family}: {name}", step) for name, step in (
            (f"{CONNECTIONS} connections over three backends get two subflows each", self.open),
            ("every join is on its connection's backend", self.joins_with_their_connections),
            ("the balancer went by ring, token and cache, and by no stamp", self.went_by_cache),
            ("data goes on by the second subflows when every slot of the ring moves", self.move),
            ("first subflows, which are not in the cache, do not outlive it",
             self.first_subflows_are_gone),
            ("an `apply` forgets none of the second ones", self.apply),
            ("each join's bytes arrive on its backend", self.bytes_agree),
            ("all finish, equal byte for byte both ways", self.finish))]


def main():
    exit_on_signals()
    with Topology() as net:
        cluster = CachingCluster(net)
        net["client"].sysctl("net.ipv4.tcp_timestamps=0")
        cluster.start_balancer(("s1", "s2", "s3"))
        cluster.start_servers()
        cluster.start_server_sides(("s1", "s2", "s3"), keys=100)
        return run_tests([step for family in (4, 6) for step in Trial(cluster, family).steps()],
                         cluster.describe)


if __name__ == "__main__":
    sys.exit(main())
