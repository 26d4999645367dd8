#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""Two balancers, which a router spreads flows over while they announce the services by BGP.

The router stands between the client and the topology's two balancers, by the same switch. It and
the balancers run BIRD with the configuration in etc/bird, the balancers etc/mptcp-lb-announce.
"""

import os
import re
import signal
import subprocess
import sys

from cluster import INDICES, RESETS, Cluster, Command
from tap import exit_on_signals, run_tests
from topology import (DEADLINE_S, ROOT, SERVICES, Failure, Topology, no_offload, wait_until)

ETC = os.path.join(ROOT, "etc")
MEMBERS = ("s1", "s2", "s3")
CONNECTIONS = 20
ROUTER = {4: ("10.1.0.254", "10.2.0.254"), 6: ("2001:db8:a1::fe", "2001:db8:a2::fe")}
NEXT_HOPS = {"lb": ("10.0.0.1", "2001:db8:b::1"), "lb2": ("10.0.0.2", "2001:db8:b::2")}


class Bird:
    def __init__(self, net, name, text):
        self.space = net[name]
        self.socket = os.path.join(net.dir, f"bird-{name}")
        self.config = self.socket + ".conf"
        with open(self.config, "w", encoding="ascii") as file:
            file.write(text.replace("log syslog all;", f'log "{self.socket}.log" all;'))
        self.birdc = f"birdc -s {self.socket}"
        self.start()

    def start(self):
        self.process = self.space.start("/usr/sbin/bird", "-f", "-c", self.config, "-s",
                                        self.socket, "-P", self.socket + ".pid")


def shipped(name):
    with open(os.path.join(ETC, "bird", name), encoding="ascii") as file:
        return file.read()


class Trial:
    def __init__(self, net):
        self.net = net
        self.cluster = Cluster(net)
        self.balancers = {"lb": self.cluster.lb}
        self.birds, self.announcers = {}, {}

    def build(self):
        self.add_router()
        self.add_balancer()
        second = shipped("balancer.conf")
        for ours, theirs in zip(*NEXT_HOPS.values()):
            second = re.sub(rf"{re.escape(ours)}(?=[; ])", theirs, second)
        self.birds = {"router": Bird(self.net, "router", shipped("router.conf")),
                      "lb": Bird(self.net, "lb", shipped("balancer.conf")),
                      "lb2": Bird(self.net, "lb2", second)}
        self.cluster.write_config(self.cluster.config, MEMBERS)
        self.cluster.start_servers()
        self.cluster.start_server_sides(MEMBERS)

    def add_router(self):
        self.net.make_space("router")
        router, client = self.net["router"], self.net["client"]
        self.net.plug("router", "eth0", 0x40, [
                "10.0.0.254/24", "2001:db8:b::fe/64", *(a + "/24" for a in ROUTER[4]),
                *(a + "/64" for a in ROUTER[6])])
        no_offload(router, "eth0")
        router.sysctl("net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1",
                      "net.ipv4.conf.all.send_redirects=0", "net.ipv4.conf.eth0.send_redirects=0",
                      "net.ipv4.fib_multipath_hash_policy=1",
                      "net.ipv6.fib_multipath_hash_policy=1")
        client.sysctl(*(f"net.ipv6.conf.{d}.accept_redirects=0" for d in ("all", "c0", "c1")))
        for family, gateways in ROUTER.items():
            for path, gateway in enumerate(gateways):
                via = f"via {gateway} dev c{path}"
                client.ip(f"-{family} route replace default {via} table {100 + path}")
            client.ip(f"-{family} route replace {SERVICES[family]} via {gateways[0]} dev c0")

    def add_balancer(self):
        self.net.make_space("lb2")
        self.net.plug("lb2", "lb0", 0x31, ["10.0.0.2/24", "2001:db8:b::2/64"])
        no_offload(self.net["lb2"], "lb0")
        self.net.receive_xdp("switch", "lb2")
        self.balancers["lb2"] = Command(self.net["lb2"], self.cluster.config)

    def ready(self, name, status, *findings):
        argv = self.balancers[name].argv
        done = subprocess.run([*self.net[name].enter, *argv, "ready"], text=True,
                              capture_output=True, check=False)
        said = (done.stdout + done.stderr).splitlines()
        if done.returncode != status or said != list(findings):
            raise Failure(f"ready ended with {done.returncode}: {said}")

    def findings(self):
        lb = self.balancers["lb"]
        self.ready("lb", 3, f"mptcp-lb: nothing is loaded at '{lb.pins}'; try 'mptcp-lb load'")
        lb("load")
        unattached = "the balancer is attached to no device"
        self.ready("lb", 1, unattached, "no service is configured: 'apply' first")
        lb(f"apply {self.cluster.config}")
        self.ready("lb", 1, unattached)
        lb("attach dev lb0")
        self.ready("lb", 0, "ready")
        if not lb.json("ready")["ready"]:
            raise Failure("JSON says otherwise")
        for name in MEMBERS:
            self.ready("lb", 0, "ready")
            lb(f"backend set {INDICES[name]} state {'down' if name == 's1' else 'drain'}")
        none = [f"service {SERVICES[family]} port 443 has no backend that is up and whose "
                "neighbour is known" for family in (4, 6)]
        self.ready("lb", 1, *none)
        lb("backend add 9 address 10.0.7.9")  # no route leads there
        for family in (4, 6):
            lb(f"service backend add {SERVICES[family]} port 443 index 9")
        self.ready("lb", 1, *none)
        lb(f"apply {self.cluster.config}")
        self.ready("lb", 0, "ready")

    def announce(self, name):
        environment = {**os.environ, "MPTCP_LB": " ".join(self.balancers[name].argv),
                       "BIRDC": self.birds[name].birdc, "INTERVAL": "0.2"}
        self.announcers[name] = self.net[name].start(
                os.path.join(ETC, "mptcp-lb-announce"), env=environment,
                stdout=subprocess.DEVNULL, start_new_session=True)

    def wait_for_routes(self, *names):
        """Until the router's next hops are these balancers, and no other."""
        for position, family in enumerate((4, 6)):
            wanted = {NEXT_HOPS[name][position] for name in names}
            wait_until(f"routes to {SERVICES[family]} via {wanted}, not {self.next_hops(family)}",
                       lambda: self.next_hops(family) == wanted)

    def next_hops(self, family):
        said = self.net["router"].ip(f"-{family} route show {SERVICES[family]}")
        return set(re.findall(r"via (\S+)", said))

    def only_the_ready_one(self):
        for name in self.balancers:
            self.announce(name)
        self.wait_for_routes("lb")

    def both(self):
        for words in ("load", f"apply {self.cluster.config}", "attach dev lb0"):
            self.balancers["lb2"](words)
        self.wait_for_routes("lb", "lb2")

    def packets(self, name):
        return sum(row["packets"] for row in self.balancers[name].json("stats")["backends"])

    def spread(self):
        before = {name: self.packets(name) for name in self.balancers}
        self.cluster.client.open(CONNECTIONS, 4)
        self.cluster.client.open(CONNECTIONS, 6)
        self.cluster.wait_for_joins(CONNECTIONS)
        self.resets = {name: self.cluster.server_counters()[name] for name in RESETS}
        self.cluster.client.progress()
        for name, packets in before.items():
            if self.packets(name) < packets + CONNECTIONS:
                raise Failure(f"{name} got {self.packets(name) - packets} packets only")

    def go_on_without(self, name):
        """Every flow arrives at the other balancer now, and none at this one."""
        self.cluster.client.progress(500)
        before = self.packets(name)
        self.cluster.client.progress()
        if self.packets(name) != before:
            raise Failure(f"{name} got packets still")

    def drained(self):
        """In the order of docs/several-balancers.md."""
        self.announcers["lb"].send_signal(signal.SIGTERM)
        if self.announcers["lb"].wait(DEADLINE_S):
            raise Failure("the announcer ended badly")
        self.wait_for_routes("lb2")
        self.go_on_without("lb")
        for words in ("detach dev lb0", "unload", "load", f"apply {self.cluster.config}",
                      "attach dev lb0"):
            self.balancers["lb"](words)
        self.announce("lb")
        self.wait_for_routes("lb", "lb2")
        self.cluster.client.progress()

    def not_ready(self):
        for name in MEMBERS:
            self.balancers["lb2"](f"backend set {INDICES[name]} state drain")
        self.wait_for_routes("lb")
        self.go_on_without("lb2")
        self.balancers["lb2"](f"apply {self.cluster.config}")
        self.wait_for_routes("lb", "lb2")
        self.cluster.client.progress()

    def bird_restarts(self):
        bird = self.birds["lb2"]
        bird.process.terminate()
        bird.process.wait(DEADLINE_S)
        self.wait_for_routes("lb")
        bird.start()
        self.wait_for_routes("lb", "lb2")
        self.cluster.client.progress()

    def finish(self):
        now = self.cluster.server_counters()
        if {name: now[name] for name in RESETS} != self.resets:
            raise Failure(f"resets went from {self.resets}")
        self.cluster.client.finish()

    def steps(self):
        return [
            ("ready says what is missing", self.findings),
            ("a balancer that is ready is announced, another is not", self.only_the_ready_one),
            ("two are announced with equal paths", self.both),
            (f"{CONNECTIONS} connections over IPv4 and IPv6 are spread over both", self.spread),
            ("one is drained and replaced: its flows go on by the other", self.drained),
            ("one is withdrawn when it is not ready, and announced again", self.not_ready),
            ("BIRD restarts, and announces again", self.bird_restarts),
            ("nothing was reset, and all finish, equal byte for byte", self.finish),
        ]

    def describe(self):
        said = [self.net["router"].run(*self.birds["router"].birdc.split(), "show", "protocols",
                                       check=False)]
        return "\n".join([*said, self.cluster.describe()])


def main():
    exit_on_signals()
    with Topology() as net:
        trial = Trial(net)
        trial.build()
        return run_tests(trial.steps(), trial.describe)


if __name__ == "__main__":
    sys.exit(main())
