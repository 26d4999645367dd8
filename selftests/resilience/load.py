# SPDX-License-Identifier: GPL-2.0-only
"""Slow streams from both clients, and which of their connections and subflows live through what."""

import dataclasses
import json
import os
import subprocess
import time

from network import CLIENTS, PATHS, SERVICE, path_of
from topology import BUILD, PORT, Failure

PROGRAM = os.path.join(BUILD, "stream-client")
PACE_MS = 200  # between messages of a stream
PER_SECOND = 20  # new connections of a client: joins in flight share the servers' 1,024 slots
ROUNDS = 10
PATIENCE_S = 30  # a stream that has not gone on by then is broken
GONE = 4  # looks in turn without a subflow: nobody will make another
LOOK_S = 0.5


class Streams:
    """The client program of one namespace."""

    def __init__(self, net, name):
        self.space = net[name]
        self.name = name
        self.peer = self.space.start(PROGRAM, SERVICE, str(PORT), str(PACE_MS),
                                     stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def order(self, words):
        self.peer.stdin.write(words + "\n")
        self.peer.stdin.flush()

    def answer(self):
        line = self.peer.stdout.readline()
        if not line:
            raise Failure(f"the client program of {self.name} died")
        return json.loads(line)

    def prefer(self, path):
        """Data takes that path where it can; None: any."""
        for number, _ in enumerate(PATHS):
            flag = "nobackup" if path in (None, number) else "backup"
            self.space.ip(f"mptcp endpoint change {path_of(self.name, number)[0]} {flag}")


@dataclasses.dataclass
class Row:
    """What became of the connections that lived when an event began."""
    event: str
    variant: str
    connections: int
    broken: int
    subflows: int
    subflows_broken: int
    longest_stall_ms: int
    excused: int  # of the broken: those whose backend died
    subflows_excused: int

    def public(self):
        row = dataclasses.asdict(self)
        del row["excused"], row["subflows_excused"]
        return row


def is_alive(stream):
    return stream["stage"] == "open" and bool(stream["subflows"])


class Load:
    def __init__(self, net):
        self.clients = [Streams(net, name) for name in CLIENTS]
        self.without = {}  # for how many looks in turn a stream has had no subflow

    def ask(self, *orders):
        """One order to each client, at the same time."""
        for client, order in zip(self.clients, orders):
            client.order(order)
        return [client.answer() for client in self.clients]

    def look(self):
        found = {}
        for client, rows in zip(self.clients, self.ask(*["report"] * len(self.clients))):
            found.update({(client.name, row["id"]): row for row in rows})
        for name, stream in found.items():
            self.without[name] = 0 if stream["subflows"] else self.without.get(name, 0) + 1
        return found

    def close(self, names):
        self.ask(*("forget " + " ".join(str(number) for name, number in names
                                        if name == client.name) for client in self.clients))

    def forget(self, unwanted):
        """Closes those streams for which unwanted() is true."""
        self.close([name for name, stream in self.look().items() if unwanted(stream)])

    def top_up(self, kind, wanted):
        """Opens what is missing of `wanted` connections of a kind, half of them at each client."""
        streams = self.look()
        orders = []
        for client in self.clients:
            there = sum(name == client.name and s["mptcp"] == (kind == "mptcp")
                        for (name, _), s in streams.items() if s["stage"] == "open")
            missing = max(wanted // len(self.clients) - there, 0)
            orders.append(f"open {missing} {PER_SECOND} {kind}")
        self.ask(*orders)

    def fill(self, mptcp, plain, subflows):
        """Until so many live; subflows: those of MPTCP connections that are waited for."""
        self.forget(lambda stream: not is_alive(stream))
        for _ in range(ROUNDS):
            self.top_up("mptcp", mptcp)
            self.top_up("plain", plain)
            if self.wait_for_subflows(subflows):
                return
            self.forget(lambda stream: not is_alive(stream) or stream["fell_back"] or
                        stream["mptcp"] and len(stream["subflows"]) < subflows)
        raise Failure(f"not all connections get {subflows} subflows")

    def wait_for_subflows(self, subflows):
        for _ in range(20):
            streams = self.look().values()
            if all(is_alive(s) and not s["fell_back"] and
                   (not s["mptcp"] or len(s["subflows"]) >= subflows) for s in streams):
                return True
            time.sleep(LOOK_S)
        return False

    def end(self, number=0):
        """Streams of that server that live come to their end; 0: all."""
        self.forget(lambda stream: not is_alive(stream))
        self.ask(*[f"end {number}"] * len(self.clients))

    def mark(self):
        self.ask(*["mark"] * len(self.clients))
        self.without = {}
        return self.look()

    def is_done(self, name, now, mark, path):
        """Has it gone on since, and by all of its subflows of a path, or is it over?"""
        if now["stage"] != "open" or self.without[name] >= GONE:
            return True
        return now["answered"] > mark["answered"] and all(
            acked > mark["subflows"].get(end, 0) for end, acked in now["subflows"].items()
            if path is not None and end.startswith(f"10.{1 + path}."))

    def go_on(self, path=None):
        """Waits until each stream has gone on or is over; returns what those are that did neither."""
        for client in self.clients:
            client.prefer(path)
        mark = self.look()
        stuck = set(mark)
        deadline = time.monotonic() + PATIENCE_S
        while stuck and time.monotonic() < deadline:
            time.sleep(LOOK_S)
            now = self.look()
            stuck = {n for n in stuck if n in now and
                     not self.is_done(n, now[n], mark[n], path if now[n]["mptcp"] else None)}
        return stuck

    def settle(self):
        """Every subflow has carried data since, or is gone. Returns streams, and which are stuck."""
        stuck = self.go_on(1) | self.go_on(0)
        for client in self.clients:
            client.prefer(None)
        return self.look(), stuck

    def judge(self, before, dead=0):
        """Compares with what mark() returned; dead: the number of a server that died, or 0."""
        after, stuck = self.settle()
        broken = {name for name in before if name not in after or name in stuck or
                  not (is_alive(after[name]) or after[name]["stage"] == "ended")}
        lost = [end for name, was in before.items() for end in was["subflows"]
                if name in broken or after[name]["stage"] != "ended" and
                end not in after[name]["subflows"]]
        self.close(broken)
        dying = {name for name in broken if before[name]["server"] == dead}
        return {"connections": len(before), "broken": len(broken),
                "subflows": sum(len(was["subflows"]) for was in before.values()),
                "subflows_broken": len(lost),
                "longest_stall_ms": max((after[n]["longest_ms"] for n in before if n not in broken),
                                        default=0),
                "excused": len(dying), "subflows_excused": sum(len(before[n]["subflows"])
                                                               for n in dying)}
