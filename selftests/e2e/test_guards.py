#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""What happens to a server behind the server side's back, under live connections."""

import contextlib
import os
import signal
import subprocess
import sys
import time

from cluster import INDICES, Cluster
from tap import exit_on_signals, run_tests
from topology import BUILD, NETS, SERVERS, SERVICES, Failure, Topology, wait_until

CONNECTIONS = 5
OLDER = os.path.join(BUILD, "older", "mptcp-lb")
CLOCK_AHEAD = os.path.join(BUILD, "selftests", "clock_ahead.so")


class Trial:
    """s2, which is the services' only backend; what `server run` says there is read back."""

    def __init__(self, cluster):
        self.cluster = cluster
        self.space = cluster.net["s2"]
        self.side = cluster.sides["s2"]
        self.client = cluster.client
        self.journal = os.path.join(cluster.net.dir, "journal")
        self.ahead = os.path.join(cluster.net.dir, "ahead")
        self.daemon = None
        self.read = 0

    def set_clock(self, seconds):
        with open(self.ahead + ".new", "w", encoding="ascii") as file:
            file.write(str(seconds))
        os.rename(self.ahead + ".new", self.ahead)

    def start(self):
        environment = {**os.environ, "LD_PRELOAD": CLOCK_AHEAD, "CLOCK_AHEAD": self.ahead}
        with open(self.journal, "a", encoding="utf-8") as journal:
            self.daemon = self.space.start(*self.side.argv, "server", "run", stderr=journal,
                                           env=environment)

    def said(self):
        with open(self.journal, encoding="utf-8") as journal:
            return journal.read()[self.read:]

    def hear(self, *parts):
        """Waits for one sentence each; what was said before has been heard."""
        wait_until(f"'server run' says {parts}, and not only: {self.said()}",
                   lambda: all(self.said().count(part) == 1 for part in parts))
        self.read += len(self.said())

    def show(self):
        return self.side.json("server show")

    def begin(self):
        self.cluster.attach("s2")
        self.set_clock(0)
        self.start()
        wait_until("keys", lambda: self.cluster.keys_queued("s2") >= 200)
        for family in (4, 6):
            self.client.open(CONNECTIONS, family)
        self.cluster.wait_for_joins(2 * CONNECTIONS)

    def check_that_all_goes_on(self):
        """Old connections live; new ones come, with joins."""
        self.client.progress()
        before = len([c for c in self.cluster.connections() if len(c) == 2])
        for family in (4, 6):
            self.client.open(1, family)
        self.cluster.wait_for_joins(before + 2)

    def sysctls(self):
        for name in ("net.ipv4.tcp_syncookies", "net.ipv4.tcp_timestamps"):
            self.space.sysctl(f"{name}=1")
            self.hear(f"{name} is 1 and not 2")
            self.space.sysctl(f"{name}=2")
            self.hear(f"{name} is 2 again")
        self.check_that_all_goes_on()

    def clock(self):
        """Slots of 2^24 ms: balancers allow 1048 s."""
        offset = self.show()["stamp-offset"]
        self.set_clock(100)
        self.hear("the clock is 100 s from", "stamps go on as they were")
        self.set_clock(-600)
        self.hear("but it is near")
        self.set_clock(5000)
        self.hear("stamps name other backends")
        self.set_clock(0)
        self.hear("stamps go on as they were")
        if self.show()["stamp-offset"] != offset:
            raise Failure("the offset of this boot's stamps has changed")
        self.check_that_all_goes_on()

    def address(self):
        for family, bits in ((4, 32), (6, 128)):
            self.space.ip(f"addr del {SERVICES[family]}/{bits} dev lo")
            self.hear(f"lost the address {SERVICES[family]}")
            self.space.ip(f"addr add {SERVICES[family]}/{bits} dev lo")
            self.hear(f"has the address {SERVICES[family]} again")
        self.check_that_all_goes_on()

    @contextlib.contextmanager
    def silence(self):
        """What is sent without a stamp, while no program is there, may cost a subflow its life."""
        self.client.hold()
        wait_until("nothing is on its way", self.all_is_said)
        yield
        self.client.flow()
        self.check_that_all_goes_on()

    def all_is_said(self):
        return all(c["sent"] == c["received"] for c in self.client.report())

    def mended(self):
        """Other agents clean up what is not theirs."""
        with self.silence():
            self.space.run("tc", "qdisc", "del", "dev", "eth0", "clsact")
            self.hear("took the programs off the device 'eth0'")

    def born_meanwhile(self):
        """Without the programs connections begin without stamps, and so they must go on."""
        with self.silence():
            self.kill()
            self.space.run("tc", "qdisc", "del", "dev", "eth0", "clsact")
            for family in (4, 6):
                self.client.open(CONNECTIONS, family)
            self.start()
            self.hear("took the programs off the device 'eth0'")
        if self.show()["exempt"] < 2 * CONNECTIONS:  # the idle subflows have not been heard
            raise Failure(f"those are to be exempt, and not: {self.show()}")

    def plug(self):
        net = self.cluster.net
        net.plug("s2", "eth0", 0x12, ["10.0.0.12/24", "2001:db8:b::12/64"])
        for prefix in NETS[4] + NETS[6]:
            self.space.ip(f"route add {prefix} dev eth0")

    def device(self):
        with self.silence():
            self.space.ip("link del eth0")
            self.hear("the device 'eth0' is gone")
            self.plug()
            self.hear("the device 'eth0' is back")
        if [row["dev"] for row in self.show()["devices"]] != ["eth0"]:
            raise Failure(f"devices: {self.show()['devices']}")

    def device_without_daemon(self):
        """The name outlives the daemon."""
        with self.silence():
            self.kill()
            self.space.ip("link del eth0")
            self.plug()
            self.start()
            self.hear("the device 'eth0' is back, and the programs are on it again")

    def kill(self):
        self.daemon.send_signal(signal.SIGKILL)
        self.daemon.wait()

    def killed(self):
        before = self.show()
        self.kill()
        self.client.progress()
        if self.show()["run"]:
            raise Failure("the queue is claimed still")
        self.start()
        wait_until("it runs again", lambda: self.show()["run"])
        after = self.show()
        if after["stamp-offset"] != before["stamp-offset"]:
            raise Failure("the offset of this boot's stamps has changed")
        self.check_that_all_goes_on()

    def configure(self, epoch, secrets):
        with open(self.cluster.servers_config, encoding="ascii") as file:
            lines = file.read().split("\n")
        lines = [f"  epoch: {epoch}" if "  epoch:" in line else
                 f"  secrets: {{{secrets}}}" if "  secrets:" in line else line for line in lines]
        with open(self.cluster.servers_config, "w", encoding="ascii") as file:
            file.write("\n".join(lines))

    def new_secret(self, path):
        with open(path, "w", opener=lambda p, f: os.open(p, f, 0o600)) as file:
            file.write(os.urandom(16).hex() + "\n")

    def tokens_right(self, epoch):
        """As `server check` decodes them, and no key of another epoch is left."""
        wait_until("keys for strangers too",
                   lambda: self.show()["keys-queued"] > self.show()["keys-reserve"] + 200)
        lines = self.side("server check handshakes 20", check=False)
        if lines.count("20 of 20 tokens decode to this index") != 2:
            raise Failure(f"with epoch {epoch}: {lines}")

    def epoch(self):
        other = os.path.join(self.cluster.net.dir, "secret.1")
        self.new_secret(other)
        self.configure(1, f"0: {self.cluster.secret}, 1: {other}")
        self.hear("issued under epoch 1 from now on")
        self.configure(1, f"1: {other}")  # a key of epoch 0 would not decode any more
        self.tokens_right(1)
        self.configure(1, f"0: {self.cluster.secret}, 1: {other}")
        self.client.progress()

    def rotated(self):
        other = os.path.join(self.cluster.net.dir, "secret.1")
        self.new_secret(other)
        self.hear("issued under a new secret of epoch 1")
        self.tokens_right(1)

    def asked(self):
        """SIGHUP reads it at once; what can't be followed changes nothing."""
        self.configure(3, f"0: {self.cluster.secret}")
        self.daemon.send_signal(signal.SIGHUP)
        self.hear("issued as before")
        self.configure(0, f"0: {self.cluster.secret}")
        self.hear("issued under epoch 0")
        self.check_that_all_goes_on()

    def program(self):
        lines = self.space.run("tc", "filter", "show", "dev", "eth0", "egress")
        return next(word for line in lines.splitlines() for word in line.split()
                    if len(word) == 16 and word.isalnum() and "tag" in line)

    def upgraded(self):
        """To another build and back; attached again with the same one, it says so."""
        before, offset = self.program(), self.show()["stamp-offset"]
        older = (OLDER, *self.side.argv[1:])
        for argv in (older, self.side.argv):
            self.space.run(*argv, "server", "attach", "dev", "eth0", "index",
                           str(INDICES["s2"]))
            self.hear("the programs on the device 'eth0' were replaced")
            if (self.program() == before) != (argv is self.side.argv):
                raise Failure("the programs on the device are the wrong ones")
            self.check_that_all_goes_on()
        again = subprocess.run([*self.space.enter, *self.side.argv, "server", "attach", "dev",
                                "eth0", "index", str(INDICES["s2"])], text=True,
                               capture_output=True, check=False)
        if again.returncode != 1 or "already" not in again.stderr:
            raise Failure(f"attached once more, it says {again}")
        if self.show()["stamp-offset"] != offset:
            raise Failure("the offset of this boot's stamps has changed")

    def end(self):
        self.client.finish()
        self.read += len(self.said())
        self.side("server detach dev eth0")
        wait_until("'server run' ends", lambda: self.daemon.poll() is not None)
        said = [line for line in self.said().splitlines() if " keys queued for " not in line]
        if said != ["server run: the server side was detached"]:
            raise Failure(f"at the detach 'server run' said {said}")


def index_behind():
    """The one of two whose stamps are behind plain timestamps today, as PAWS compares them: by
    the other a connection that began without them becomes stamped if its server speaks first."""
    offset_ms = int((time.time() - time.monotonic()) * 1000)
    return next(index for index in (127, 255) if (offset_ms + (index << 24)) >> 31 & 1)


def main():
    exit_on_signals()
    INDICES["s2"] = index_behind()
    with Topology() as net:
        cluster = Cluster(net)
        cluster.start_balancer(("s2",))
        cluster.start_servers()
        cluster.write_config(cluster.servers_config, SERVERS)
        trial = Trial(cluster)
        return run_tests([
                ("connections with joins are there", trial.begin),
                ("sysctls change behind our back", trial.sysctls),
                ("the clock is set later", trial.clock),
                ("a service's address goes and comes back", trial.address),
                ("somebody takes the programs off", trial.mended),
                ("connections that begin without them go on when they are back",
                 trial.born_meanwhile),
                ("the device goes and comes back", trial.device),
                ("it goes and comes back while no daemon runs", trial.device_without_daemon),
                ("the daemon is killed and started again", trial.killed),
                ("the epoch is switched", trial.epoch),
                ("the secret is rotated in its place", trial.rotated),
                ("a configuration that can't be followed, and one that can", trial.asked),
                ("the programs are upgraded", trial.upgraded),
                ("all connections end well, and a detach is not meddled with", trial.end),
        ], lambda: cluster.describe() + trial.said())


if __name__ == "__main__":
    sys.exit(main())
