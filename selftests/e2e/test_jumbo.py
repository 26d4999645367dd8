#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""Jumbo frames: packets of several buffers, which the balancer's frags program takes, end to end."""

import functools
import os
import sys

from cluster import Cluster
from tap import exit_on_signals, run_tests
from test_tunnels import HEADERS, TIMESTAMPS, TUNNELS, TunnelCluster, mss_in_use
from topology import BPFTOOL, BUILD, SERVERS, SERVICES, Failure, Topology, run

MTU = 9000
BYTES = 4_000_000
CHUNK = 250_000


class JumboTopology(Topology):
    def plug(self, name, device, number, addresses):
        super().plug(name, device, number, addresses)
        port = device if name in ("client", "lb") else name
        self["switch"].ip(f"link set {port} mtu {MTU}")
        self[name].ip(f"link set {device} mtu {MTU}")

    def receive_xdp(self, name, device):
        place = os.path.join(os.path.dirname(self.program), "frags")
        run(BPFTOOL, "prog", "loadall", os.path.join(BUILD, "pass.bpf.o"), place)
        self.program = os.path.join(place, "pass_frags")
        super().receive_xdp(name, device)


class MixedCluster(TunnelCluster):
    """As TunnelCluster, but for one server that is on the link."""

    def backend(self, name):
        return Cluster.backend(self, name) if name == "s3" else super().backend(name)

    def overhead(self, name):
        return 0 if name == "s3" else super().overhead(name)


def upload(cluster, name, family):
    """Cookies keep what the server sends to 1460 bytes; the client goes by what it is told."""
    cluster.only_to(name)
    before = cluster.reasons()
    opened, = cluster.client.open(1, family, chunk=CHUNK, pace_s=0)
    if opened["server"] != name:
        raise Failure(f"{opened['server']} answered")
    cluster.client.progress(BYTES)
    used, fits = mss_in_use(cluster), MTU - cluster.overhead(name) - HEADERS[family] - TIMESTAMPS
    cluster.client.finish()
    if used != {fits}:
        raise Failure(f"segments are of {used} bytes, not of {fits}")
    if cluster.reasons()["stamp"] == before["stamp"]:
        raise Failure("no segment went by its stamp")


def main():
    exit_on_signals()
    with JumboTopology() as net:
        cluster = MixedCluster(net)
        cluster.start_balancer(SERVERS)
        cluster.start_servers()
        cluster.start_server_sides(keys=20)
        tests = []
        for name in SERVERS:
            way = "l2" if name == "s3" else "{0} over IPv{1}".format(*TUNNELS[name])
            tests += [(f"IPv{family} by {way}: {BYTES} bytes go up in segments that fill "
                       f"{MTU}, and as many come back",
                       functools.partial(upload, cluster, name, family)) for family in SERVICES]
        return run_tests(tests, cluster.describe)


if __name__ == "__main__":
    sys.exit(main())
