#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""Handshakes of user space through the balancer: joins, after the ring has moved, and fallbacks."""

import functools
import sys

from cluster import Cluster
from lab import ADDRESSES, DIALECTS, SERVICE, PeerClient, PeerServer
from tap import exit_on_signals, run_tests
from topology import PORT, Failure, Topology, wait_until

SERVERS = ("s1", "s2", "s3")
CONNECTIONS = 6
CONNECTIONS_MAX = 60  # by then each of three backends has one, but for a chance of 1e-10
BYTES = 40000

TRIALS = (("v0", "none"), ("v1", "none"), ("v1", "tls13"), ("d", "none"), ("e", "tls13"),
          ("e", "shared"), ("f", "tls13"), ("g", "tls12"), ("g", "tls13"), ("g", "shared"),
          ("g", "null"))

TOKEN_DIGITS = {"v0": 8, "v1": 8, "d": 8, "e": 8, "f": 16, "g": 16}

# What the client speaks, what the servers do, and where they end.
FALLBACKS = (("v1,g", "v0,v1", "v1"), ("v1,g", "v0,v1,g", "g"), ("v0", "v0,v1,g", "v0"),
             ("v1,d", "v1", "v1"), ("v1,e", "v1", "v1"), ("v1,f", "v1", "tcp"),
             ("g", "v0,v1", "tcp"), ("v0,v1", "v0", "tcp"), ("v1,g", "tcp", "tcp"))
STRAYS = ("ring_no_stamp", "ring_stamp_unroutable", "ring_token_unroutable",
          "ring_malformed_options")


class Trial:
    """One dialect, with keys from one source, between peers of user space."""

    def __init__(self, cluster, dialect, keys):
        self.cluster = cluster
        words = "dialects", dialect, "keys", keys, "shared", cluster.secret
        self.dialect = dialect
        self.servers = {name: PeerServer(cluster, name, *words) for name in SERVERS}
        self.client = PeerClient(cluster.net, *words)
        self.opened = []

    def stop(self):
        self.client.stop()
        for server in self.servers.values():
            server.stop()

    def open(self):
        while len(self.opened) < CONNECTIONS or self.unused():
            opened = self.client.obeyed("open", ADDRESSES[0], SERVICE, PORT)
            if DIALECTS[opened["dialect"]] != self.dialect or not opened["keys"]:
                raise Failure(f"opened as {opened}")
            if len(opened["token"]) != TOKEN_DIGITS[self.dialect]:
                raise Failure(f"a token of {opened['token']}")
            self.opened.append(opened)

    def unused(self):
        unused = set(SERVERS) - {opened["server"] for opened in self.opened}
        if unused and len(self.opened) == CONNECTIONS_MAX:
            raise Failure(f"no connection came to {unused}")
        return unused

    def join(self):
        before = self.cluster.reasons()["token"]
        self.cluster.move_slots(4)
        for opened in self.opened:
            joined = self.client.obeyed("join", opened["connection"], ADDRESSES[1])
            if not joined["joined"]:
                raise Failure(f"{opened}: {joined}")
        if self.cluster.reasons()["token"] < before + len(self.opened):
            raise Failure("the balancer did not go by the tokens")
        for opened in self.opened:
            told = self.servers[opened["server"]].told("joined")
            if opened["token"] not in {event["token"] for event in told}:
                raise Failure(f"the server of {opened} has told {told}")

    def transfer(self):
        """On each subflow in turn; the echo takes both."""
        for opened in self.opened:
            for subflow in (0, 1):
                sent = self.client.obeyed("send", opened["connection"], subflow, BYTES)
                if not sent["equal"] or sent["subflows"][subflow]["sent"] < BYTES:
                    raise Failure(f"{opened}: {sent}")
            if min(s["received"] for s in sent["subflows"]) < BYTES / 2:
                raise Failure(f"the echo did not take both subflows: {sent}")

    def close(self):
        for opened in self.opened:
            self.client.obeyed("close", opened["connection"])
        self.stop()


def fall_back(cluster, client_speaks, server_speaks, dialect):
    """A stream over one subflow, whatever is left of the offer."""
    keys = "keys", "null"
    servers = [PeerServer(cluster, name, "dialects", server_speaks, *keys) for name in SERVERS]
    client = PeerClient(cluster.net, "dialects", client_speaks, *keys)
    opened = client.obeyed("open", ADDRESSES[0], SERVICE, PORT)
    if DIALECTS[opened["dialect"]] != dialect:
        raise Failure(f"opened as {opened}")
    if not client.obeyed("send", opened["connection"], 0, BYTES)["equal"]:
        raise Failure("what came back was not what was sent")
    client.obeyed("close", opened["connection"])
    for peer in client, *servers:
        peer.stop()


def join_too_early(cluster):
    """Servers whose application never gives keys: the join is heard of, and never answered."""
    servers = [PeerServer(cluster, name, "dialects", "g", "keys", "none") for name in SERVERS]
    client = PeerClient(cluster.net, "dialects", "g", "keys", "null")
    opened = client.obeyed("open", ADDRESSES[0], SERVICE, PORT)
    client.write("join", opened["connection"], ADDRESSES[1])
    wait_until("the join, twice", lambda: 2 <= max(len(server.told(
            "a join before the keys are in place")) for server in servers))
    if client.has_answered():
        raise Failure("the join was answered")
    for peer in client, *servers:
        peer.stop()


def nothing_strayed(cluster):
    counted = cluster.reasons()
    strays = {reason: counted[reason] for reason in STRAYS if counted.get(reason)}
    if strays or not counted["stamp"]:
        raise Failure(f"the balancer counted {counted}")


def steps(cluster, dialect, keys):
    trial = []

    def of(method):
        if not trial:
            trial.append(Trial(cluster, dialect, keys))
        getattr(trial[0], method)()

    title = f"{dialect}, keys: {keys}"
    return [(f"{title}: {name}", functools.partial(of, method)) for name, method in (
            ("connections with each of three backends", "open"),
            ("each is joined at its backend, though every slot has moved", "join"),
            ("data comes back equal, by both subflows", "transfer"),
            ("they end", "close"))]


def main():
    exit_on_signals()
    with Topology() as net:
        cluster = Cluster(net)
        cluster.start_balancer(SERVERS)
        tests = [step for trial in TRIALS for step in steps(cluster, *trial)]
        tests += [(f"a client of {client} and servers of {server} end at {dialect}",
                   functools.partial(fall_back, cluster, client, server, dialect))
                  for client, server, dialect in FALLBACKS]
        tests += [("a join before the server has keys is dropped in silence",
                   functools.partial(join_too_early, cluster)),
                  ("everything but SYNs went by the stamp",
                   functools.partial(nothing_strayed, cluster))]
        return run_tests(tests, lambda: cluster.lb("stats"))


if __name__ == "__main__":
    sys.exit(main())
