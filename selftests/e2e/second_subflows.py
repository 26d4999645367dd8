# SPDX-License-Identifier: GPL-2.0-only
"""Connections whose first subflows go by the ring, and whose second ones outlive its moves."""

from cluster import JOIN_FAILURES
from counters import subflows
from topology import SERVERS, Failure, wait_until

CONNECTIONS = 20


class Trial:
    """Steps for one family of addresses, in the order of the methods."""

    def __init__(self, cluster, family):
        self.cluster = cluster
        self.client = cluster.client
        self.family = family
        self.why = self.failures = None

    def open(self):
        self.cluster.lb(f"apply {self.cluster.config}")
        self.why = self.cluster.reasons()
        self.failures = self.count_failures()
        opened = self.client.open(CONNECTIONS, self.family)
        self.cluster.wait_for_joins(CONNECTIONS)
        used = {connection["server"] for connection in opened}
        if used != {"s1", "s2", "s3"}:
            raise Failure(f"only {used} were used")

    def count_failures(self):
        now = self.cluster.server_counters()
        return [now[name] for name in JOIN_FAILURES]

    def joins_with_their_connections(self):
        """wanted_port() says where the join of a server's connection should have gone."""
        for connection in self.cluster.connections():
            (first, server), (second, other) = connection
            if server != other or second.there[1] != self.wanted_port(server) or first.joined:
                raise Failure(f"{connection}: the join should be on {self.wanted_port(server)}")
        if self.count_failures() != self.failures:
            raise Failure("a server refused a join")

    def wanted_port(self, server):
        raise NotImplementedError

    def went_by(self, some, none):
        """Packets that the balancer has counted since the beginning, by reason."""
        now = self.cluster.reasons()
        more = {name: now[name] - self.why[name] for name in now}
        if any(more[name] < CONNECTIONS for name in some) or any(more[name] for name in none):
            raise Failure(f"the balancer counted {more}")

    def sent(self):
        """Bytes that went out on second subflows, by the client's address and port."""
        return {subflow.here: subflow.sent for subflow in subflows(self.cluster.net["client"])
                if subflow.joined}

    def received(self):
        return {subflow.there: subflow.received for name in SERVERS
                for subflow in subflows(self.cluster.net[name]) if subflow.joined}

    def more_on_second_subflows(self):
        before = self.sent()
        self.client.progress()
        wait_until("data on every second subflow", lambda: all(
            sent > before[end] + 1000 for end, sent in self.sent().items()))
        self.client.progress()

    def move(self):
        """The first subflows, which no stamp holds, are reset; the others carry all data on."""
        self.cluster.move_slots(self.family)
        self.more_on_second_subflows()

    def first_subflows_are_gone(self):
        client = self.cluster.net["client"]
        wait_until("the end of the first subflows",
                   lambda: all(subflow.joined for subflow in subflows(client)))
        if len(subflows(client)) != CONNECTIONS:
            raise Failure(f"{len(subflows(client))} subflows are left")

    def apply(self):
        self.cluster.lb(f"apply {self.cluster.config}")
        self.more_on_second_subflows()

    def bytes_agree(self):
        def agree():
            sent = self.sent()
            return len(sent) == CONNECTIONS and sent == self.received()

        self.client.hold()
        wait_until("as many bytes at the servers as the client sent", agree)
        self.client.flow()

    def finish(self):
        self.client.finish()
