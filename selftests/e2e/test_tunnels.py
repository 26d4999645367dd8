#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""As test_move.py, through tunnels; then uploads in segments that just fit into them."""

import json
import re
import sys

from cluster import INDICES, Cluster
from tap import exit_on_signals
from test_move import run_trials
from topology import PORT, SERVERS, SERVICES, Failure, Topology, mac, wait_until

TUNNELS = {"s1": ("ipip", 4), "s2": ("gue", 4), "s3": ("ipip", 6), "s4": ("gue", 6)}
MERGING = ("s1", "s3")  # whose GRO makes one packet of several
MTU = 1500
HEADERS = {4: 20 + 20, 6: 40 + 20}
TIMESTAMPS = 12
UPLOAD = 20_000_000
CHUNK = 250_000


class TunnelCluster(Cluster):
    settings = ("tunnel-source: 100.64.0.0/24", "tunnel-source-v6: 2001:db8:64::/120")

    def backend(self, name):
        number = SERVERS.index(name) + 1
        kind, family = TUNNELS[name]
        net = {4: "10.0.0.", 6: "2001:db8:b::"}[family]
        return {"address": f"{net}{10 + number}", "lladdr": mac(0x10 + number), "forward": kind}

    def overhead(self, name):
        kind, family = TUNNELS[name]
        return {4: 20, 6: 40}[family] + {"ipip": 0, "gue": 12}[kind]

    def counted(self, name):
        return self.sides[name].json("server show")["counters"]

    def only_to(self, *names):
        """New connections."""
        for name in SERVERS:
            state = "up" if name in names else "drain"
            self.lb(f"backend set {INDICES[name]} state {state}")


def merge(net, name):
    """A veth's GRO works on what comes from a device without TSO."""
    net[name].run("ethtool", "-K", "eth0", "gro", "on")
    net["switch"].run("ethtool", "-K", name, "tso", "off")


def shown(cluster):
    for name in SERVERS:
        show = cluster.sides[name].json("server show")
        said = cluster.backend(name)
        wanted = (said["address"], said["forward"], -cluster.overhead(name))
        if (show["address"], show["decapsulates"], show["mss"]) != wanted:
            raise Failure(f"{name} shows {show}, not {wanted}")


def all_came_by_tunnel(cluster):
    for name in SERVERS:
        counted = cluster.counted(name)
        if counted["decapsulated"] < 100:
            raise Failure(f"{name} counted {counted}")
    nothing_lost_in_tunnels(cluster)


def nothing_lost_in_tunnels(cluster):
    for name in SERVERS:
        bad = {counter: count for counter, count in cluster.counted(name).items()
               if count and counter in ("malformed", "tunnel_malformed", "tunnel_congested",
                                        "tunnel_refused")}
        if bad:
            raise Failure(f"{name} counted {bad}")


def dropped(cluster):
    """What devices between the client and the servers did not take or pass on."""
    total = {}
    for space in ("client", "lb", "switch", *SERVERS):
        for link in json.loads(cluster.net[space].ip("-j -s link show")):
            for way in ("rx", "tx"):
                total[space, link["ifname"], way] = link["stats64"][way]["dropped"]
    return total


def received(cluster, name):
    link, = json.loads(cluster.net[name].ip("-j -s link show dev eth0"))
    return link["stats64"]["rx"]["packets"]


def mss_in_use(cluster):
    """The largest segment that the client's sockets send, less their options."""
    lines = cluster.net["client"].run("ss", "-tniH", f"dport = :{PORT}")
    return {int(mss) for mss in re.findall(r" mss:(\d+)", lines)}


def upload(cluster, name, family):
    cluster.only_to(name)
    before = dropped(cluster), received(cluster, name), cluster.counted(name)["decapsulated"]
    opened, = cluster.client.open(1, family, chunk=CHUNK, pace_s=0, limit=UPLOAD)
    if opened["server"] != name:
        raise Failure(f"{opened['server']} answered")
    cluster.client.progress()
    used, fits = mss_in_use(cluster), MTU - cluster.overhead(name) - HEADERS[family] - TIMESTAMPS
    wait_until("the end of the upload", lambda: all(
        c["finished"] or c["error"] for c in cluster.client.report()))
    cluster.client.finish()
    if used != {fits}:
        raise Failure(f"segments are of {used} bytes, not of {fits}")
    check_drops(cluster, before[0])
    check_merging(cluster, name, received(cluster, name) - before[1],
                  cluster.counted(name)["decapsulated"] - before[2])


def check_drops(cluster, before):
    more = {where: count - before[where] for where, count in dropped(cluster).items()
            if count != before[where]}
    if more:
        raise Failure(f"dropped: {more}")


def check_merging(cluster, name, packets, decapsulated):
    if packets < UPLOAD / MTU:
        raise Failure(f"only {packets} packets came")
    if (decapsulated < packets / 2) != (name in MERGING):
        raise Failure(f"{decapsulated} packets were decapsulated of {packets} on the wire")


def uploads(cluster):
    cluster.write_config(cluster.config, SERVERS)
    cluster.lb(f"apply {cluster.config}")
    for name in SERVERS:
        for family in SERVICES:
            upload(cluster, name, family)
    nothing_lost_in_tunnels(cluster)


def main():
    exit_on_signals()
    with Topology() as net:
        for name in MERGING:
            merge(net, name)
        return run_trials(
            net, ("the servers show their tunnels", shown),
            ("every server took outer headers off, and found none wrong", all_came_by_tunnel),
            (f"{UPLOAD} bytes go up in full segments, by every tunnel", uploads),
            kind=TunnelCluster)


if __name__ == "__main__":
    sys.exit(main())
