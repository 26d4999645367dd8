#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""Without the server side joins fail, and without stamps moved slots break: the tests can fail."""

import sys

from cluster import Cluster
from tap import exit_on_signals, run_tests
from topology import Failure, Topology, wait_until

CONNECTIONS = 20


class Trial:
    def __init__(self, cluster):
        self.cluster = cluster
        self.client = cluster.client

    def joins_fail(self):
        """Where the server side is not attached, a token says nothing: two in three go astray."""
        self.client.open(CONNECTIONS, 4)
        wait_until("joins that find no connection",
                   lambda: self.cluster.server_counters()["MPTcpExtMPJoinNoTokenFound"])
        self.client.progress()
        whole = [c for c in self.cluster.connections() if len({holder for _, holder in c}) == 1
                 and len(c) == 2]
        self.client.forget()
        if len(whole) == CONNECTIONS:
            raise Failure("all joins were made")

    def moved_slots_break(self, family):
        """The server side is there, but the balancer does not go by stamps."""
        self.cluster.net["client"].ip("mptcp endpoint flush")
        self.client.open(CONNECTIONS, family)
        self.client.progress()
        self.cluster.move_slots(family)
        wait_until("every connection loses its subflow", lambda: not self.cluster.connections())
        self.client.forget()


def main():
    exit_on_signals()
    with Topology() as net:
        cluster = Cluster(net)
        cluster.start_balancer(stamps="off")
        cluster.start_servers()
        trial = Trial(cluster)

        def without_stamps(family):
            if not cluster.daemons:
                cluster.start_server_sides(("s1", "s2", "s3"))
            trial.moved_slots_break(family)

        return run_tests([
                ("without the server side, joins fail", trial.joins_fail),
                ("IPv4: without stamps, moved slots break connections", lambda: without_stamps(4)),
                ("IPv6: without stamps, moved slots break connections", lambda: without_stamps(6)),
        ], cluster.describe)


if __name__ == "__main__":
    sys.exit(main())
