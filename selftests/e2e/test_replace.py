#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""`load` on a balancer at work swaps programs, another version's for this one's, and loses no packet."""

import json
import os
import subprocess
import sys

from cluster import Cluster
from flood import Flood
from tap import exit_on_signals, run_tests
from topology import BPFTOOL, BUILD, Failure, Topology, run

OLDER = os.path.join(BUILD, "older", "mptcp-lb")
TURNS = 50
PER_SECOND = 2000
CONNECTIONS = 5


class Trial:
    def __init__(self, net):
        self.net = net
        self.lb = net["lb"]
        self.cluster = Cluster(net)
        self.command = self.cluster.lb
        self.older = (OLDER, *self.command.argv[1:])

    def start(self):
        self.cluster.start_balancer(("s1", "s2", "s3"), stamps="off")
        self.cluster.start_servers()

    def program(self):
        """The tag of the program on lb0: a digest of its instructions."""
        link, = json.loads(self.lb.ip("-j link show dev lb0"))
        return link["xdp"]["prog"]["tag"]

    def pinned(self, name="lb"):
        return json.loads(run(BPFTOOL, "-j", "prog", "show", "pinned",
                              os.path.join(self.command.pins, name)))

    def load(self, turn):
        argv = (self.older, self.command.argv)[turn % 2]
        said = self.lb.run(*argv, "load")
        if said != f"replaced: the programs at '{self.command.pins}', on lb0\n":
            raise Failure(f"load said: {said}")

    def swapped(self):
        tags, before = set(), self.program()
        for turn in range(2):
            self.load(turn)
            tags.add(self.program())
            pins = set(os.listdir(self.command.pins))
            if not {"lb", "lb_frags"} <= pins or "next" in pins:
                raise Failure(f"what is pinned is {pins}")
        if self.program() != before:
            raise Failure("the program on lb0 is not this version's again")
        if len(tags) != 2:
            raise Failure("the two builds are the same")

    def to_backends(self):
        return sum(row["packets"] for row in self.command.json("stats")["backends"])

    def no_packet_lost(self):
        """SYNs that nobody resends: as many are counted, and as many arrive, as were sent."""
        counted, arrived = self.to_backends(), self.arrived()
        with Flood(self.cluster, "s1", PER_SECOND) as flood:
            for turn in range(TURNS):
                self.load(turn)
        if flood.sent < TURNS * 20:
            raise Failure(f"no more than {flood.sent} packets were sent")
        seen = self.to_backends() - counted, self.arrived() - arrived
        if seen != (flood.sent, flood.sent):
            raise Failure(f"{flood.sent} packets were sent; counted, arrived: {seen}")

    def arrived(self):
        """SYNs and other segments that the servers' TCP got; nothing else talks to them."""
        return self.cluster.server_counters()["TcpInSegs"]

    def connections_go_on(self):
        client = self.cluster.client
        for family in (4, 6):
            client.open(CONNECTIONS, family, plain=True)
        before = self.cluster.server_counters()["TcpRetransSegs"]
        for turn in range(4):
            self.load(turn)
            client.progress(200)
        client.finish()
        resent = self.cluster.server_counters()["TcpRetransSegs"] - before
        if resent:
            raise Failure(f"{resent} segments were sent again")

    def beside_another(self):
        """Behind libxdp's dispatcher, where the kernel allows it."""
        self.command("detach dev lb0")
        self.lb.run("xdp-loader", "load", "-s", "xdp", "lb0", os.path.join(BUILD, "pass.bpf.o"))
        self.command("attach dev lb0")
        old = self.behind()
        counted = self.to_backends()
        with Flood(self.cluster, "s1", PER_SECOND) as flood:
            for turn in range(4):
                self.load(turn)
        if self.to_backends() - counted != flood.sent:
            raise Failure(f"{flood.sent} packets were sent, {self.to_backends() - counted} counted")
        new = self.behind()
        if len(new) != len(old) or new & old:
            raise Failure(f"the balancer's programs were {old} and are {new}")

    def behind(self):
        """The ids of the balancer's programs behind the dispatcher."""
        lines = self.lb.run("xdp-loader", "status", "lb0").splitlines()
        return {int(line.split()[3]) for line in lines if line.split()[2:3] == ["lb"]}

    def refuse(self, words, sentence):
        done = subprocess.run([*self.lb.enter, *self.command.argv, *words.split()], text=True,
                              capture_output=True, check=False)
        if done.returncode != 3 or done.stderr != f"mptcp-lb: {sentence}\n":
            raise Failure(f"'{words}' ended with {done.returncode}: {done.stderr}")

    def other_abi(self):
        """Maps of another layout are told by the ABI word, and the way out is the one that is said."""
        state = os.path.join(self.command.pins, "state")
        row, = json.loads(run(BPFTOOL, "-j", "map", "dump", "pinned", state))
        value = [byte.removeprefix("0x") for byte in row["value"]]
        value[0] = "ff"
        run(BPFTOOL, "map", "update", "pinned", state, "key", "hex", "00", "00", "00", "00",
            "value", "hex", *value)
        before = self.pinned()
        self.refuse("load", f"what is loaded at '{self.command.pins}' is of another version: "
                    "'detach', 'unload', 'load' and 'apply' again")
        if self.pinned() != before:
            raise Failure("the refused load changed what is pinned")
        for words in ("detach dev lb0", "unload", "load", f"apply {self.cluster.config}",
                      "attach dev lb0"):
            self.command(words)
        self.cluster.client.open(1, 4, plain=True)
        self.cluster.client.finish()

    def has_dispatcher(self):
        shown, = self.command.json("show")["devices"]
        return shown["dispatcher"]

    def steps(self):
        tests = [
            ("load puts another version's program on the device, and this one's again",
             self.swapped),
            ("connections go on through it, and nothing is sent again", self.connections_go_on),
            (f"{TURNS} loads under traffic: every packet is counted and arrives",
             self.no_packet_lost),
        ]
        if self.has_dispatcher():
            tests.append(("behind libxdp's dispatcher too", self.beside_another))
        return [*tests, ("maps of another ABI are refused, with the way out", self.other_abi)]


def main():
    exit_on_signals()
    with Topology() as net:
        trial = Trial(net)
        trial.start()
        return run_tests(trial.steps(), lambda: trial.command("stats", check=False))


if __name__ == "__main__":
    sys.exit(main())
