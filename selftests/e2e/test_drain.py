#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""A backend drains until its traffic has ended, and its index rests before another may have it."""

import json
import os
import signal
import subprocess
import sys
import time

from cluster import INDICES, Cluster
from tap import exit_on_signals, run_tests
from topology import BPFTOOL, Failure, Topology, mac, run, wait_until

DRAINED = "s1"
INDEX = INDICES[DRAINED]
CONNECTIONS = 20  # so many that hardly ever one of two backends gets none
BANKS, LINES, REMOVED_AT = 2, 4096, 48  # of struct backend in include/types.h
REST = f"index {INDEX} was 10.0.0.11 not long ago, and idle connections may come back to it for "
OLD, NEW = f"address 10.0.0.11 lladdr {mac(0x11)}", f"address 10.0.0.99 lladdr {mac(0x99)}"


class Trial:
    def __init__(self, net):
        self.net = net
        self.cluster = Cluster(net)
        self.lb = self.cluster.lb

    def start(self):
        self.cluster.start_balancer(("s1", "s2"), stamps="off")
        self.lb("service set 192.0.2.1 port 443 flows all")  # in place of stamps
        self.cluster.start_servers()
        self.cluster.client.open(CONNECTIONS, 4, plain=True)
        self.cluster.client.progress(100)

    def state(self, index=INDEX):
        return self.lb.json(f"backend show {index}")["backends"][0]["state"]

    def drain(self, words=""):
        return self.net["lb"].start(*self.lb.argv, *f"backend drain {INDEX} {words}".split(),
                                    stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def expect(self, process, status, out="", err=""):
        said = process.communicate()
        if (process.returncode, *said) != (status, out, err):
            raise Failure(f"it ended with {process.returncode}: {said}")

    def traffic_goes_on(self):
        err = f"mptcp-lb: backend {INDEX} has not been silent for 10 s; it goes on draining\n"
        self.expect(self.drain("wait 2"), 1, err=err)
        if self.state() != "drain":
            raise Failure("it does not drain")
        before = {c["server"] for c in self.cluster.client.report()}
        self.cluster.client.progress(100)
        if DRAINED not in before:
            raise Failure(f"the connections are with {before} alone")

    def interrupted(self):
        self.lb(f"backend set {INDEX} state up")
        process = self.drain("wait 60")
        wait_until("it drains", lambda: self.state() == "drain")
        process.send_signal(signal.SIGINT)
        self.expect(process, -signal.SIGINT)
        if self.state() != "drain":
            raise Failure("it drains no more")

    def changed(self):
        self.lb(f"backend set {INDEX} state up")
        process = self.drain("wait 60")
        wait_until("it drains", lambda: self.state() == "drain")
        self.lb(f"backend set {INDEX} state up")
        self.expect(process, 1, err=f"mptcp-lb: backend {INDEX} drains no more: another command "
                    "has changed it\n")

    def traffic_ends(self):
        process = self.drain("wait 300")
        wait_until("it drains", lambda: self.state() == "drain")
        self.cluster.client.finish()
        new = self.cluster.client.open(CONNECTIONS, 4, plain=True)
        if DRAINED in {c["server"] for c in new}:
            raise Failure("it got new connections")
        self.expect(process, 0, out=f"backend {INDEX} got no packet for 10 s\n")
        self.cluster.client.finish()

    def without_wait(self):
        self.lb(f"backend set {INDEX} state up")
        self.expect(self.drain(), 0)
        if self.state() != "drain":
            raise Failure("it does not drain")

    def refused(self, words, sentence):
        done = subprocess.run([*self.net["lb"].enter, *self.lb.argv, *words.split()], text=True,
                              capture_output=True, check=False)
        if done.returncode != 1 or not done.stderr.startswith("mptcp-lb: " + sentence):
            raise Failure(f"'{words}' ended with {done.returncode}: {done.stderr}")

    def live_index(self):
        sentence = f"backend {INDEX} is at 10.0.0.11, whose connections would go to the new"
        self.refused(f"backend set {INDEX} {NEW}", sentence)
        with open(self.cluster.config, encoding="ascii") as file:
            text = file.read()
        with open(self.moved, "w", encoding="ascii") as file:
            file.write(text.replace("10.0.0.11", "10.0.0.99"))
        self.refused(f"apply {self.moved}", sentence)

    @property
    def moved(self):
        return os.path.join(self.net.dir, "moved.yaml")

    def remove(self):
        for address in ("192.0.2.1", "2001:db8:1::1"):
            self.lb(f"service backend del {address} port 443 index {INDEX}")
        self.lb(f"backend del {INDEX}")

    def removed_index(self):
        self.remove()
        for index in (20, 21, 22):  # as many publications, in either bank
            self.refused(f"backend add {INDEX} {NEW}", REST)
            self.lb(f"backend add {index} address 10.0.0.{index} lladdr {mac(index)}")
        self.refused(f"apply {self.moved}", REST)
        self.lb(f"backend add {INDEX} {OLD}")
        self.lb(f"backend del {INDEX}")

    def forced(self):
        self.lb(f"backend add {INDEX} {NEW} force")
        self.lb(f"backend set {INDEX} {OLD} force")
        self.lb(f"apply {self.moved} force")
        self.lb(f"apply {self.cluster.config} force")

    def rested(self):
        self.remove()
        self.removed_since(3 * 3600)
        self.refused(f"backend add {INDEX} {NEW}", REST)
        self.removed_since(5 * 3600)  # the index 255 is one slot below: 4 h 22 min
        self.lb(f"backend add {INDEX} {NEW}")

    def removed_since(self, seconds):
        """Sets the map's value back, in both banks."""
        pin, then = os.path.join(self.lb.pins, "backends"), int(time.time() - seconds)
        for bank in range(BANKS):
            key = [f"{byte:02x}" for byte in (bank * LINES + INDEX).to_bytes(4, "little")]
            where = ("pinned", pin, "key", "hex", *key)
            row = json.loads(run(BPFTOOL, "-j", "map", "lookup", *where))
            value = [byte.removeprefix("0x") for byte in row["value"]]
            value[REMOVED_AT:REMOVED_AT + 8] = [f"{b:02x}" for b in then.to_bytes(8, "little")]
            run(BPFTOOL, "map", "update", *where, "value", "hex", *value)

    def steps(self):
        return [
            ("drain wait ends with status 1 while traffic goes on", self.traffic_goes_on),
            ("ctrl-C leaves the backend draining", self.interrupted),
            ("the wait ends when another command sets the backend up", self.changed),
            ("the wait ends when the traffic has, and new connections go elsewhere",
             self.traffic_ends),
            ("without a wait it drains", self.without_wait),
            ("a backend's index does not go to another address", self.live_index),
            ("nor does one that was removed just now, but the same address may have it",
             self.removed_index),
            ("force gives it away", self.forced),
            ("once it has rested for its idle horizon it is free", self.rested),
        ]


def main():
    exit_on_signals()
    with Topology() as net:
        trial = Trial(net)
        trial.start()
        return run_tests(trial.steps(), trial.cluster.describe)


if __name__ == "__main__":
    sys.exit(main())
