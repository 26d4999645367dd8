#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""kill -9 of 'server run' under load: nobody is cut off, and no key goes out twice."""

import collections
import contextlib
import signal
import sys

from cluster import Cluster
from flood import Flood
from keys_seen import KeysSeen
from tap import exit_on_signals, note, run_tests
from topology import Failure, Topology, wait_until

SERVER = "s1"
KILLS = 10
HELD = 30  # connections that live through all of it
FRESH = 3  # that are opened after each kill
KEYS_BETWEEN = 1000  # handed out between two kills, at least
LOAD_PER_S = 2000  # SYNs; less than the search makes good
OUTCOMES = ("key_replaced", "queue_empty", "handed_out_full", "reserved", "share_used")


class Trial:
    def __init__(self, cluster, load):
        self.cluster = cluster
        self.side = cluster.sides[SERVER]
        self.load = load  # closed when the flood and the capture are over
        self.seen = None
        self.before = None

    def outcomes(self):
        counters = self.side.json("server show")["counters"]
        return {name: counters[name] for name in OUTCOMES}

    def replaced(self):
        return self.outcomes()["key_replaced"]

    def begin(self):
        client = self.cluster.client
        client.open(HELD, 4)
        self.cluster.wait_for_joins(HELD)
        client.hold()
        wait_until("a full queue", lambda: self.side.json("server show")["keys-reserve"])
        self.before = self.outcomes()
        self.seen = self.load.enter_context(KeysSeen(self.cluster.net["switch"], SERVER))
        self.load.enter_context(Flood(self.cluster, SERVER, LOAD_PER_S))

    def second_is_refused(self):
        try:
            self.side("server run")
        except Failure as refusal:
            if "ended with 1: mptcp-lb: another 'server run' is at work here" not in str(refusal):
                raise
        else:
            raise Failure("two daemons share a queue")

    def kill(self):
        daemon = self.cluster.daemons[SERVER]
        mark = self.replaced() + KEYS_BETWEEN
        wait_until("keys under load", lambda: self.replaced() >= mark)
        daemon.kill()
        if daemon.wait() != -signal.SIGKILL:
            raise Failure("the daemon had ended before it was killed")
        self.cluster.client.open(FRESH, 4)
        self.cluster.start_daemon(SERVER)
        wait_until("the next daemon", lambda: self.side.json("server show")["run"])

    def kill_again_and_again(self):
        self.cluster.client.flow()
        for _ in range(KILLS):
            self.kill()
            self.cluster.client.progress()

    def all_go_on(self):
        held = HELD + KILLS * FRESH
        self.cluster.wait_for_joins(held)
        if len(self.cluster.client.finish()) != held:
            raise Failure("a connection is missing")

    def all_different(self):
        mark = self.replaced() + KEYS_BETWEEN
        wait_until("keys by the last daemon", lambda: self.replaced() >= mark)
        self.load.close()
        sent = {name: count - self.before[name] for name, count in self.outcomes().items()}
        keys = collections.Counter(self.seen.keys)
        twice = [key for key, count in keys.items() if count > 1]
        note(f"{sent}, and {len(self.seen.keys)} SYN/ACKs seen")
        if len(self.seen.keys) != sum(sent.values()):
            raise Failure("not every SYN/ACK was seen")
        if twice:
            raise Failure(f"{len(twice)} keys went out more than once, such as {twice[0]}")

    def steps(self):
        return (
            (f"{HELD} connections with two subflows each, and a load of SYNs", self.begin),
            ("a second daemon is refused", self.second_is_refused),
            (f"the daemon is killed {KILLS} times", self.kill_again_and_again),
            ("every connection goes on with both subflows, and ends well", self.all_go_on),
            ("all keys that were handed out are different", self.all_different))


def main():
    exit_on_signals()
    with Topology() as net, contextlib.ExitStack() as load:
        cluster = Cluster(net)
        cluster.start_balancer((SERVER,))
        cluster.start_servers()
        cluster.start_server_sides((SERVER,))
        return run_tests(Trial(cluster, load).steps(), cluster.describe)


if __name__ == "__main__":
    sys.exit(main())
