#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""A flood of MP_CAPABLE SYNs takes the keys that are for anybody, and nothing else."""

import contextlib
import os
import re
import subprocess
import sys

from cluster import INDICES, Cluster
from counters import subflows
from flood import Flood
from tap import exit_on_signals, note, run_tests
from topology import CLIENT, Failure, Topology, wait_until

SERVER = "s1"
HELD = 20  # connections from before the flood
REFILLED = 5000  # keys that are waited for after it
FRESH = 5  # new ones of each kind, under the flood
TIMES = 10  # so many SYNs come for each key that is found meanwhile, at least
FLOOD_PER_S = 20000
OUTCOMES = ("key_replaced", "queue_empty", "handed_out_full", "reserved", "share_used")
KNOWN, UNKNOWN = CLIENT[4]  # once connections were made from the first of the two networks


class Scarce(Cluster):
    index_bits = 9  # 2,048 tries for a key, so that a generator in Python outruns the search


@contextlib.contextmanager
def starved(process):
    """While something else keeps its only CPU busy."""
    cpus = os.sched_getaffinity(process.pid)
    os.setpriority(os.PRIO_PROCESS, process.pid, 19)
    with subprocess.Popen(("sh", "-c", "while :; do :; done")) as busy:
        try:
            for pid in (process.pid, busy.pid):
                os.sched_setaffinity(pid, {min(cpus)})
            yield
        finally:
            busy.kill()
            os.sched_setaffinity(process.pid, cpus)


class Trial:
    def __init__(self, cluster, flood):
        self.cluster = cluster
        self.client = cluster.client
        self.side = cluster.sides[SERVER]
        self.flood = flood  # closed when it is over
        self.before = None

    def daemon(self):
        return self.cluster.daemons[SERVER]

    def show(self):
        return self.side.json("server show")

    def outcomes(self):
        """What became of MP_CAPABLE SYNs, and how many keys are queued."""
        said = self.show()
        return {**{name: said["counters"][name] for name in OUTCOMES},
                "keys-queued": said["keys-queued"]}

    def since(self, before):
        return {name: count - before[name] for name, count in self.outcomes().items()}

    def index_of(self, client):
        """The index that the balancer reads in a connection's token; None if it reads none."""
        token, = wait_until(f"a connection from {client}", lambda: {
            s.own_token for s in subflows(self.cluster.net[SERVER]) if s.there == client})
        said = self.side(f"token decode {token:08x}")
        match = re.search(r"epoch 0 index (\d+)", said)
        return int(match[1]) if match else None

    def open_from(self, source):
        """
        New MPTCP connections; how many of them have a token that names the server. One by one,
        since whichever come in the same millisecond may meet keys that were just found.
        """
        opened = [c for _ in range(FRESH)
                  for c in self.client.open(1, 4, **{"from": (source, 0)})]
        if not all(c["mptcp"] for c in opened):
            raise Failure(f"a connection is no MPTCP any more: {opened}")
        return sum(self.index_of((source, c["port"])) == INDICES[SERVER] for c in opened)

    def fill(self):
        said = wait_until("a full queue", lambda: self.show() if self.is_full() else None)
        note(f"{said['keys-queued']} keys, {said['keys-reserve']} of them reserved")
        self.client.open(HELD, 4)
        self.cluster.wait_for_joins(HELD)

    def is_full(self):
        said = self.show()
        return said["keys-reserve"] and said["keys-queued"] >= said["keys-room"]

    def is_outrun(self):
        """Whether SYNs have come that fast since the reserve was reached."""
        now = self.since(self.before)
        came = sum(now[name] for name in OUTCOMES)
        found = now["keys-queued"] + now["key_replaced"] + now["handed_out_full"]
        return came >= 20000 and came >= TIMES * found

    def empty(self):
        self.flood.enter_context(starved(self.daemon()))
        self.flood.enter_context(Flood(self.cluster, SERVER, FLOOD_PER_S))
        reserve = self.show()["keys-reserve"]
        wait_until("the flood has taken what it can",
                   lambda: self.show()["keys-queued"] <= reserve)
        self.before = self.outcomes()
        wait_until(f"{TIMES} SYNs for each key that was found", self.is_outrun)
        note(f"while only the reserve was left: {self.since(self.before)}")

    def go_on(self):
        self.client.progress()
        if any(c["mptcp"] is False for c in self.client.report()):
            raise Failure("a connection fell back to TCP")

    def open_plain(self):
        opened = self.client.open(FRESH, 4, plain=True)
        if any(c["mptcp"] for c in opened):
            raise Failure("plain TCP is MPTCP")
        self.client.progress()

    def open_known(self):
        routed = self.open_from(KNOWN)
        if routed != FRESH:
            raise Failure(f"only {routed} of {FRESH} connections got a key of the reserve")

    def open_unknown(self):
        before = self.outcomes()["reserved"]
        routed = self.open_from(UNKNOWN)
        note(f"{routed} of {FRESH} got one of the keys that were just found")
        if routed == FRESH or self.outcomes()["reserved"] == before:
            raise Failure("keys were not short")
        self.client.progress()

    def fill_again(self):
        counted = self.outcomes()
        if counted["queue_empty"] or counted["handed_out_full"]:
            raise Failure(f"the reserve did not hold: {counted}")
        self.flood.close()
        enough = counted["keys-queued"] + REFILLED
        wait_until(f"{REFILLED} keys more", lambda: self.show()["keys-queued"] >= enough)
        if self.open_from(UNKNOWN) != FRESH:
            raise Failure("a connection got no key though there are plenty")

    def end(self):
        if len(self.client.finish()) != HELD + 4 * FRESH:
            raise Failure("a connection is missing")

    def steps(self):
        return (
            (f"the queue is filled, and {HELD} connections have two subflows each", self.fill),
            (f"a flood outruns the search {TIMES} times and leaves the reserve", self.empty),
            ("connections from before go on", self.go_on),
            ("new plain TCP connections work", self.open_plain),
            ("new MPTCP connections of a known network get keys", self.open_known),
            ("those of an unknown network work without, on one path", self.open_unknown),
            ("after the flood the queue fills again, and everybody gets keys", self.fill_again),
            ("all connections end well", self.end))


def main():
    exit_on_signals()
    with Topology() as net, contextlib.ExitStack() as flood:
        cluster = Scarce(net)
        cluster.start_balancer((SERVER,))
        cluster.start_servers()
        cluster.start_server_sides((SERVER,))
        return run_tests(Trial(cluster, flood).steps(), cluster.describe)


if __name__ == "__main__":
    sys.exit(main())
