#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""apply, killed before each of its system calls that change a map: the old runs, or the new."""

import collections
import fcntl
import json
import os
import random
import re
import signal
import socket
import struct
import subprocess
import sys
import time

from test_wrong_input import Room  # which makes the e2e tests' modules known
from tap import exit_on_signals, note, run_tests
from topology import BPFTOOL, Failure

FILES = ("good", "other")
PORTS = range(40000, 40004)
SERVICES = ("192.0.2.1", "192.0.2.2")
EACH = 4  # of the calls of one name that change no map; EACH=1000 in the environment for all
AT_RANDOM = 30
AT_ONCE = 5
CALL = re.compile(r"^\d+ +(\w+)\((\w*)")
CHANGES = ("BPF_MAP_CREATE", "BPF_MAP_UPDATE_ELEM", "BPF_MAP_DELETE_ELEM")


def syn(service, port, options):
    tcp = struct.pack("!HHIIBBHHH", port, 443, 1, 0, (20 + len(options)) << 2, 2, 65535, 0, 0)
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 40 + len(options), 0, 0, 64, socket.IPPROTO_TCP, 0,
                     socket.inet_aton("10.1.0.2"), socket.inet_aton(service))
    return bytes(12) + b"\x08\x00" + ip + tcp + options


def join(token):
    return bytes((30, 12, 0x10, 1)) + bytes.fromhex(token) + bytes(4)


class Trial:
    def __init__(self, room):
        self.room = room
        self.frames = []
        self.known = {}  # what runs, by file
        self.calls = collections.defaultdict(list)  # by name, what stands first in each

    def start(self):
        self.room.done("load")
        tokens = []
        for epoch, file in enumerate(FILES):
            for index in (1, 2, 128):
                said = self.room.done(f"-c {{dir}}/{file}.yaml token encode index {index} "
                                      f"epoch {epoch}")
                tokens.append(said.split()[0])
        options = [bytes((2, 4, 5, 0xb4)), *map(join, tokens)]
        for service in SERVICES:
            for number, port in enumerate((*PORTS, *PORTS)):
                self.frames.append(syn(service, port, options[number % len(options)]))
        for file in FILES:
            self.room.done(f"apply {{dir}}/{file}.yaml")
            self.known[file] = self.runs()
        if self.known["good"] == self.known["other"]:
            raise Failure("the two configurations cannot be told apart")

    def decide(self, frame):
        """The program's verdict on a frame, and what it has made of it."""
        into, out = (os.path.join(self.room.dir, name) for name in ("frame", "decided"))
        with open(into, "wb") as file:
            file.write(frame)
        said = self.room["lb"].run(BPFTOOL, "-j", "prog", "run", "pinned",
                                   os.path.join(self.room.pins, "lb"), "data_in", into,
                                   "data_out", out, "repeat", "1")
        with open(out, "rb") as file:
            return json.loads(said)["retval"], file.read()

    def runs(self):
        """What show says, and what becomes of packets."""
        shown = self.room.state()
        for secret in shown["secrets"]:
            secret.pop("last-join-s", None)
        return shown, [self.decide(frame) for frame in self.frames]

    def which(self):
        runs = self.runs()
        for file in FILES:
            if runs == self.known[file]:
                return file
        raise Failure(f"what runs is neither the old nor the new: {runs}")

    def strace(self, *words, file):
        argv = (*self.room["lb"].enter, "strace", "-f", *words, self.room.loader, "-p",
                self.room.pins, "apply", os.path.join(self.room.dir, file + ".yaml"))
        return subprocess.run(argv, capture_output=True, text=True, check=False).returncode

    def trace(self):
        """Lists the calls of an apply that changes everything."""
        log = os.path.join(self.room.dir, "calls")
        self.room.done("apply {dir}/other.yaml")
        if self.strace("-o", log, file="good"):
            raise Failure("apply does not work under strace")
        with open(log, encoding="ascii", errors="replace") as lines:
            for match in filter(None, map(CALL.match, lines)):
                self.calls[match[1]].append(match[2])
        del self.calls["execve"]
        changes = sum(first in CHANGES for first in self.calls["bpf"])
        note(f"{changes} calls that change a map, {sum(map(len, self.calls.values()))} in all")
        if changes < 10:
            raise Failure(f"an apply changes more than {changes} things")

    def chosen(self):
        """Pairs of a call's name and its number among those of the name, from 1."""
        each = int(os.environ.get("EACH", EACH))
        for name, firsts in self.calls.items():
            kinds = collections.Counter()
            step = max(1, len(firsts) // each)
            for number, first in enumerate(firsts, 1):
                kinds[first] += 1
                if (name == "bpf" and first in CHANGES) or number % step == 0 or \
                        (name == "bpf" and kinds[first] <= 2):
                    yield name, number

    def killed_at_calls(self):
        ends = collections.Counter()
        running = self.which()
        for name, number in self.chosen():
            wanted = FILES[running == FILES[0]]
            status = self.strace("-o", "/dev/null", "-e", f"trace={name}", "-e",
                                 f"inject={name}:signal=KILL:when={number}", file=wanted)
            before, running = running, self.which()
            ends["old" if running == before else "new"] += 1
            ends["killed"] += status != 0
        note(f"{dict(ends)}")
        if not ends["old"] or not ends["new"] or ends["killed"] < sum(ends.values()) / 4:
            raise Failure(f"too few were cut short: {ends}")

    def killed_at_random(self):
        """The maps in memory are written between system calls."""
        began = time.monotonic()
        self.room.done("apply {dir}/good.yaml")
        takes, running = time.monotonic() - began, "good"
        for _ in range(AT_RANDOM):
            process = self.room.start(f"apply {{dir}}/{FILES[running == FILES[0]]}.yaml")
            time.sleep(random.uniform(0, 1.1 * takes))
            process.send_signal(signal.SIGKILL)
            process.communicate()
            running = self.which()

    def repeated(self):
        for file in FILES:
            self.room.done(f"apply {{dir}}/{file}.yaml")
            if self.which() != file:
                raise Failure("the next apply did not do what it should")

    def one_waits(self):
        """The lock is the pin directory's, and goes with whoever held it."""
        directory = os.open(self.room.pins, os.O_RDONLY)
        fcntl.flock(directory, fcntl.LOCK_EX)
        process = self.room.start("apply {dir}/good.yaml")
        time.sleep(0.5)
        waits = process.poll() is None
        os.close(directory)
        process.communicate()
        if not waits or process.returncode or self.which() != "good":
            raise Failure(f"it did not wait, or ended with {process.returncode}")

    def two_at_once(self):
        for _ in range(AT_ONCE):
            processes = [self.room.start(f"apply {{dir}}/{file}.yaml") for file in FILES * 2]
            for process in processes:
                process.communicate()
            if any(process.returncode for process in processes):
                raise Failure("one of them failed")
            self.which()

    def steps(self):
        return [
            ("two configurations that show and packets tell apart", self.start),
            ("what an apply asks of the kernel", self.trace),
            ("killed before every call that changes a map: the old or the new runs",
             self.killed_at_calls),
            (f"killed at {AT_RANDOM} random instants: the old or the new runs",
             self.killed_at_random),
            ("the next apply works", self.repeated),
            ("an apply waits for another command to end", self.one_waits),
            ("of several at once each succeeds, and one is what runs", self.two_at_once),
        ]


def main():
    exit_on_signals()
    with Room() as room:
        return run_tests(Trial(room).steps())


if __name__ == "__main__":
    sys.exit(main())
