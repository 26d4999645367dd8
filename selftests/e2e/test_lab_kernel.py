#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""User space and the kernel's MPTCP through the balancer, each in turn the client that joins."""

import json
import os
import subprocess
import sys

from cluster import JOIN_FAILURES, Cluster
from counters import counters
from lab import ADDRESSES, DIALECTS, SERVICE, PeerClient, PeerServer
from tap import exit_on_signals, run_tests
from topology import PORT, Failure, Topology, wait_until

SERVERS = ("s1", "s2", "s3")
CONNECTIONS = 6
BYTES = 40000
ECHO = os.path.join(os.path.dirname(os.path.abspath(__file__)), "echo.py")
PYTHON = (sys.executable, "-B", ECHO)


class KernelClient:
    def __init__(self, net):
        self.process = net["client"].start(*PYTHON, "client", stdin=subprocess.PIPE,
                                           stdout=subprocess.PIPE)

    def obeyed(self, *words):
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()
        said = json.loads(self.process.stdout.readline() or '{"error": "it died"}')
        if "error" in said:
            raise Failure(f"'{words[0]}': {said['error']}")
        return said


class Trial:
    def __init__(self, cluster):
        self.cluster = cluster
        self.client = self.before = None
        self.servers = {}
        self.opened = []

    def failures(self, now):
        return {name: now[name] - self.before[name] for name in JOIN_FAILURES
                if now[name] != self.before[name]}

    def open_from_user_space(self):
        net = self.cluster.net
        for name in SERVERS:
            server = net[name].start(*PYTHON, "serve", name, SERVICE, str(PORT),
                                     stdout=subprocess.PIPE)
            self.servers[name] = server
            server.stdout.readline()
        self.cluster.start_server_sides(SERVERS)
        self.before = self.cluster.server_counters()
        self.client = PeerClient(net, "dialects", "v1")
        for _ in range(CONNECTIONS):
            opened = self.client.obeyed("open", ADDRESSES[0], SERVICE, PORT)
            if DIALECTS[opened["dialect"]] != "v1":
                raise Failure(f"opened as {opened}")
            self.opened.append(opened)

    def join_kernel(self):
        self.cluster.move_slots(4)
        for opened in self.opened:
            joined = self.client.obeyed("join", opened["connection"], ADDRESSES[1])
            if not joined["joined"]:
                raise Failure(f"{opened}: {joined}")
        now = self.cluster.server_counters()
        if now["MPTcpExtMPJoinAckRx"] - self.before["MPTcpExtMPJoinAckRx"] != CONNECTIONS:
            raise Failure("the kernels have not counted every join")
        if self.failures(now):
            raise Failure(f"the kernels have counted {self.failures(now)}")

    def transfer_to_kernel(self):
        for opened in self.opened:
            for subflow in (0, 1):
                sent = self.client.obeyed("send", opened["connection"], subflow, BYTES)
                if not sent["equal"] or sent["subflows"][subflow]["sent"] < BYTES:
                    raise Failure(f"{opened}: {sent}")

    def close_to_kernel(self):
        for opened in self.opened:
            self.client.obeyed("close", opened["connection"])
        self.client.stop()

    def ask_for_more(self):
        """Linux takes H and nothing else: docs/handshakes.md."""
        client = PeerClient(self.cluster.net, "dialects", "v1,g", "keys", "null")
        opened = client.obeyed("open", ADDRESSES[0], SERVICE, PORT)
        if DIALECTS[opened["dialect"]] != "tcp":
            raise Failure(f"opened as {opened}")
        if not client.obeyed("send", opened["connection"], 0, BYTES)["equal"]:
            raise Failure("what came back was not what was sent")
        client.obeyed("close", opened["connection"])
        client.stop()

    def stop_kernels(self):
        for name in SERVERS:
            self.servers[name].kill()
            self.servers[name].wait()
            self.cluster.daemons[name].terminate()
            self.cluster.daemons[name].wait()
            self.cluster.sides[name]("server detach dev eth0 force")

    def open_from_kernel(self):
        self.stop_kernels()
        self.servers = {name: PeerServer(self.cluster, name, "dialects", "v1,g")
                        for name in SERVERS}
        self.before = counters(self.cluster.net["client"])
        self.client = KernelClient(self.cluster.net)
        self.opened = [self.client.obeyed("open", SERVICE, PORT) for _ in range(CONNECTIONS)]
        self.cluster.move_slots(4)
        self.exchange()

    def exchange(self):
        if not self.client.obeyed("send", BYTES)["equal"]:
            raise Failure("what came back was not what was sent")

    def joined(self):
        return [event for server in self.servers.values() for event in server.told("joined")]

    def join_user_space(self):
        wait_until("a join of each connection", lambda: len(self.joined()) >= CONNECTIONS)
        tokens = {event["token"] for event in self.joined()}
        now = counters(self.cluster.net["client"])
        if len(tokens) != CONNECTIONS or {event["dialect"] for event in self.joined()} != {2}:
            raise Failure(f"the servers have told {self.joined()}")
        if self.failures(now):
            raise Failure(f"the client's kernel has counted {self.failures(now)}")

    def transfer_to_user_space(self):
        """The first subflows become backups, so that data must take the others."""
        self.cluster.set_first_subflows(4, "backup")
        self.exchange()
        self.cluster.set_first_subflows(4, "nobackup")

    def close_to_user_space(self):
        self.client.obeyed("close")

        def closed():
            return [event for server in self.servers.values() for event in server.told("closed")]

        wait_until("the end of each connection", lambda: len(closed()) == CONNECTIONS)
        for event in closed():
            received = [subflow["received"] for subflow in event["subflows"]]
            if sum(received) != 2 * BYTES or len(received) != 2 or received[1] < BYTES / 2:
                raise Failure(f"{event}")


def main():
    exit_on_signals()
    with Topology() as net:
        cluster = Cluster(net)
        cluster.start_balancer(SERVERS)
        trial = Trial(cluster)
        return run_tests([
                (f"user space opens {CONNECTIONS} connections with kernels",
                 trial.open_from_user_space),
                ("it joins each, though every slot has moved, and the kernels find its HMACs right",
                 trial.join_kernel),
                ("data comes back equal, sent by either subflow", trial.transfer_to_kernel),
                ("they end", trial.close_to_kernel),
                ("a kernel that is asked for G or H speaks TCP", trial.ask_for_more),
                (f"a kernel opens {CONNECTIONS} connections with user space, and the slots move",
                 trial.open_from_kernel),
                ("it joins each, and either finds the other's HMACs right", trial.join_user_space),
                ("data comes back equal, sent by the second subflow",
                 trial.transfer_to_user_space),
                ("they end, every byte heard by both subflows", trial.close_to_user_space),
        ], cluster.describe)


if __name__ == "__main__":
    sys.exit(main())
