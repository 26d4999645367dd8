#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""`make demo`: connections with two subflows through a balancer that keeps no state of them."""

import json
import os
import subprocess
import sys

sys.dont_write_bytecode = True

from cluster import INDICES, RESETS, Cluster
from tap import exit_on_signals
from topology import BPFTOOL, Failure, Topology, wait_until

SERVERS = ("s1", "s2", "s3")
EACH_FAMILY = 6
CONNECTIONS = 2 * EACH_FAMILY
INDEX_BITS = 8
STAMPS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "stamps.py")

PICTURE = """\
    client, two paths             balancer                  servers, stock Linux
  +---------------------+       +--------------+          +----------------+
  | c0  10.1.0.2        |------>|   mptcp-lb   |----+---->| s1   index   0 |
  |     2001:db8:a1::2  |       |    (XDP)     |    +---->| s2   index 255 |
  | c1  10.2.0.2        |------>|              |    +---->| s3   index 128 |
  |     2001:db8:a2::2  |       +--------------+          +----------------+
  +---------------------+<---- answers, straight to the client ----+

  The service: 192.0.2.1 and 2001:db8:1::1, port 443.
"""

HEADING = """\
  no. IP  |  first subflow, on c0              |  second subflow, on c1
          |   port  SYN by  then by       at   |   port  SYN by token    then by       at"""

MAPS = {
        "state": "which configuration is live; the clock",
        "services": "the configuration",
        "backends": "the configuration",
        "secrets": "the configuration",
        "rings": "the configuration, spread over 65537 slots",
        "flows": "the caches of services with `flows`: none",
        "devices": "which devices backends are behind",
        "counters": "packets, by service and reason, and by backend",
        "stamped": "those with a stamp, by service and by backend",
}
# A table of flows would have to be one of these, or an array with a place for each flow.
KINDS_FOR_FLOWS = ("hash", "lru_hash", "percpu_hash", "lru_percpu_hash", "sk_storage", "queue",
                   "stack", "lpm_trie", "bloom_filter", "ringbuf")


STRAYED = ("ring_no_stamp", "ring_stamp_unroutable", "ring_malformed_options")


def say(text=""):
    print(text, flush=True)


def check(truth, otherwise):
    if not truth:
        raise Failure(otherwise)


def stamped_index(ts_ecr, now_ms):
    """The index that a stamp names, among the three that exist: design.md, section 4."""
    size = 1 << (32 - INDEX_BITS)
    slot = ((ts_ecr - now_ms + size - 1 - size // 16) % (1 << 32)) >> (32 - INDEX_BITS)
    assigned = [INDICES[name] for name in SERVERS]
    return min(assigned, key=lambda index: (index - slot) % (1 << INDEX_BITS))


class Demo:
    def __init__(self, net):
        self.net = net
        self.cluster = Cluster(net)
        self.resets = None

    def run(self):
        self.prepare()
        self.open()
        self.show_subflows()
        self.move()
        self.finish()
        self.show_maps()

    def prepare(self):
        say(PICTURE)
        say("Starting the balancer, and the server side next to three plain MPTCP servers ...")
        self.cluster.start_balancer(SERVERS)
        self.cluster.start_servers()
        self.cluster.start_server_sides(SERVERS)
        self.resets = self.reset_count()

    def open(self):
        say(f"Opening {CONNECTIONS} connections, half of them over IPv6; the client's kernel "
            "joins a second subflow to each.\n")
        for family in (4, 6):
            self.cluster.client.open(EACH_FAMILY, family, chunk=5000)
        self.cluster.wait_for_joins(CONNECTIONS)

    def listen(self):
        """Some stamps that the client echoes: index by the client's address and port."""
        listener = self.net["client"].start(sys.executable, "-B", STAMPS,
                                            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        listener.stdout.readline()
        for flag in ("backup", "nobackup"):  # data takes the second subflows, then the first
            for family in (4, 6):
                self.cluster.set_first_subflows(family, flag)
            self.cluster.client.progress(1000)
        seen = json.loads(listener.communicate()[0])
        return {tuple(flow.split()): stamped_index(*stamp) for flow, stamp in seen.items()}

    def stamps(self, connections):
        stamps = {}

        def all_heard():
            stamps.update(self.listen())
            return all((subflow.here[0], str(subflow.here[1])) in stamps
                       for connection in connections for subflow, _ in connection)

        wait_until("a stamp of each subflow", all_heard)
        return stamps

    def token_index(self, token):
        row, = json.loads(self.cluster.lb(f"token decode {token:08x} -j"))
        return row["index"]

    def show_subflows(self):
        connections = self.cluster.connections()
        check(len(connections) == CONNECTIONS, f"{len(connections)} connections are there")
        stamps = self.stamps(connections)
        say(HEADING)
        for number, connection in enumerate(connections, 1):
            self.show_connection(number, connection, stamps)
        why = self.cluster.reasons()
        check(min(why["ring_new"], why["token"]) >= CONNECTIONS, f"the balancer counted {why}")
        say(f"""
  SYN by ring: a hash of address and port. {why['ring_new']} SYNs went so.
  SYN by token: the join's token says the server's index. {why['token']} SYNs went so.
  Then by stamp: the timestamp that the client echoes says it. {why['stamp']} segments so far.
  Token and stamp agree with the server that holds the subflow: {CONNECTIONS} of {CONNECTIONS}.""")

    def show_connection(self, number, connection, stamps):
        (first, server), (second, other) = connection
        stamp, other_stamp = (stamps[subflow.here[0], str(subflow.here[1])]
                              for subflow in (first, second))
        index = self.token_index(second.peer_token)
        family = 6 if ":" in first.here[0] else 4
        say(f"  {number:2}   {family}  |  {first.here[1]:5}  ring    stamp {stamp:3}    {server}"
            f"   |  {second.here[1]:5}  {second.peer_token:08x} = {index:3}"
            f"  stamp {other_stamp:3}    {other}")
        check({index, stamp, other_stamp} == {INDICES[server]} and server == other,
              f"connection {number} is not where its packets say")

    def move(self):
        say("\nIn mid-transfer, every slot of both rings now goes to another server:")
        for family in (4, 6):
            self.cluster.move_slots(family)
        before = self.cluster.reasons()
        self.cluster.client.progress(10000)
        after = self.cluster.reasons()
        stamped, strayed = (sum(after[reason] - before[reason] for reason in reasons)
                            for reasons in (["stamp"], STRAYED))
        say(f"  since then {stamped} segments went by their stamp, {strayed} by the ring;")
        check(stamped and not strayed, f"the balancer counted {after}")
        check(self.reset_count() == self.resets, f"resets: {self.reset_count()}")
        say("  nothing was reset.")

    def reset_count(self):
        now = self.cluster.server_counters()
        return [now[name] for name in RESETS]

    def finish(self):
        ended = self.cluster.client.finish()
        check(len(ended) == CONNECTIONS, f"{len(ended)} connections ended")
        size = sum(connection["received"] for connection in ended)
        say(f"\n{len(ended)} of {CONNECTIONS} connections finished; {size} bytes each way, "
            "compared byte for byte.")

    def bpftool(self, *words):
        return json.loads(self.net["lb"].run(BPFTOOL, "-j", *words))

    def pin(self, name):
        return os.path.join(self.cluster.lb.pins, name)

    def maps(self):
        """All that the program can reach; the compiler's own constants aside."""
        program = self.bpftool("prog", "show", "pinned", self.pin("lb"))
        found = [self.bpftool("map", "show", "id", str(number)) for number in program["map_ids"]]
        return [found for found in found if "." not in found["name"]]

    def show_maps(self):
        say("\nWhat the balancer holds:")
        for found in self.maps():
            check(found["name"] in MAPS and found["type"] not in KINDS_FOR_FLOWS,
                  f"there is a map {found['name']}, {found['type']}")
            say(f"  {found['name']:10} {found['type']:14} {MAPS[found['name']]}")
        check(not self.bpftool("map", "dump", "pinned", self.pin("flows")),
              "there is a flow cache")
        say("Entries of state per flow: 0. There is no table that could hold one.")


def main():
    exit_on_signals()
    try:
        with Topology() as net:
            demo = Demo(net)
            try:
                demo.run()
            except Failure:
                say(demo.cluster.describe())
                raise
    except Failure as failure:
        say(f"The demo failed: {failure}")
        return 1
    except KeyboardInterrupt:
        say("\nInterrupted; all is cleaned up.")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
