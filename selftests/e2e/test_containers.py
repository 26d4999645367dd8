#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""Server programs in network namespaces of their own, behind devices of two hosts.

   s1                               s2
  +---------------------------+    +------------------------------------------+
  | eth0                      |    | eth0      forwards      v0 10.0.100.1    |
  |  | macvlan                |    |                          |               |
  | +---------------------+   |    |               +---------------------+    |
  | | m0 10.0.0.21    c1  |   |    |               | eth0 10.0.100.2  c2 |    |
  | +---------------------+   |    |               +---------------------+    |
  +---------------------------+    +------------------------------------------+

The balancer reaches c1 on the link, and c2, which is not on it, by GUE. The server side is
attached inside c1 and c2 alone.
"""

import functools
import subprocess
import sys

from cluster import PYTHON, Client, Cluster, Command
from counters import subflows
from tap import exit_on_signals, run_tests
from topology import NETS, PORT, SERVICES, Failure, Topology, mac, run, wait_until

CONTAINERS = {"c1": 64, "c2": 192}  # their indices
DEVICES = {"c1": "m0", "c2": "eth0"}
CONNECTIONS = 10

CONFIG = """
cluster:
  epoch: 0
  secrets: {{0: {secret}}}
  tunnel-source: 100.64.0.0/24
services:
  - address: {v4}
    ports: [{port}]
    backends:
      - {{index: 64, address: 10.0.0.21, lladdr: '{lladdr}'}}
      - {{index: 192, address: 10.0.100.2, forward: gue}}
  - address: '{v6}'
    ports: [{port}]
    backends: [{{index: 64}}, {{index: 192}}]
"""


class Containers(Cluster):
    def __init__(self, net):
        super().__init__(net)
        with open(self.config, "w", encoding="ascii") as file:
            file.write(CONFIG.format(secret=self.secret, v4=SERVICES[4], v6=SERVICES[6],
                                     port=PORT, lladdr=mac(0x41)))
        for name in CONTAINERS:
            net.make_space(name)
        self.containers = {name: Command(net[name], self.config) for name in CONTAINERS}

    def settle(self, name):
        """As on any server: the service's addresses are on lo."""
        space = self.net[name]
        self.net.set_up(name, "lo", [SERVICES[4] + "/32", SERVICES[6] + "/128"])
        space.ip("mptcp limits set subflows 4 add_addr_accepted 4")
        server = space.start(*PYTHON, "serve", name, str(PORT), *SERVICES.values(),
                             stdout=subprocess.PIPE)
        if server.stdout.readline() != "listening\n":
            raise Failure(f"the server program of {name} does not listen")

    def put_on_the_link(self):
        host = self.net["s1"]
        host.ip("link add link eth0 name m0 type macvlan mode bridge")
        host.ip(f"link set m0 address {mac(0x41)} netns {self.net['c1'].full_name}")
        self.net.set_up("c1", "m0", ["10.0.0.21/24", "2001:db8:b::21/64"])
        for prefix in NETS[4] + NETS[6]:
            self.net["c1"].ip(f"route add {prefix} dev m0")
        self.settle("c1")

    def put_behind(self):
        """A host does not forward what comes from an address that it has itself."""
        host = self.net["s2"]
        host.ip(f"addr del {SERVICES[4]}/32 dev lo")
        host.ip(f"addr del {SERVICES[6]}/128 dev lo")
        host.sysctl("net.ipv4.conf.all.forwarding=1", "net.ipv6.conf.all.forwarding=1")
        run("ip", "link", "add", "v0", "netns", host.full_name, "type", "veth", "peer", "name",
            "eth0", "netns", self.net["c2"].full_name)
        self.net.set_up("s2", "v0", ["10.0.100.1/24", "2001:db8:b100::1/64"])
        self.net.set_up("c2", "eth0", ["10.0.100.2/24", "2001:db8:b100::2/64"])
        self.net["c2"].ip("route add default via 10.0.100.1")
        self.net["c2"].ip("route add default via 2001:db8:b100::1")
        self.net["lb"].ip("route add 10.0.100.0/24 via 10.0.0.12")
        self.settle("c2")

    def start(self):
        self.put_on_the_link()
        self.put_behind()
        for name, side in self.containers.items():
            side(f"server attach dev {DEVICES[name]}")
            self.daemons[name] = self.net[name].start(*side.argv, "server", "run",
                                                      stderr=subprocess.DEVNULL)
        for name, side in self.containers.items():
            wait_until(f"the queue of {name} is full",
                       lambda side=side: side.json("server show")["keys-reserve"])
        self.lb("load")
        self.lb(f"apply {self.config}")
        self.lb("attach dev lb0")
        self.client = Client(self.net["client"])

    def holders(self):
        return {subflow.there: name for name in CONTAINERS
                for subflow in subflows(self.net[name])}


class Trial:
    def __init__(self, cluster):
        self.cluster = cluster

    def indices(self):
        """Found by the containers' own addresses."""
        for name, side in self.cluster.containers.items():
            index = side.json("server show")["index"]
            if index != CONTAINERS[name]:
                raise Failure(f"{name} has index {index}")

    def check(self, name):
        """Twice at most: the kernel's tokens are also those of whoever else is on this machine."""
        for _ in range(2):
            said = self.cluster.containers[name]("server check", check=False)
            if said.count("16 of 16 tokens decode") == 2 and len(said.splitlines()) == 2:
                return
        raise Failure(f"'server check' says {said}")

    def use(self, family):
        """Both serve, joins find them by the token, and later packets by the stamp."""
        cluster = self.cluster
        before = cluster.reasons()
        opened = cluster.client.open(CONNECTIONS, family)
        if {c["server"] for c in opened} != set(CONTAINERS):
            raise Failure(f"not both containers serve: {opened}")
        cluster.wait_for_joins(CONNECTIONS)
        cluster.move_slots(family)
        cluster.client.progress()
        cluster.client.finish()
        after = cluster.reasons()
        if after["token"] - before["token"] < CONNECTIONS:
            raise Failure(f"joins by token: {after['token'] - before['token']}")

    def hosts(self):
        """Nothing is attached there."""
        for name in ("s1", "s2"):
            if "clsact" in self.cluster.net[name].run("tc", "qdisc", "show"):
                raise Failure(f"{name} has a clsact qdisc")


def main():
    exit_on_signals()
    with Topology() as net:
        cluster = Containers(net)
        cluster.start()
        trial = Trial(cluster)
        tests = [("each container finds its index by its own address", trial.indices)]
        tests += [(f"'server check' inside {name} finds nothing",
                   functools.partial(trial.check, name)) for name in CONTAINERS]
        tests += [(f"IPv{family}: connections with joins to both, while every slot moves",
                   functools.partial(trial.use, family)) for family in (4, 6)]
        tests.append(("the hosts' devices have no programs", trial.hosts))
        return run_tests(tests, cluster.describe)


if __name__ == "__main__":
    sys.exit(main())
