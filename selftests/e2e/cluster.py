# SPDX-License-Identifier: GPL-2.0-only
"""A balancer, server sides, servers and a client at work in a topology."""

import collections
import contextlib
import json
import os
import re
import subprocess
import sys

from counters import counters, nonzero, subflows
from topology import (BPFFS, BUILD, CLIENT, DEADLINE_S, PEER, PORT, SERVERS, SERVICES, Failure, mac,
                      wait_until)

PYTHON = (sys.executable, "-B", PEER)
# The lowest, the highest (which has the lowest as its upper neighbour), and two between.
INDICES = {"s1": 0, "s2": 255, "s3": 128, "s4": 64}
JOIN_FAILURES = ("MPTcpExtMPJoinNoTokenFound", "MPTcpExtMPJoinAckHMacFailure",
                 "MPTcpExtMPJoinSynAckHMacFailure", "MPTcpExtMPJoinRejected")
RESETS = ("TcpOutRsts", "TcpEstabResets", "MPTcpExtMPRstTx", "MPTcpExtMPRstRx",
          "MPTcpExtMPFastcloseTx", "MPTcpExtMPFastcloseRx")


class Command:
    """build/mptcp-lb in a namespace, with a pin directory of its own."""

    def __init__(self, space, config):
        self.space = space
        self.pins = os.path.join(BPFFS, space.full_name)
        self.config = config
        self.argv = (os.path.join(BUILD, "mptcp-lb"), "-p", self.pins, "-c", config)

    def __call__(self, words, **options):
        return self.space.run(*self.argv, *words.split(), **options)

    def json(self, words):
        return json.loads(self(words + " -j"))


class Client:
    """peer.py's client; the methods return a report of each connection."""

    def __init__(self, space):
        self.peer = space.start(*PYTHON, "client", stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE)

    def ask(self, **orders):
        self.peer.stdin.write(json.dumps(orders) + "\n")
        self.peer.stdin.flush()
        answer = self.peer.stdout.readline()
        if not answer:
            raise Failure("the client's program died")
        return json.loads(answer)

    def open(self, count, family, **more):
        orders = {"address": SERVICES[family], "port": PORT, "chunk": 1000, "pace_s": 0.1}
        opened = self.ask(do="open", count=count, **{**orders, **more})
        for connection in opened:
            if connection["error"]:
                raise Failure(f"a connection could not be opened: {connection}")
        return opened

    def report(self):
        return self.ask(do="report")

    def hold(self):
        return self.ask(do="hold")

    def flow(self):
        return self.ask(do="flow")

    def forget(self):
        return self.ask(do="forget")

    def finish(self):
        """Ends all connections, and fails unless each got and gave what it should."""
        ended = self.ask(do="finish", patience_s=DEADLINE_S)
        self.forget()
        bad = [c for c in ended if not c["finished"] or not c["equal"] or c["error"]]
        if bad:
            raise Failure(f"{len(bad)} of {len(ended)} connections did not end well, "
                          f"such as {bad[0]}")
        return ended

    def progress(self, size=3000):
        """Waits until each connection has got that many bytes more."""
        before = [c["received"] for c in self.report()]

        def all_went_on():
            now = self.report()
            broken = [c for c in now if c["error"]]
            if broken:
                raise Failure(f"{len(broken)} of {len(now)} connections broke, such as "
                              f"{broken[0]}")
            return all(c["received"] >= b + size for c, b in zip(now, before))

        wait_until("data on every connection", all_went_on)


class Cluster:
    index_bits = 8
    settings = ()  # further lines of the configuration's section `cluster`
    service_settings = ()  # and of each service

    def __init__(self, net):
        self.net = net
        self.config = os.path.join(net.dir, "balancer.yaml")
        self.servers_config = os.path.join(net.dir, "servers.yaml")
        self.secret = os.path.join(net.dir, "secret.0")
        with open(self.secret, "w", opener=lambda p, f: os.open(p, f, 0o600)) as file:
            file.write(os.urandom(16).hex() + "\n")
        self.lb = Command(net["lb"], self.config)
        self.sides = {name: Command(net[name], self.servers_config) for name in SERVERS}
        self.daemons = {}
        self.client = None

    def backend(self, name):
        """
        What the balancer is told of it. Where a backend is behind another device, the
        loader must find out the link-layer addresses itself.
        """
        number = SERVERS.index(name) + 1
        if not self.net.behind:
            return {"address": f"10.0.0.{10 + number}", "lladdr": mac(0x10 + number)}
        return {"address": f"10.{9 if name == 's3' else 0}.0.{10 + number}"}

    def write_config(self, path, members, stamps="on"):
        lines = ["cluster:", f"  index-bits: {self.index_bits}", "  epoch: 0",
                 f"  secrets: {{0: {self.secret}}}",
                 *(f"  {setting}" for setting in self.settings), "services:"]
        for family in (4, 6):
            lines += [f"  - address: '{SERVICES[family]}'", f"    ports: [{PORT}]",
                      f"    stamps: {stamps}",
                      *(f"    {setting}" for setting in self.service_settings), "    backends:"]
            for name in members:
                said = self.backend(name).items() if family == 4 else ()
                more = "".join(f", {key}: '{value}'" for key, value in said)
                lines.append(f"      - {{index: {INDICES[name]}{more}}}")
        with open(path, "w", encoding="ascii") as file:
            file.write("\n".join(lines) + "\n")

    def start_balancer(self, members=("s1", "s2", "s3"), stamps="on"):
        self.write_config(self.config, members, stamps)
        self.lb("load")
        self.lb(f"apply {self.config}")
        self.lb("attach dev lb0")

    def start_servers(self, names=SERVERS):
        """The server programs, which know nothing of balancers, and the client's."""
        for name in names:
            server = self.net[name].start(*PYTHON, "serve", name, str(PORT),
                                          *SERVICES.values(), stdout=subprocess.PIPE)
            if server.stdout.readline() != "listening\n":
                raise Failure(f"the server program of {name} does not listen")
        self.client = Client(self.net["client"])

    def attach(self, name):
        devices = "dev eth0" + " dev eth1" * (self.net.behind and name == "s3")
        self.sides[name](f"server attach {devices} index {INDICES[name]}")

    def is_attached(self, name):
        return os.path.exists(os.path.join(self.sides[name].pins, "server"))

    def start_daemon(self, name):
        self.daemons[name] = self.net[name].start(*self.sides[name].argv, "server", "run",
                                                  stderr=subprocess.DEVNULL)

    def keys_queued(self, name):
        return self.sides[name].json("server show")["keys-queued"]

    def start_server_sides(self, names=SERVERS, keys=200):
        self.write_config(self.servers_config, SERVERS)
        for name in names:
            self.attach(name)
            self.start_daemon(name)
        for name in names:
            wait_until(f"keys for {name}", lambda: self.keys_queued(name) >= keys)

    def move_slots_command(self, family):
        program = os.path.join(BUILD, "move-slots")
        return program, "-p", self.lb.pins, SERVICES[family], str(PORT)

    def move_slots(self, family):
        """Gives every slot of the service's ring to another backend, in one map write."""
        said = self.net["lb"].run(*self.move_slots_command(family))
        moved, slots = re.findall(r"\d+", said)
        if moved != slots:
            raise Failure(f"not every slot moved: {said}")

    @contextlib.contextmanager
    def moving_slots(self, family, every_ms):
        """The same again and again, for as long as the with statement lasts."""
        with self.net["lb"].start(*self.move_slots_command(family), "every", str(every_ms),
                                  stdout=subprocess.DEVNULL) as mover:
            try:
                yield
                if mover.poll() is not None:
                    raise Failure("move-slots ended early")
            finally:
                mover.kill()

    def set_first_subflows(self, family, flag):
        """backup: data takes the second subflows; nobackup: either."""
        self.net["client"].ip(f"mptcp endpoint change {CLIENT[family][0]} {flag}")

    def reasons(self):
        """How many packets the balancer sent on for which reason."""
        return {row["reason"]: row["packets"] for row in self.lb.json("stats")["reasons"]}

    def holders(self):
        """Which server holds the subflow from a client's address and port."""
        return {subflow.there: name for name in SERVERS for subflow in subflows(self.net[name])}

    def connections(self):
        """The client's subflows by connection, each with the server that holds it."""
        held_by = self.holders()
        by_token = collections.defaultdict(list)
        for subflow in sorted(subflows(self.net["client"]), key=lambda s: s.joined):
            by_token[subflow.own_token].append((subflow, held_by.get(subflow.here)))
        return list(by_token.values())

    def server_counters(self):
        """Sums over the servers."""
        total = collections.Counter()
        for name in SERVERS:
            total.update(counters(self.net[name]))
        return total

    def wait_for_joins(self, count):
        """Waits until that many connections have two subflows, and the servers agree."""
        def joined():
            pairs = [c for c in self.connections() if len(c) == 2]
            return len(pairs) >= count and all(holder for c in pairs for _, holder in c)

        self.client.progress()
        wait_until(f"{count} connections with two subflows", joined)

    def describe(self):
        """For a failure: what everybody says."""
        parts = []
        for side, verbs in ((self.lb, ("show", "stats")),
                            *((s, ("server show",)) for s in self.sides.values())):
            for verb in verbs:
                parts.append(f"{side.space.name} {verb}:\n{side(verb, check=False)}")
        for name in ("client", *SERVERS):
            parts.append(f"{name}: {nonzero(self.net[name])}")
        return "\n".join(parts)
