#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""A peer of user space loses packets, either way: it opens, it joins, and every byte arrives."""

import functools
import sys

from cluster import Cluster
from lab import ADDRESSES, DIALECTS, SERVICE, PeerClient, PeerServer
from tap import exit_on_signals, run_tests
from topology import PORT, Failure, Topology

SERVERS = ("s1", "s2", "s3")

# Each Nth packet. A connection is 5 packets, then a join is 4: SYN, SYN/ACK, ACK, ACK.
TRIALS = (*(("v1", "none", number, 1000) for number in (6, 7, 8, 9)),
          ("e", "tls13", 11, 1000), ("g", "tls13", 20, 10000))


def lose(cluster, dialect, keys, number, size):
    words = "dialects", dialect, "keys", keys
    servers = [PeerServer(cluster, name, *words) for name in SERVERS]
    client = PeerClient(cluster.net, *words, "lose", str(number))
    for _ in range(2):
        opened = client.obeyed("open", ADDRESSES[0], SERVICE, PORT)
        if DIALECTS[opened["dialect"]] != dialect or not opened["keys"]:
            raise Failure(f"opened as {opened}")
        if not client.obeyed("join", opened["connection"], ADDRESSES[1])["joined"]:
            raise Failure("the join was refused")
    for subflow in (0, 1):
        sent = client.obeyed("send", opened["connection"], subflow, size)
        if not sent["equal"]:
            raise Failure(f"what came back was not what was sent: {sent}")
    client.obeyed("close", opened["connection"])
    for peer in client, *servers:
        peer.stop()


def main():
    exit_on_signals()
    with Topology() as net:
        cluster = Cluster(net)
        cluster.start_balancer(SERVERS)
        return run_tests([(f"{dialect}, keys: {keys}, each packet number {number} lost: all goes well",
                           functools.partial(lose, cluster, dialect, keys, number, size))
                          for dialect, keys, number, size in TRIALS], lambda: cluster.lb("stats"))


if __name__ == "__main__":
    sys.exit(main())
