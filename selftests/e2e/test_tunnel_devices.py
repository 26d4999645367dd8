#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""Servers whose tunnel devices take off what balancers put on: the kernel's, or tunnel.py's.

Such a device has no link-layer header. The server side is attached to it and to eth0, and
knows of another address than packets are tunnelled to, so that it leaves them to the device.
"""

import functools
import json
import os
import subprocess
import sys

from cluster import INDICES, PYTHON
from tap import exit_on_signals, note, run_tests
from test_tunnels import TunnelCluster
from topology import SERVERS, Failure, Topology

CONNECTIONS = 20  # none of the four servers is left out
OWN_DEVICE = "tun0"
KERNEL_DEVICES = ("tunl0", "sit0", "ip6tnl0")  # there, as soon as their modules are
TUNNEL = os.path.join(os.path.dirname(os.path.abspath(__file__)), "tunnel.py")


def make_kernel_devices(space):
    for device in KERNEL_DEVICES:
        space.ip(f"link set {device} up")
    space.ip("-6 tunnel change ip6tnl0 mode any")
    space.ip("fou add port 6080 gue")
    space.ip("-6 fou add port 6080 gue")
    return KERNEL_DEVICES


def make_own_device(space):
    tunnel = space.start(*PYTHON[:-1], TUNNEL, OWN_DEVICE, stdout=subprocess.PIPE)
    if tunnel.stdout.readline() != "listening\n":
        raise Failure(f"the tunnel of {space.name} does not work")
    return (OWN_DEVICE,)


class DeviceCluster(TunnelCluster):
    writing_servers = False

    def __init__(self, net):
        super().__init__(net)
        has = all(net["s1"].ip(f"-br link show {d}", check=False) for d in KERNEL_DEVICES)
        make = make_kernel_devices if has else make_own_device
        self.devices = {name: make(net[name]) for name in SERVERS}
        note(f"by {' '.join(self.devices['s1'])}")

    def backend(self, name):
        said = super().backend(name)
        if self.writing_servers:
            said["address"] = said["address"].replace("10.0.0.", "10.0.1.").replace(":b::", ":bb::")
        return said

    def attach(self, name):
        devices = " ".join(f"dev {device}" for device in ("eth0", *self.devices[name]))
        self.sides[name](f"server attach {devices} index {INDICES[name]}")

    def start_server_sides(self, *words, **more):
        self.writing_servers = True
        super().start_server_sides(*words, **more)
        self.writing_servers = False

    def received(self, name):
        links = [json.loads(self.net[name].ip(f"-j -s link show dev {device}"))[0]
                 for device in self.devices[name]]
        return sum(link["stats64"]["rx"]["packets"] for link in links)


def converse(cluster, family):
    """One connection after the other, since joins take their time by tunnel.py."""
    for count in range(1, CONNECTIONS + 1):
        cluster.client.open(1, family)
        cluster.wait_for_joins(count)
    cluster.client.finish()


def came_by_device(cluster):
    for name in SERVERS:
        counted, received = cluster.counted(name), cluster.received(name)
        if not received > counted["restored"] > 0:
            raise Failure(f"{name} counted {counted}, and its devices {received} packets")
        if counted["decapsulated"]:
            raise Failure(f"{name} counted {counted}")


def main():
    exit_on_signals()
    with Topology() as net:
        cluster = DeviceCluster(net)
        cluster.start_balancer(SERVERS)
        cluster.start_servers()
        cluster.start_server_sides()
        return run_tests([
            *((f"IPv{family}: {CONNECTIONS} connections over four servers, and their joins",
               functools.partial(converse, cluster, family)) for family in (4, 6)),
            ("the packets came by tunnel devices, and lost their stamps there",
             functools.partial(came_by_device, cluster))], cluster.describe)


if __name__ == "__main__":
    sys.exit(main())
