#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""The server side attached and detached under live connections, idle and busy ones."""

import functools
import subprocess
import sys

from cluster import INDICES, RESETS, Client, Cluster
from tap import exit_on_signals, run_tests
from topology import PORT, SERVERS, SERVICES, Failure, Topology, wait_until

EACH = 5  # idle connections before and after the attachment, and as many busy ones
FIRST = ("s1", "s2", "s3")
SYSCTLS = ("net.ipv4.tcp_syncookies", "net.ipv4.tcp_timestamps")


class Trial:
    """
    One server, its index the lowest or the highest. It is the service's only backend, so
    that joins and segments without a stamp find it as well.
    """

    def __init__(self, cluster, name, family):
        self.cluster = cluster
        self.name = name
        self.family = family
        self.space = cluster.net[name]
        self.side = cluster.sides[name]
        self.busy = cluster.client
        self.idle = cluster.other_client
        self.detaching = None
        self.before = None

    def show(self):
        return self.side.json("server show")

    def sysctls(self):
        return self.space.run("sysctl", "-n", *SYSCTLS).split()

    def resets(self):
        now = self.cluster.server_counters()
        return {name: now[name] for name in RESETS}

    def open_both(self):
        """Idle ones have said something too: joins wait for the first data."""
        for client in (self.idle, self.busy):
            client.flow()
            client.open(EACH, self.family)
            client.progress()
        self.idle.hold()

    def prepare(self):
        cluster = self.cluster
        cluster.write_config(cluster.config, (self.name,), stamps="off")
        cluster.lb(f"apply {cluster.config}")
        self.before = self.sysctls(), self.resets()
        self.open_both()
        wait_until("all connections have two subflows", lambda: self.paired(2 * EACH))

    def paired(self, count):
        return sum(len(connection) == 2 for connection in self.cluster.connections()) == count

    def attach(self):
        self.cluster.start_server_sides((self.name,))
        self.all_go_on()
        exempt = self.show()["exempt"]
        if exempt != 4 * EACH:
            raise Failure(f"{exempt} subflows are exempt, and not {4 * EACH}")

    def all_go_on(self):
        self.busy.progress()
        self.idle.flow()
        self.idle.progress()
        self.idle.hold()
        if self.resets() != self.before[1]:
            raise Failure(f"resets went from {self.before[1]} to {self.resets()}")

    def use(self):
        before = self.show()["counters"]
        self.open_both()
        wait_until("new connections have two subflows", lambda: self.paired(4 * EACH))
        after = self.show()["counters"]
        for name in ("key_replaced", "stamped", "restored", "plain"):
            if after[name] == before[name]:
                raise Failure(f"the server side counted no packet as {name}")

    def detach(self):
        self.detaching = self.space.start(*self.side.argv, "server", "detach", "dev", "eth0",
                                          stderr=subprocess.PIPE)
        wait_until("the server side drains", lambda: self.show()["phase"] == "draining")
        self.all_go_on()
        if self.detaching.poll() is not None:
            raise Failure("detach did not wait for the stamped connections")

    def open_plain(self):
        before = self.show()["stamped"]
        self.open_both()
        after = self.show()["stamped"]
        if after > before:
            raise Failure(f"stamped connections went from {before} to {after}")

    def finish(self):
        self.busy.finish()
        self.idle.finish()

    def detached(self):
        wait_until("detach ends", lambda: self.detaching.poll() is not None)
        if self.detaching.returncode:
            raise Failure(f"detach failed: {self.detaching.stderr.read()}")
        if self.sysctls() != self.before[0]:
            raise Failure(f"sysctls were {self.before[0]} and are {self.sysctls()}")
        wait_until("server run ends", lambda: self.cluster.daemons[self.name].poll() is not None)

    def force(self):
        """Stamped connections are cut; those who forced it wanted it so."""
        self.cluster.start_server_sides((self.name,))
        self.busy.open(EACH, self.family)
        self.side("server detach dev eth0 force")
        if self.sysctls() != self.before[0]:
            raise Failure(f"sysctls were {self.before[0]} and are {self.sysctls()}")
        # Whatever the date makes of the jump of their clocks, nothing of them meets the next trial.
        self.busy.forget()
        self.cluster.net["client"].run("ss", "-Ktn", "state", "connected")
        self.busy.open(EACH, self.family)
        self.busy.progress()
        self.busy.finish()

    def steps(self):
        prefix = f"index {INDICES[self.name]}, IPv{self.family}: "
        return [(prefix + name, step) for name, step in (
            ("idle and busy connections are there", self.prepare),
            ("the server side is attached, and all of them go on", self.attach),
            ("new connections are stamped", self.use),
            ("while the server side is being detached, all go on", self.detach),
            ("new connections are not stamped any more", self.open_plain),
            ("all finish, equal byte for byte both ways", self.finish),
            ("then detach has ended, and sysctls are as they were", self.detached),
            ("'force' detaches at once, and new connections work", self.force))]


def interrupt(trial):
    """Killed between the two sysctls, a detach can be done again and comes to its end."""
    trial.cluster.start_server_sides([trial.name] * (not trial.cluster.is_attached(trial.name)))
    detaching = trial.space.start(*trial.side.argv, "server", "detach", "dev", "eth0", "force")
    before = trial.before[0]
    wait_until("one sysctl is restored", lambda: trial.sysctls()[0] == before[0])
    detaching.kill()
    detaching.wait()
    if trial.sysctls() == before:
        raise Failure("the detach was killed too late for this test")
    trial.side("server detach dev eth0 force")
    if trial.sysctls() != before:
        raise Failure(f"sysctls were {before} and are {trial.sysctls()}")


def detach_a_part(trial):
    """Of two devices one is not detached by surprise, and both go together."""
    def devices():
        return [row["dev"] for row in trial.show()["devices"]]

    trial.space.ip("link add x0 type veth peer name x1")
    trial.cluster.write_config(trial.cluster.config, (trial.name,), stamps="off")
    trial.cluster.lb(f"apply {trial.cluster.config}")
    trial.side(f"server attach dev eth0 dev x0 index {INDICES[trial.name]}")
    trial.busy.open(EACH, trial.family)
    trial.side("server detach dev eth0", check=False)
    if devices() != ["eth0", "x0"]:
        raise Failure(f"with connections alive, the devices are {devices()}")
    trial.busy.progress()
    trial.busy.finish()
    wait_until("the server's connections are gone", lambda: not trial.cluster.connections())
    trial.side("server detach dev eth0 dev x0")
    if trial.sysctls() != trial.before[0]:
        raise Failure(f"sysctls were {trial.before[0]} and are {trial.sysctls()}")


def check(trial):
    """What the configuration has gained since the attachment is a finding."""
    cluster = trial.cluster
    cluster.write_config(cluster.servers_config, SERVERS)
    if not cluster.is_attached(trial.name):
        cluster.attach(trial.name)
    finding = f"{SERVICES[4]} port {PORT + 1}, which is not stamped"
    if "which is not stamped" in trial.side("server check", check=False):
        raise Failure("there is a finding though nothing has changed")
    with open(cluster.servers_config, encoding="ascii") as file:
        config = file.read()
    with open(cluster.servers_config, "w", encoding="ascii") as file:
        file.write(config.replace(f"[{PORT}]", f"[{PORT}, {PORT + 1}]"))
    if finding not in trial.side("server check", check=False):
        raise Failure("'server check' does not find the service that is not stamped")


def take_over(cluster, family):
    """A live service, from a ring alone to stamps, which then keep what the ring would lose."""
    cluster.write_config(cluster.config, FIRST, stamps="off")
    cluster.lb(f"apply {cluster.config}")
    cluster.start_server_sides([name for name in FIRST if not cluster.is_attached(name)])
    cluster.client.open(2 * EACH, family)
    cluster.client.progress()
    cluster.lb(f"service set {SERVICES[family]} port {PORT} stamps on")
    cluster.client.progress()
    cluster.move_slots(family)
    cluster.client.progress()
    cluster.client.finish()


def main():
    exit_on_signals()
    with Topology() as net:
        cluster = Cluster(net)
        cluster.start_balancer(("s1",), stamps="off")
        cluster.start_servers()
        cluster.other_client = Client(net["client"])
        trials = [Trial(cluster, "s1", 4), Trial(cluster, "s2", 4),
                  Trial(cluster, "s1", 6), Trial(cluster, "s2", 6)]
        tests = [step for trial in trials for step in trial.steps()]
        tests += [(f"IPv{family}: a live service is taken over, and stamps are turned on",
                   functools.partial(take_over, cluster, family)) for family in (4, 6)]
        tests.append(("a detach that is killed in its last second is done again",
                      lambda: interrupt(trials[0])))
        tests.append(("'server check' finds a service that came after the attachment",
                      lambda: check(trials[1])))
        tests.append(("one of two devices is not detached under stamped connections",
                      lambda: detach_a_part(trials[0])))
        return run_tests(tests, cluster.describe)


if __name__ == "__main__":
    sys.exit(main())
