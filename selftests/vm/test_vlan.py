#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""Client, balancer and servers on VLAN devices, the programs attached to those."""

import sys

from session import Session

from cluster import Cluster
from tap import exit_on_signals, run_tests
from topology import Topology

FIRST = ("s1", "s2", "s3")
VLAN = 10


class TaggedTopology(Topology):
    """Each device is a VLAN of the cable, whose name is the device's and 't', for trunk."""

    def plug(self, name, device, number, addresses):
        super().plug(name, device, number, [])
        trunk, space = f"{device}t", self[name]
        space.ip(f"link set {device} down")
        space.ip(f"link set {device} name {trunk}")
        space.ip(f"link set {trunk} up")
        space.ip(f"link add link {trunk} name {device} type vlan id {VLAN}")
        self.set_up(name, device, addresses)


def start(cluster):
    cluster.write_config(cluster.config, FIRST)
    cluster.lb("load")
    cluster.lb(f"apply {cluster.config}")
    cluster.lb("attach dev lb0 generic")  # VLAN devices have no other mode
    cluster.start_servers()
    cluster.start_server_sides(FIRST)


def main():
    exit_on_signals()
    with TaggedTopology() as net:
        cluster = Cluster(net)
        start(cluster)
        return run_tests([step for family in (4, 6) for step in Session(cluster, family).steps()],
                         cluster.describe)


if __name__ == "__main__":
    sys.exit(main())
