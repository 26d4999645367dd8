# SPDX-License-Identifier: GPL-2.0-only
"""Two clients with two paths each, a router, two balancers and four servers in network namespaces.

   clients              router (BIRD, ECMP)      balancers (BIRD)           servers
  +----------------+   +-------------------+   +---------------------+   +----------------+
  | c1  p0 10.1.1.2|---| .1                |   | lb1 north 10.3.1.2  |   | s1 .11   s3 .13|
  |     p1 10.2.1.2|---| .1   10.3.1.1 lb1 |---|   south 10.0.0.1 ---|-+ | s2 .12   s4 .14|
  +----------------+   |                   |   +---------------------+ | |   10.0.0.x     |
  | c2  p0 10.1.2.2|---| .1   10.3.2.1 lb2 |---| lb2 north 10.3.2.2  | | | the service on |
  |     p1 10.2.2.2|---| .1                |   |   south 10.0.0.2 ---|-+ | lo             |
  +----------------+   |   lan 10.0.0.254  |   +---------------------+ | +----------------+
                       +---------|---------+                           |         |
                                 +------------- switch ----------------+---------+

The balancers announce 192.0.2.1 to the router by BGP, which spreads flows over them by a hash of
the 5-tuple. Servers answer by way of the router.
"""

import os

from topology import (BPFTOOL, BUILD, SERVERS, SERVICES, Topology, mac, no_offload, run)

CLIENTS = ("c1", "c2")
BALANCERS = ("lb1", "lb2")
SERVICE = SERVICES[4]
PATHS = ("p0", "p1")


def path_of(client, path):
    """The client's address on a path, and the router's."""
    net = f"10.{1 + path}.{1 + CLIENTS.index(client)}"
    return f"{net}.2", f"{net}.1"


def uplink_of(balancer):
    """The balancer's address towards the router, and the router's."""
    net = f"10.3.{1 + BALANCERS.index(balancer)}"
    return f"{net}.2", f"{net}.1"


class Network(Topology):
    def build(self):
        os.makedirs(self.dir, mode=0o700)
        os.mkdir(os.path.dirname(self.program))
        run(BPFTOOL, "prog", "load", os.path.join(BUILD, "pass.bpf.o"), self.program)
        for name in ("switch", "router", *CLIENTS, *BALANCERS, *SERVERS):
            self.make_space(name)
        self["switch"].ip("link add br0 type bridge forward_delay 0 mcast_snooping 0")
        self["switch"].ip("link set br0 up")
        self.make_router()
        for name in CLIENTS:
            self.make_client(name)
        for name in BALANCERS:
            self.make_balancer(name)
        for number, name in enumerate(SERVERS, 1):
            self.make_server(name, number)
        self["c1"].peer("ping", *(uplink_of(name)[1] for name in BALANCERS))

    def join(self, name, device, addresses):
        """A cable to a port of the switch."""
        run("ip", "link", "add", name, "netns", self["switch"].full_name, "type", "veth",
            "peer", "name", device, "netns", self[name].full_name)
        self["switch"].ip(f"link set {name} up master br0")
        self.set_up(name, device, addresses)

    def cable(self, name, device, addresses, port, port_address):
        """A cable to the router."""
        run("ip", "link", "add", port, "netns", self["router"].full_name, "type", "veth",
            "peer", "name", device, "netns", self[name].full_name)
        self.set_up(name, device, addresses)
        self.set_up("router", port, [port_address])
        no_offload(self[name], device)
        no_offload(self["router"], port)

    def make_router(self):
        router = self["router"]
        self.join("router", "lan", ["10.0.0.254/24"])
        no_offload(router, "lan")
        # The 5-tuple, field by field: policy 1 would take the number that the sender's socket gave
        # the packet, which veths carry along and no seed changes.
        router.sysctl("net.ipv4.ip_forward=1", "net.ipv4.fib_multipath_hash_policy=3",
                      "net.ipv4.fib_multipath_hash_fields=0x37")

    def make_client(self, name):
        client = self[name]
        for path, device in enumerate(PATHS):
            address, gateway = path_of(name, path)
            self.cable(name, device, [f"{address}/24"], f"{name}{device}", f"{gateway}/24")
            table = 100 + path
            client.ip(f"route add default via {gateway} dev {device} table {table}")
            client.ip(f"rule add from {address} lookup {table}")
            client.ip(f"mptcp endpoint add {address} dev {device} subflow")
        client.ip(f"route add default via {path_of(name, 0)[1]}")
        client.ip("mptcp limits set subflows 4 add_addr_accepted 4")
        # Newer kernels' clients do without MPTCP for an hour when they lose three SYNs.
        client.sysctl("-e", "net.mptcp.blackhole_timeout=0")

    def make_balancer(self, name):
        here, router = uplink_of(name)
        self.cable(name, "north", [f"{here}/24"], name, f"{router}/24")
        self.join(name, "south", [f"10.0.0.{1 + BALANCERS.index(name)}/24"])
        no_offload(self[name], "south")
        self[name].ip(f"route add default via {router}")
        self.receive_xdp("switch", name)

    def make_server(self, name, number):
        server = self[name]
        run("ip", "link", "add", name, "netns", self["switch"].full_name, "type", "veth",
            "peer", "name", "eth0", "address", mac(0x10 + number), "netns", server.full_name)
        self["switch"].ip(f"link set {name} up master br0")
        self.set_up(name, "eth0", [f"10.0.0.{10 + number}/24"])
        self.set_up(name, "lo", [f"{SERVICE}/32"])
        server.ip("route add default via 10.0.0.254")
        server.ip("mptcp limits set subflows 4 add_addr_accepted 4")
        if number == 2:  # s1 leaves checksums and segments to its device, s2 does not
            no_offload(server, "eth0")
