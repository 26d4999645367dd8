# SPDX-License-Identifier: GPL-2.0-only
"""BIRD on the router and on the balancers: who announces the service, and what the router makes of it."""

import os
import re
import subprocess

from network import BALANCERS, SERVICE, uplink_of
from topology import Failure, run, wait_until

ROUTER = """\
router id {id};
protocol device {{ scan time 1; }}
protocol kernel {{ ipv4 {{ import none; export where source = RTS_BGP; }}; merge paths on; }}
template bgp balancer {{
	local as 65000;
	ipv4 {{ import all; export none; }};
	check link on;
	connect delay time 1; connect retry time 1; error wait time 1, 1;
}}
"""
NEIGHBOUR = "protocol bgp {name} from balancer {{ neighbor {address} as 65001; }}\n"
BALANCER = """\
router id {here};
protocol device {{ scan time 1; }}
protocol static announced {{ ipv4; route {service}/32 blackhole; }}
protocol bgp uplink {{
	local {here} as 65001;
	neighbor {router} as 65000;
	ipv4 {{ import none; export where proto = "announced"; next hop self; }};
	check link on;
	connect delay time 1; connect retry time 1; error wait time 1, 1;
}}
"""


class Bird:
    def __init__(self, net, name, config):
        self.socket = os.path.join(net.dir, f"{name}.bird")
        path = self.socket + ".conf"
        with open(path, "w", encoding="ascii") as file:
            file.write(config)
        self.daemon = net[name].start("bird", "-f", "-c", path, "-s", self.socket,
                                      stderr=subprocess.DEVNULL)

    def tell(self, *words):
        said = run("birdc", "-s", self.socket, *words)
        if "syntax error" in said:
            raise Failure(f"birdc {' '.join(words)}: {said}")
        return said


class Routing:
    def __init__(self, net):
        self.router = net["router"]
        config = ROUTER.format(id=uplink_of(BALANCERS[0])[1])
        self.birds = {}
        for name in BALANCERS:
            here, router = uplink_of(name)
            config += NEIGHBOUR.format(name=name, address=here)
            self.birds[name] = Bird(net, name, BALANCER.format(here=here, router=router,
                                                               service=SERVICE))
        self.birds["router"] = Bird(net, "router", config)
        self.seeds = 0
        self.wait_for(*BALANCERS)

    def next_hops(self):
        """The balancers to which the router sends the service's address."""
        said = self.router.ip(f"route show {SERVICE}")
        return {name for name in BALANCERS
                if re.search(rf"via {re.escape(uplink_of(name)[0])} dev \S+(?!.*dead)", said)}

    def wait_for(self, *names):
        wait_until(f"the router to send to {' and '.join(names)}",
                   lambda: self.next_hops() == set(names))

    def gateway(self, name):
        return uplink_of(name)[1]

    def withdraw(self, name):
        self.birds[name].tell("disable", "announced")

    def announce(self, name):
        self.birds[name].tell("enable", "announced")

    def change_hash(self):
        """Another seed of the router's hash; before Linux 6.11 there is none, but other fields."""
        self.seeds += 1
        seed = self.seeds * 0x9e3779b9 % 2**32
        try:
            self.router.sysctl(f"net.ipv4.fib_multipath_hash_seed={seed}")
        except Failure:
            fields = 0x17 if self.seeds % 2 else 0x37  # the service's port is always the same
            self.router.sysctl(f"net.ipv4.fib_multipath_hash_fields={fields}")
