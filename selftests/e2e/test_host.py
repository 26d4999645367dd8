#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""What is not for a service goes to the balancer's own stack untouched."""

import subprocess
import sys

from cluster import PYTHON, Cluster
from tap import exit_on_signals, run_tests
from topology import BALANCER, PORT, SERVICES, Failure, Topology

SSH = 22
CONNECTIONS = 5


class Trial:
    def __init__(self, cluster):
        self.cluster = cluster
        self.client = cluster.client
        self.lb = cluster.net["lb"]

    def listen(self):
        for port in (SSH, PORT):
            server = self.lb.start(*PYTHON, "serve", "lb", str(port), BALANCER[4][0],
                                   BALANCER[6][0], stdout=subprocess.PIPE)
            if server.stdout.readline() != "listening\n":
                raise Failure("the balancer's own server does not listen")

    def ping(self):
        for family in (4, 6):
            self.cluster.net["client"].peer("ping", *BALANCER[family])

    def ping_service(self):
        """The address is nobody's on the balancer; XDP answers for it."""
        before = self.cluster.reasons()["icmp_echo"]
        for family in (4, 6):
            self.cluster.net["client"].peer("ping", SERVICES[family])
        answered = self.cluster.reasons()["icmp_echo"] - before
        if answered < 2:
            raise Failure(f"the balancer counted {answered} echo requests")

    def converse(self, port, **more):
        before = self.cluster.reasons()
        for family in (4, 6):
            opened = self.client.open(CONNECTIONS, family, address=BALANCER[family][0],
                                      port=port, **more)
            if {c["server"] for c in opened} != {"lb"}:
                raise Failure(f"others answered: {opened}")
        self.client.progress()
        self.client.finish()
        after = self.cluster.reasons()
        if after["not_service"] == before["not_service"]:
            raise Failure("the balancer counted no packet as not for a service")
        for reason in ("ring_new", "token", "stamp"):
            if after[reason] != before[reason]:
                raise Failure(f"the balancer sent packets on, by {reason}")

    def service_goes_on(self):
        for family in (4, 6):
            opened = self.client.open(CONNECTIONS, family)
            if "lb" in {c["server"] for c in opened}:
                raise Failure(f"the balancer's stack answered: {opened}")
        self.client.progress()
        self.client.finish()


def main():
    exit_on_signals()
    with Topology() as net:
        cluster = Cluster(net)
        cluster.start_balancer()
        cluster.start_servers()
        cluster.start_server_sides(("s1", "s2", "s3"))
        trial = Trial(cluster)
        trial.listen()
        return run_tests([
                ("the balancer answers ping to its own addresses", trial.ping),
                ("ping to a service's address is answered by the balancer itself", trial.ping_service),
                ("TCP to the balancer's own ssh port works",
                 lambda: trial.converse(SSH, plain=True)),
                ("Multipath TCP to the balancer itself, on a service's port, works",
                 lambda: trial.converse(PORT)),
                ("the services work meanwhile", trial.service_goes_on),
        ], cluster.describe)


if __name__ == "__main__":
    sys.exit(main())
