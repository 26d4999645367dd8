#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""`make test-kernel-selftests`: the kernel's own mptcp_connect, with and without our programs.

Files go both ways over IPv4 and IPv6, between MPTCP and TCP, by poll, mmap and sendfile.
"""

import hashlib
import itertools
import os
import subprocess
import sys

from counters import counters
from tap import exit_on_signals, run_tests
from topology import BUILD, PORT, SERVICES, Failure, wait_until
from wire import ServerSide, Wire

PROGRAM = os.path.join(BUILD, "mptcp_connect")
ENDS = (("MPTCP", "MPTCP"), ("TCP", "MPTCP"), ("MPTCP", "TCP"))  # client, server
MODES = ("poll", "mmap", "sendfile")
BYTES = {"client": 3000001, "server": 2000003}
POLL_MS = 20000
PATIENCE_S = 60


class Transfers:
    def __init__(self, net):
        self.net = net
        for name, size in BYTES.items():
            with open(self.path(name, "in"), "wb") as file:
                file.write(os.urandom(size))

    def path(self, name, kind):
        return os.path.join(self.net.dir, f"{name}.{kind}")

    def digest(self, name, kind):
        with open(self.path(name, kind), "rb") as file:
            return hashlib.sha256(file.read()).hexdigest()

    def start(self, name, *words):
        with open(self.path(name, "in"), "rb") as given, \
             open(self.path(name, "out"), "wb") as got:
            return self.net[name].start(PROGRAM, "-t", str(POLL_MS), "-p", str(PORT), *words,
                                        stdin=given, stdout=got, stderr=subprocess.PIPE)

    def is_listening(self):
        return self.net["server"].run("ss", "-tlnH", f"sport = :{PORT}").strip()

    def transfer(self, family, client, server, mode):
        """Whether both programs ended well, and what each got is what the other had."""
        options = ("-m", mode, *(("-6",) if family == 6 else ()), SERVICES[family])
        ends = {"server": self.start("server", "-l", "-s", server, *options)}
        wait_until("a listener", self.is_listening)
        ends["client"] = self.start("client", "-s", client, *options)
        said = {name: end.communicate(timeout=PATIENCE_S)[1] for name, end in ends.items()}
        return (all(end.returncode == 0 for end in ends.values()) and
                self.digest("client", "in") == self.digest("server", "out") and
                self.digest("server", "in") == self.digest("client", "out")) or said

    def all(self):
        before = counters(self.net["server"])
        found = {" ".join(map(str, (family, *ends, mode))): self.transfer(family, *ends, mode)
                 for family, ends, mode in itertools.product((4, 6), ENDS, MODES)}
        after = counters(self.net["server"])
        handshakes = after["MPTcpExtMPCapableACKRX"] - before["MPTcpExtMPCapableACKRX"]
        return found, handshakes


class Trial:
    def __init__(self, side):
        self.side = side
        self.transfers = Transfers(side.net)
        self.found = None

    def without(self):
        self.found = self.transfers.all()
        if set(self.found[0].values()) != {True}:
            raise Failure(f"without our programs: {self.found}")

    def with_programs(self):
        self.side.attach()
        found = self.transfers.all()
        if found != self.found:
            raise Failure(f"without: {self.found}, with: {found}")
        if not self.side.counted("stamped") or self.side.counted("key_replaced") != found[1]:
            raise Failure("the programs did nothing")


def main():
    exit_on_signals()
    with Wire() as net, net.carried(1):
        trial = Trial(ServerSide(net))
        return run_tests([("without our programs every transfer is right", trial.without),
                          ("with them every one is as well", trial.with_programs)])


if __name__ == "__main__":
    sys.exit(main())
