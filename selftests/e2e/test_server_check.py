#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""`server check`: handshakes with the real listeners, and a sentence for all that is amiss."""

import contextlib
import json
import os
import signal
import subprocess
import sys

from cluster import INDICES, Cluster
from tap import exit_on_signals, run_tests
from topology import PORT, SERVICES, Failure, Topology, wait_until

HANDSHAKES = 16
CONNECTIONS = 10
USEC_ROUTE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "usec_route.py")
LISTEN_PLAIN = (f"import socket, sys; s = socket.create_server(('{SERVICES[4]}', {PORT})); "
                "sys.stdin.read()")


class Trial:
    """s1, whose index is the lowest, is as it must be at the beginning and end of each test."""

    def __init__(self, cluster, name="s1"):
        self.cluster = cluster
        self.name = name
        self.space = cluster.net[name]
        self.side = cluster.sides[name]

    def start_check(self, words="-j", config=None):
        argv = [config if word == self.cluster.servers_config and config else word
                for word in self.side.argv]
        return self.space.start(*argv, "server", "check", *words.split(),
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def check(self, words="-j", config=None):
        """The findings, and the handshakes by the service's address."""
        process = self.start_check(words, config)
        said, complaint = process.communicate()
        if process.returncode > 1 or not said:
            raise Failure(f"'server check' ended with {process.returncode}: {complaint}")
        report = json.loads(said)
        if process.returncode != bool(report["findings"]):
            raise Failure(f"status {process.returncode} with the findings {report['findings']}")
        return report["findings"], {row["address"]: row for row in report["handshakes"]}

    def expect(self, *parts, words="handshakes 0 -j", config=None):
        """One finding for each part, which is in it, and no other; returns the handshakes."""
        findings, handshakes = self.check(words, config)
        for part in parts:
            if sum(part in finding for finding in findings) != 1:
                raise Failure(f"not one finding says '{part}': {findings}")
        if len(findings) != len(parts):
            raise Failure(f"findings: {findings}")
        return handshakes

    def traces(self):
        """What a check could leave behind."""
        return (self.space.ip("-o link"), self.space.ip("route show table all"),
                self.space.ip("-6 route show table all"), self.space.ip("rule"),
                self.space.run("ss", "-tanH"))

    def succeed(self):
        """Twice at most: the kernel's tokens are also those of whoever else is on this machine."""
        before = self.traces()
        for more in (False, True):
            findings, handshakes = self.check()
            if not findings or not more and "share" not in findings[0]:
                break
        if findings:
            raise Failure(f"findings: {findings}")
        for address in SERVICES.values():
            row = handshakes[address]
            if {row[key] for key in ("handshakes", "established", "keys", "tokens",
                                     "adopted")} != {HANDSHAKES}:
                raise Failure(f"handshakes: {row}")
            for way in ("sent", "received"):
                if row[way] < 2 * HANDSHAKES or row[way] != row[way + "-right"]:
                    raise Failure(f"stamps: {row}")
        wait_until("nothing is left behind", lambda: self.traces() == before)

    def say(self):
        lines = self.side("server check handshakes 3").splitlines()
        if len(lines) != 2 or not all("3 of 3 tokens decode to this index" in l for l in lines):
            raise Failure(f"it says {lines}")

    def go_on(self):
        """Live connections of the service do not notice."""
        for family in (4, 6):
            self.cluster.client.open(CONNECTIONS, family)
        for _ in range(5):
            self.check()
            self.cluster.client.progress()
        self.cluster.client.finish()

    def other_secret(self):
        secret = os.path.join(self.cluster.net.dir, "other")
        with open(secret, "w", opener=lambda p, f: os.open(p, f, 0o600)) as file:
            file.write(os.urandom(16).hex() + "\n")
        with open(self.cluster.servers_config, encoding="ascii") as file:
            text = file.read()
        config = os.path.join(self.cluster.net.dir, "other.yaml")
        with open(config, "w", encoding="ascii") as file:
            file.write(text.replace(self.cluster.secret, secret))
        parts = [f"tokens of {address} port {PORT} only" for address in SERVICES.values()]
        self.expect(*parts, words="-j", config=config)

    def no_keys(self):
        """The kernel keeps its own keys, and adopts none that it has not sent."""
        with self.sysctl("net.ipv4.tcp_syncookies", 1):
            rows = self.expect("tcp_syncookies is 1",
                               *(f"{a} port {PORT} only" for a in SERVICES.values()), words="-j")
        if any(row["tokens"] == HANDSHAKES for row in rows.values()):
            raise Failure(f"tokens: {rows}")

    def wrong_stamps(self):
        with self.sysctl("net.ipv4.tcp_timestamps", 1):
            findings, rows = self.check()
        for row in rows.values():
            if row["sent-right"] == row["sent"] or row["received-right"] == row["received"]:
                raise Failure(f"stamps: {row}, findings: {findings}")

    @contextlib.contextmanager
    def sysctl(self, name, value):
        before = self.space.run("sysctl", "-n", name).strip()
        self.space.sysctl(f"{name}={value}")
        try:
            yield
        finally:
            self.space.sysctl(f"{name}={before}")

    def arp(self):
        for name, wrong in (("arp_ignore", 0), ("arp_announce", 1)):
            with self.sysctl(f"net.ipv4.conf.all.{name}", wrong), \
                    self.sysctl(f"net.ipv4.conf.eth0.{name}", wrong):
                self.expect(f"net.ipv4.conf.all.{name}=")

    def rp_filter(self):
        """Strict is right where answers leave by the device, and wrong where they do not."""
        with self.sysctl("net.ipv4.conf.eth0.rp_filter", 1):
            self.space.ip("route add default dev eth0")
            self.expect()
            self.space.ip("link add d0 up type veth peer name d1")
            self.space.ip("route replace default dev d0")
            self.expect("net.ipv4.conf.all.rp_filter=2")
            self.space.ip("link del d0")

    def addresses(self):
        self.space.ip(f"addr del {SERVICES[4]}/32 dev lo")
        self.expect(f"ip addr add {SERVICES[4]} dev lo")
        self.space.ip(f"addr add {SERVICES[4]}/32 dev eth0")
        self.expect("put it on lo instead")
        self.space.ip(f"addr del {SERVICES[4]}/32 dev eth0")
        self.space.ip(f"addr add {SERVICES[4]}/32 dev lo label lo:0")
        self.expect()

    def usec_route(self):
        self.space.run(sys.executable, "-B", USEC_ROUTE, "203.0.113.0/24", "eth0")
        self.expect("tcp_usec_ts")
        self.space.ip("route del 203.0.113.0/24")

    def table_of_its_own(self):
        """Answers that go by a rule of their own come back to the client of the check too."""
        self.space.ip(f"rule add from {SERVICES[4]} lookup 77")
        self.space.ip("route add default dev eth0 table 77")
        self.succeed()
        self.space.ip(f"rule del from {SERVICES[4]} lookup 77")
        self.space.ip("route flush table 77")

    def range_in_use(self):
        self.space.ip("route add 198.18.0.0/15 dev eth0")
        self.expect_refusal("198.18.0.0/16 is in use here")
        self.space.ip("route del 198.18.0.0/15")

    def expect_refusal(self, part):
        process = self.start_check()
        said = process.communicate()
        if process.returncode != 1 or part not in said[1]:
            raise Failure(f"'server check' ended with {process.returncode}: {said}")

    def listeners(self):
        """s2 has a listener that knows only TCP for one service, and none for the other."""
        with self.space.start(sys.executable, "-c", LISTEN_PLAIN, stdin=subprocess.PIPE):
            wait_until("it listens", lambda: self.space.run("ss", "-tlnH"))
            rows = self.expect("does not speak MPTCP", "nothing listens",
                               "nothing refills the queue", "the queue of keys is empty",
                               words="-j")
        if rows:
            raise Failure(f"there were handshakes: {rows}")

    def gue(self):
        """What would merge datagrams with GUE."""
        self.space.run("ethtool", "-K", "eth0", "rx-gro-list", "on")
        self.expect("ethtool -K eth0 rx-gro-list off", "does not have the address 10.0.0.77",
                    "nothing refills", "keys is empty")
        self.space.run("ethtool", "-K", "eth0", "rx-gro-list", "off")

    def interrupted(self, number):
        """Whatever ends it, nothing stays."""
        before = self.traces()[:4]
        process = self.start_check("handshakes 256")
        wait_until("the veth is there", lambda: "mlbcheck" in self.space.ip("-o link"))
        process.send_signal(number)
        process.communicate()
        wait_until("nothing is left behind", lambda: self.traces()[:4] == before)
        self.check("handshakes 0 -j")


def attach_for_gue(cluster):
    """s3, which balancers reach by GUE at an address that it does not have."""
    config = os.path.join(cluster.net.dir, "gue.yaml")
    with open(cluster.servers_config, encoding="ascii") as file:
        text = file.read()
    text = text.replace(f"index: {INDICES['s3']}, address: '10.0.0.13'",
                        f"index: {INDICES['s3']}, forward: gue, address: '10.0.0.77'")
    text = text.replace("cluster:\n", "cluster:\n  tunnel-source: 100.64.0.0/24\n")
    with open(config, "w", encoding="ascii") as file:
        file.write(text)
    side = cluster.sides["s3"]
    side.argv = tuple(config if word == cluster.servers_config else word for word in side.argv)
    side(f"server attach dev eth0 index {INDICES['s3']}")


def main():
    exit_on_signals()
    with Topology() as net:
        cluster = Cluster(net)
        cluster.start_balancer(("s1",))
        cluster.start_servers(("s1", "s3", "s4"))
        cluster.start_server_sides(("s1",))
        cluster.attach("s2")
        attach_for_gue(cluster)
        wait_until("the queue of s1 is full",
                   lambda: cluster.sides["s1"].json("server show")["keys-reserve"])
        trial, no_listener = Trial(cluster), Trial(cluster, "s2")
        return run_tests([
                ("16 handshakes with each service: tokens, keys and stamps are right",
                 trial.succeed),
                ("a line says so for each service", trial.say),
                ("live connections go on meanwhile", trial.go_on),
                ("tokens under another secret are found", trial.other_secret),
                ("cookies that are not forced are found, by their tokens too", trial.no_keys),
                ("wrong timestamps are found, both ways", trial.wrong_stamps),
                ("arp_ignore and arp_announce", trial.arp),
                ("rp_filter where answers leave by another device", trial.rp_filter),
                ("a service address that is missing, or announced", trial.addresses),
                ("a route with tcp_usec_ts", trial.usec_route),
                ("a service whose answers go by a table of their own", trial.table_of_its_own),
                ("an address range for the check that somebody uses", trial.range_in_use),
                ("listeners that are missing or know only TCP", no_listener.listeners),
                ("offloads that merge GUE, and an address that tunnels can't end at",
                 Trial(cluster, "s3").gue),
                ("killed, it leaves nothing behind", lambda: trial.interrupted(signal.SIGKILL)),
                ("interrupted, it leaves nothing behind",
                 lambda: trial.interrupted(signal.SIGINT)),
                ("and after all that it finds nothing", trial.succeed),
        ], cluster.describe)


if __name__ == "__main__":
    sys.exit(main())
