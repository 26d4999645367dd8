#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""Connections over paths that delay, reorder and, once the subflows are there, lose packets."""

import sys

from session import Session

from cluster import Cluster
from counters import counters
from tap import exit_on_signals, run_tests
from topology import SERVERS, Failure, Topology, wait_until

FIRST = ("s1", "s2", "s3")
DELAY = "delay 10ms 3ms"
LOSS = "loss 2%"
DEVICES = (("client", "c0"), ("client", "c1"), *((name, "eth0") for name in SERVERS))


def impair(net, verb, how):
    for name, device in DEVICES:
        net[name].run("tc", "qdisc", verb, "dev", device, "root", "netem", *how.split())


def retransmitted(net):
    return {name: counters(net[name])["TcpRetransSegs"] for name in ("client", *FIRST)}


def lose(net):
    """Both ends must have something to repeat, or the loss would prove nothing."""
    before = retransmitted(net)
    impair(net, "change", f"{DELAY} {LOSS}")

    def repeated():
        now = retransmitted(net)
        return now["client"] > before["client"] and any(now[n] > before[n] for n in FIRST)

    wait_until("retransmissions at both ends", repeated)


def steps(cluster, family):
    """No loss while connections are made: design.md, section 5, says what it does to cookies."""
    net = cluster.net
    return [*Session(cluster, family).steps(("packets are lost both ways", lambda: lose(net))),
            (f"IPv{family}: the loss ends", lambda: impair(net, "change", f"{DELAY} loss 0%"))]


def main():
    exit_on_signals()
    with Topology() as net:
        cluster = Cluster(net)
        cluster.start_balancer(FIRST)
        cluster.start_servers()
        cluster.start_server_sides(FIRST)
        impair(net, "add", DELAY)
        return run_tests([step for family in (4, 6) for step in steps(cluster, family)],
                         cluster.describe)


if __name__ == "__main__":
    sys.exit(main())
