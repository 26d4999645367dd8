#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""
Programs that nobody here wrote: curl and python3's sockets, nginx, lighttpd and HAProxy, made to
use MPTCP by mptcpize, or left to TCP; every slot of the ring moves twice a second all the while.
"""

import collections
import dataclasses
import functools
import json
import os
import re
import subprocess
import sys
import time

from cluster import JOIN_FAILURES, RESETS, Cluster
from counters import counters, end_point
from programs import MPTCPIZE, PLAIN, Server
from tap import exit_on_signals, run_tests
from topology import BUILD, PORT, SERVERS, SERVICES, Failure, Topology, run, wait_until

VISITOR = os.path.join(os.path.dirname(os.path.abspath(__file__)), "visitor.py")
CURL = ("curl", "-q", "-sS", "--fail", "--fail-early", "--noproxy", "*", "--max-time", "90")
EACH = 30  # connections of each program over each family
REQUESTS = 20  # by each curl, over one connection
PER_SECOND = 4
FILE_SIZE = 1 << 30
MARK_EVERY, MARK_SIZE = 1 << 16, 1 << 12
SPEED = "100M"  # bytes a second at most, so that slots move often enough
MOVE_MS = 500
SHA256 = ("openssl", "dgst", "-sha256", "-r")
# A server also sends a RST for what arrives after a connection's last ACK, which it should have
# preceded: that cuts nothing.
CUTS = tuple(name for name in RESETS if name != "TcpOutRsts")


def url(family, path):
    address = SERVICES[family]
    return f"http://{f'[{address}]' if family == 6 else address}:{PORT}/{path}"


@dataclasses.dataclass
class Visit:
    """One connection, as its client reports it."""
    program: str
    family: int
    answers: collections.Counter  # by name of the server

    @property
    def server(self):
        if len(self.answers) != 1:
            raise Failure(f"not one and the same server answered: {self}")
        return next(iter(self.answers))


class Curl:
    """A curl that asks REQUESTS times over one connection."""

    def __init__(self, space, family, prefix=()):
        self.name = " ".join((*prefix, "curl"))
        self.family = family
        self.process = space.start(
                *prefix, *CURL, "--rate", f"{PER_SECOND}/s", "-w", r" %{num_connects}\n",
                url(family, f"name?[1-{REQUESTS}]"), stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT)

    def finish(self):
        said = self.process.communicate()[0]
        lines = [line.split() for line in said.splitlines()]
        made_by_the_first = [["1"]] + [["0"]] * (REQUESTS - 1)
        if self.process.returncode or [line[1:] for line in lines] != made_by_the_first:
            raise Failure(f"{self.name} ended with {self.process.returncode}: {said}")
        return [Visit(self.name, self.family, collections.Counter(line[0] for line in lines))]


class Python:
    """Sockets of python3's, EACH of them, for as long as they are wanted."""

    def __init__(self, space, family, prefix=MPTCPIZE):
        self.name = " ".join((*prefix, "python3"))
        self.family = family
        self.process = space.start(
                *prefix, sys.executable, "-B", VISITOR, SERVICES[family], str(PORT), "/name",
                str(EACH), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT)

    def finish(self):
        said = self.process.communicate()[0]
        if self.process.returncode:
            raise Failure(f"{self.name} ended with {self.process.returncode}: {said}")
        return [Visit(self.name, self.family, collections.Counter(answers))
                for answers in json.loads(said)]


class Mover:
    """Gives every slot of a service's ring to another backend, twice a second."""

    def __init__(self, cluster, family):
        self.started = time.monotonic()
        self.process = cluster.net["lb"].start(
                os.path.join(BUILD, "move-slots"), "-p", cluster.lb.pins, SERVICES[family],
                str(PORT), "every", str(MOVE_MS), stdout=subprocess.PIPE)

    def finish(self):
        """Fails unless all moved each time, at least half as often as an idle machine has it."""
        seconds = time.monotonic() - self.started
        self.process.terminate()
        moves = [re.findall(r"\d+", line) for line in self.process.communicate()[0].splitlines()]
        if any(moved != slots for moved, slots in moves):
            raise Failure(f"not every slot moved: {moves}")
        if len(moves) < seconds * 1000 / MOVE_MS / 2:
            raise Failure(f"slots moved only {len(moves)} times in {seconds:.0f} s")


def cuts(cluster):
    """How often a connection or subflow was cut, as both ends count."""
    totals = collections.Counter(counters(cluster.net["client"]))
    totals.update(cluster.server_counters())
    return {name: totals[name] for name in CUTS}


class Visits:
    """Many short visits to all servers over both families, in the order of the methods."""

    def __init__(self, cluster):
        self.cluster = cluster
        self.net = cluster.net
        self.servers = [Server(self.net, name) for name in SERVERS]
        self.movers = self.pythons = self.before = self.cuts = None
        self.done = []

    def start_servers(self):
        for server in self.servers:
            server.start()

    def count(self):
        return {name: counters(self.net[name]) for name in ("client", *SERVERS)}

    def counted(self, name, *counter_names):
        now = counters(self.net[name])
        return sum(now[counter] - self.before[name][counter] for counter in counter_names)

    def start_clients(self):
        client = self.net["client"]
        self.before, self.cuts = self.count(), cuts(self.cluster)
        self.movers = [Mover(self.cluster, family) for family in (4, 6)]
        self.pythons = [Python(client, family) for family in (4, 6)]
        curls = [Curl(client, family, prefix) for _ in range(EACH) for family in (4, 6)
                 for prefix in (MPTCPIZE, ())]
        self.finish(curls)

    def finish(self, programs):
        for program in programs:
            self.done += program.finish()

    def paired(self):
        """By now only python3's connections are there."""
        def whole(connection):
            holders = {holder for _, holder in connection}
            if len(connection) == 1:
                return connection[0][0].here in at_plain
            return len(connection) == 2 and len(holders) == 1 and None not in holders

        at_plain = self.peers_of(PLAIN)
        connections = self.cluster.connections()
        return len(connections) == 2 * EACH and all(whole(c) for c in connections)

    def peers_of(self, name):
        lines = self.net[name].run("ss", "-tnH", "state", "established").splitlines()
        return {end_point(line.split()[3]) for line in lines}

    def join(self):
        wait_until("two subflows on one server, or one at the plain server, of each connection",
                   self.paired)

    def finish_pythons(self):
        self.finish(self.pythons)
        for mover in self.movers:
            mover.finish()

    def reached_all(self):
        """By chance, so that fewer connections than these would miss one now and then."""
        for key in (lambda visit: visit.program), (lambda visit: visit.family):
            reached = collections.defaultdict(set)
            for visit in self.done:
                reached[key(visit)].add(visit.server)
            if any(servers != set(SERVERS) for servers in reached.values()):
                raise Failure(f"only these were reached: {dict(reached)}")

    def visitors_of(self, name):
        """How many of them came with MPTCP."""
        return sum(v.server == name and v.program.startswith(MPTCPIZE[0]) for v in self.done)

    def joins_counted(self):
        for name in SERVERS:
            joins = self.counted(name, "MPTcpExtMPJoinAckRx")
            if joins != (0 if name == PLAIN else self.visitors_of(name)):
                raise Failure(f"{name} counted {joins} joins from {self.visitors_of(name)}")
            if self.counted(name, *JOIN_FAILURES):
                raise Failure(f"{name} counted failures of joins")

    def fell_back(self):
        """Only with the plain server, and only who came with MPTCP did."""
        tried = self.counted("client", "MPTcpExtMPCapableSYNTX")
        fell = self.counted("client", "MPTcpExtMPCapableFallbackSYNACK")
        wanted = sum(self.visitors_of(name) for name in SERVERS), self.visitors_of(PLAIN)
        if (tried, fell) != wanted:
            raise Failure(f"{tried} tried MPTCP, {fell} fell back, and not {wanted}")

    def nothing_cut(self):
        if cuts(self.cluster) != self.cuts:
            raise Failure(f"from {self.cuts} to {cuts(self.cluster)}")

    def steps(self):
        return [("nginx, lighttpd and HAProxy listen with MPTCP, another nginx with TCP",
                 self.start_servers),
                ("curl, under mptcpize and without, gets each answer from one server over one "
                 "connection", self.start_clients),
                ("python3's joins under mptcpize are on their connections' backends", self.join),
                ("python3 got each answer, while all slots moved twice a second",
                 self.finish_pythons),
                ("each program reached each server, and so did either family", self.reached_all),
                ("each MPTCP server counted one join for each that it answered, and no failure",
                 self.joins_counted),
                ("with the plain server MPTCP clients fell back to TCP", self.fell_back),
                ("no connection was reset", self.nothing_cut)]


class Download:
    """Of a large file, from nginx or lighttpd as the ring will have it."""

    def __init__(self, cluster):
        self.cluster = cluster
        self.net = cluster.net
        self.sum = None

    def prepare(self):
        """A sparse file, with marks in it by which each part is known."""
        path = os.path.join(self.net.dir, "large")
        with open(path, "wb") as file:
            for at in range(0, FILE_SIZE, MARK_EVERY):
                file.seek(at)
                file.write(os.urandom(MARK_SIZE))
            file.truncate(FILE_SIZE)
        for name in ("s1", "s2"):
            os.link(path, os.path.join(self.net.dir, name, "large"))
        self.sum = run(*SHA256, path).split()[0]
        self.cluster.write_config(self.cluster.config, ("s1", "s2"))
        self.cluster.lb(f"apply {self.cluster.config}")

    def start_curl(self, family):
        """Returns curl, and what sums up its output."""
        curl = self.net["client"].start(*MPTCPIZE, *CURL, "--limit-rate", SPEED,
                                        url(family, "large"), stdout=subprocess.PIPE)
        summing = subprocess.Popen(SHA256, stdin=curl.stdout, stdout=subprocess.PIPE, text=True)
        curl.stdout.close()
        return curl, summing

    def both_used(self, curl):
        if curl.poll() is not None:
            raise Failure(f"curl ended with {curl.returncode} and had not used both subflows")
        return [subflow.received > FILE_SIZE // 100 for connection in self.cluster.connections()
                for subflow, _ in connection] == [True, True]

    def download(self, family):
        before = cuts(self.cluster)
        mover = Mover(self.cluster, family)
        curl, summing = self.start_curl(family)
        wait_until("data on both subflows", lambda: self.both_used(curl))
        got = summing.communicate()[0].split()[0]
        if curl.wait() or got != self.sum:
            raise Failure(f"curl ended with {curl.returncode}, {got} and not {self.sum}")
        mover.finish()
        if cuts(self.cluster) != before:
            raise Failure(f"from {before} to {cuts(self.cluster)}")

    def steps(self):
        size = f"{FILE_SIZE >> 30} GiB"
        return [(f"a file of {size} is there", self.prepare)] + [
                (f"IPv{family}: curl under mptcpize downloads {size}, equal by SHA-256, over two "
                 "subflows while all slots move twice a second",
                 functools.partial(self.download, family)) for family in (4, 6)]


def main():
    exit_on_signals()
    with Topology() as net:
        cluster = Cluster(net)
        cluster.start_balancer(SERVERS)
        cluster.start_server_sides()
        return run_tests(Visits(cluster).steps() + Download(cluster).steps(), cluster.describe)


if __name__ == "__main__":
    sys.exit(main())
