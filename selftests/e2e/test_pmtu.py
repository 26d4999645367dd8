#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""Path MTU both ways: tunnels with less room than servers think, and a client behind a narrow link.

   client -- switch -- balancer     The switch's ports to the servers take 1400 bytes, and so do
             |    |                 the balancer's routes to them; the servers announce segments
             |    servers           that fill 1500. Who uploads must learn it from the balancer.
             |
             router -- far          That link takes 1300 bytes, though far announces segments
                                    that fill 1500. The router tells who sends them: the
                                    service's address, whose packets go to the balancer.
"""

import functools
import json
import sys

from cluster import Client
from tap import exit_on_signals, run_tests
from test_tunnels import HEADERS, TIMESTAMPS, TUNNELS, TunnelCluster, mss_in_use
from topology import (BALANCER, NETS, SERVERS, SERVICES, Failure, Topology, no_offload,
                      run)

TUNNEL_MTU = 1400
FAR_MTU = 1300
ETHERNET_MTU = 1500
BYTES = 4_000_000
CHUNK = 250_000
ROUTER = {4: "10.1.0.9", 6: "2001:db8:a1::9"}
FAR = {4: "10.7.0.2", 6: "2001:db8:a7::2"}
FAR_ROUTER = {4: "10.7.0.1", 6: "2001:db8:a7::1"}
FAR_NET = {4: "10.7.0.0/24", 6: "2001:db8:a7::/64"}
PREFIX = {4: 24, 6: 64}


def advmss(family):
    return ETHERNET_MTU - HEADERS[family]


def narrow_servers(net, cluster):
    """What comes back to clients knows of the 1400 bytes; what is announced to them does not."""
    for name in SERVERS:
        address = cluster.backend(name)["address"]
        family = 6 if ":" in address else 4
        net["lb"].ip(f"-{family} route add {address} dev lb0 mtu {TUNNEL_MTU}")
        net["switch"].ip(f"link set {name} mtu {TUNNEL_MTU}")
        for family in SERVICES:
            for destination in NETS[family]:
                net[name].ip(f"-{family} route replace {destination} dev eth0 mtu {TUNNEL_MTU} "
                             f"advmss {advmss(family)}")


def make_far(net):
    for name in ("router", "far"):
        net.make_space(name)
    net["router"].sysctl("net.ipv4.conf.all.forwarding=1", "net.ipv6.conf.all.forwarding=1")
    net.plug("router", "r0", 0x40, [f"{ROUTER[f]}/{PREFIX[f]}" for f in SERVICES])
    run("ip", "link", "add", "r1", "mtu", str(FAR_MTU), "netns", net["router"].full_name,
        "type", "veth",
        "peer", "name", "f0", "mtu", str(FAR_MTU), "netns", net["far"].full_name)
    net.set_up("router", "r1", [f"{FAR_ROUTER[f]}/{PREFIX[f]}" for f in SERVICES])
    net.set_up("far", "f0", [f"{FAR[f]}/{PREFIX[f]}" for f in SERVICES])
    for name, device in (("router", "r0"), ("router", "r1"), ("far", "f0")):
        no_offload(net[name], device)
    for family in SERVICES:
        net["router"].ip(f"-{family} route add {SERVICES[family]} via {BALANCER[family][0]}")
        net["far"].ip(f"-{family} route add default via {FAR_ROUTER[family]} "
                      f"advmss {advmss(family)}")
        for name in SERVERS:
            net[name].ip(f"-{family} route add {FAR_NET[family]} via {ROUTER[family]} dev eth0 "
                         f"onlink mtu {TUNNEL_MTU} advmss {advmss(family)}")


def counted_more(cluster, before):
    return {name: count - before[name] for name, count in cluster.reasons().items()
            if count != before[name]}


def exchange(cluster, client, name, family):
    """Bulk both ways by one connection to that server; returns what the balancer counted."""
    cluster.only_to(name)
    before = cluster.reasons()
    opened, = client.open(1, family, chunk=CHUNK, pace_s=0)
    if opened["server"] != name:
        raise Failure(f"{opened['server']} answered")
    client.progress(BYTES)
    used = mss_in_use(cluster)
    client.finish()
    return counted_more(cluster, before), used


def shown(cluster):
    for row in cluster.lb.json("backend show")["backends"]:
        name = next(n for n in SERVERS if cluster.backend(n)["address"] == row["address"])
        if row["mtu"] != TUNNEL_MTU - cluster.overhead(name):
            raise Failure(f"{name}: {row}")


def upload(cluster, name, family):
    counted, used = exchange(cluster, cluster.client, name, family)
    fits = TUNNEL_MTU - cluster.overhead(name) - HEADERS[family] - TIMESTAMPS
    if not counted.get("too_big"):
        raise Failure(f"counted: {counted}")
    if min(used) != fits:
        raise Failure(f"segments are of {used} bytes, not of {fits}")


def path_mtu(cluster, name, family):
    route, = json.loads(cluster.net[name].ip(f"-j -{family} route get {FAR[family]}"))
    return next((m["mtu"] for m in route.get("metrics", ()) if "mtu" in m), None)


def download(cluster, far, name, family):
    counted, _ = exchange(cluster, far, name, family)
    if not counted.get("icmp_stamp") or counted.get("icmp_ring") or counted.get("too_big"):
        raise Failure(f"counted: {counted}")
    if path_mtu(cluster, name, family) != FAR_MTU:
        raise Failure(f"{name} takes the path's MTU for {path_mtu(cluster, name, family)}")


def main():
    exit_on_signals()
    with Topology() as net:
        cluster = TunnelCluster(net)
        narrow_servers(net, cluster)
        make_far(net)
        cluster.start_balancer(SERVERS)
        cluster.start_servers()
        cluster.start_server_sides(keys=20)
        far = Client(net["far"])
        tests = [("the balancer shows how much of the routes' MTU is left for clients",
                  functools.partial(shown, cluster))]
        for name in SERVERS:
            kind = "{0} over IPv{1}".format(*TUNNELS[name])
            for family in SERVICES:
                tests += [
                    (f"IPv{family} by {kind}: the balancer tells the client what fits, and "
                     f"{BYTES} bytes go each way",
                     functools.partial(upload, cluster, name, family)),
                    (f"IPv{family} by {kind}: a router tells the server what fits, by way of "
                     "the balancer, and as many go each way",
                     functools.partial(download, cluster, far, name, family))]
        return run_tests(tests, cluster.describe)


if __name__ == "__main__":
    sys.exit(main())
