# SPDX-License-Identifier: GPL-2.0-only
"""Two balancers with one configuration, and four servers with the server side, in a network."""

import json
import os
import random
import signal
import subprocess
import time

from cluster import Command
from network import BALANCERS, SERVICE
from topology import BUILD, PORT, SERVERS, Failure, mac, run, wait_until

INDEX_BITS = 8
SLOT_MS = 1 << (32 - INDEX_BITS)
CLOCK_ERROR_MS = SLOT_MS // 16  # what is allowed
INDICES = dict(zip(SERVERS, (0, 128, 64, 192)))
BASE = ("s1", "s2", "s3")
KEYS = 200

VARIANTS = {
        "mptcp-lb": {"joins": "token", "stamps": "on", "flows": "off"},
        "hash": {"joins": "ring", "stamps": "off", "flows": "off"},
        "hash+table": {"joins": "ring", "stamps": "off", "flows": "all"},
}


class Installation:
    def __init__(self, net):
        self.net = net
        self.variant = None
        self.balancers = {name: Command(net[name], os.path.join(net.dir, f"{name}.yaml"))
                          for name in BALANCERS}
        self.servers_config = os.path.join(net.dir, "servers.yaml")
        self.sides = {name: Command(net[name], self.servers_config) for name in SERVERS}
        self.daemons = {}
        self.members = {}  # name to what differs from the default
        self.ring_seed = 0
        self.epoch = 0
        self.secrets = {0: self.make_secret()}

    def make_secret(self):
        path = os.path.join(self.net.dir, f"secret.{random.getrandbits(64):x}")
        with open(path, "w", opener=lambda p, f: os.open(p, f, 0o600)) as file:
            file.write(os.urandom(16).hex() + "\n")
        return path

    # What the configuration says.

    def backend(self, name, more):
        number = 1 + SERVERS.index(name)
        return {"index": INDICES[name], "address": f"10.0.0.{10 + number}",
                "lladdr": mac(0x10 + number), **more}

    def write(self, path, variant, members):
        """YAML that happens to be JSON."""
        service = {"address": SERVICE, "ports": [PORT], **VARIANTS[variant],
                   "backends": [self.backend(name, more) for name, more in members.items()]}
        cluster = {"index-bits": INDEX_BITS, "ring-seed": self.ring_seed, "epoch": self.epoch,
                   "secrets": {str(epoch): file for epoch, file in self.secrets.items()}}
        with open(path + ".new", "w", encoding="ascii") as file:
            json.dump({"cluster": cluster, "services": [service]}, file, indent=1)
        os.rename(path + ".new", path)

    # The balancers.

    def apply(self, *names):
        for name in names or BALANCERS:
            side = self.balancers[name]
            self.write(side.config, self.variant, self.members)
            side(f"apply {side.config}")

    def set_members(self, *names, **more):
        """more: by name, what differs from the default."""
        self.members = {name: more.get(name, {}) for name in names}
        self.apply()

    def start(self, name):
        self.balancers[name]("load")
        self.apply(name)
        self.balancers[name]("attach dev north")

    def stop(self, name):
        self.balancers[name]("detach dev north")
        self.balancers[name]("unload")

    def start_balancers(self, variant):
        self.variant = variant
        self.members = {name: {} for name in BASE}
        for name in BALANCERS:
            self.start(name)

    def become(self, variant):
        """The same balancers, configured otherwise."""
        self.variant = variant
        self.apply()

    def rebuild_ring(self, *names):
        self.ring_seed += 1
        self.apply(*names)

    def kill_apply(self, name, after_s):
        """True if it was still at work."""
        self.ring_seed += 1
        side = self.balancers[name]
        self.write(side.config, self.variant, self.members)
        with self.net[name].start(*side.argv, "apply", side.config, stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL) as applying:
            time.sleep(after_s)
            applying.kill()
        return applying.returncode == -signal.SIGKILL

    def set_clock(self, name, ahead_ms):
        """Until the next apply."""
        run(os.path.join(BUILD, "set-clock"), self.balancers[name].pins, str(ahead_ms))

    def reasons(self):
        """Packets by reason, of both balancers."""
        total = {}
        for side in self.balancers.values():
            for row in side.json("stats")["reasons"]:
                total[row["reason"]] = total.get(row["reason"], 0) + row["packets"]
        return total

    def far_future(self):
        """Stamps that were seen 65 s or more in the future, by both balancers."""
        return sum(row["future"] for side in self.balancers.values()
                   for row in side.json("stats")["stamp-ages"]
                   if not 0 < row["below-s"] <= 65)

    def links(self, name, state):
        for device in ("north", "south"):
            self.net[name].ip(f"link set {device} {state}")

    # The servers.

    def start_servers(self):
        self.write(self.servers_config, "mptcp-lb", {name: {} for name in SERVERS})
        for number, name in enumerate(SERVERS, 1):
            program = self.net[name].start(os.path.join(BUILD, "stream-server"), SERVICE,
                                           str(PORT), str(number), stdout=subprocess.PIPE)
            if program.stdout.readline() != "listening\n":
                raise Failure(f"the server program of {name} does not listen")
            self.sides[name](f"server attach dev eth0 index {INDICES[name]}")
            self.start_daemon(name)
        self.wait_for_keys()

    def start_daemon(self, name):
        self.daemons[name] = self.net[name].start(*self.sides[name].argv, "server", "run",
                                                  stderr=subprocess.DEVNULL)

    def kill_daemon(self, name):
        self.daemons[name].kill()
        self.daemons[name].wait()

    def server_show(self, name):
        return self.sides[name].json("server show")

    def wait_for_keys(self):
        for name in SERVERS:
            wait_until(f"keys for {name}", lambda: self.server_show(name)["keys-queued"] >= KEYS)

    # Both.

    def add_secret(self):
        """Step one of a rotation: balancers learn the next epoch's."""
        self.secrets = {**self.secrets, (self.epoch + 1) % 4: self.make_secret()}
        self.apply()

    def use_secret(self):
        """Step two: servers issue under it."""
        self.epoch = (self.epoch + 1) % 4
        self.write(self.servers_config, "mptcp-lb", {name: {} for name in SERVERS})
        for name in SERVERS:
            self.daemons[name].send_signal(signal.SIGHUP)
        self.apply()
        self.wait_for_keys()

    def retire_secret(self):
        """Step three: joins of the old epoch have stopped."""
        self.secrets = {self.epoch: self.secrets[self.epoch]}
        self.write(self.servers_config, "mptcp-lb", {name: {} for name in SERVERS})
        self.apply()
