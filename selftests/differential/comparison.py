# SPDX-License-Identifier: GPL-2.0-only
"""Packets through a balancer's program and through the model, and where the two disagree."""
import os
import random
import re
import struct
import subprocess
import sys
import tempfile
from collections import Counter

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.path += [os.path.join(TOP, "selftests", folder) for folder in ("model", "e2e")] + [HERE]

from clusters import random_cluster  # noqa: E402
from configuration import packed  # noqa: E402
from decision import Model  # noqa: E402
from packets import Generator  # noqa: E402
from topology import Failure  # noqa: E402

RUNNER = os.path.join(TOP, "build", "differential", "runner")
BALANCER = os.path.join(TOP, "build", "poison.bpf.o")
BATCH = 1000
FLOW_ENTRIES = 16384  # more than flows in a configuration
ENOUGH = 5  # disagreements: most have one cause
VERDICT = struct.Struct("=IIHHHH")
UNCHANGED, NONE, ROW_OF_JOIN_PORTS = 0xFFFFFFFF, 0xFFFF, 513


def names_of_reasons():
    with open(os.path.join(TOP, "include", "reason.h"), encoding="ascii") as file:
        return re.findall(r"^\tREASON\((\w+),", file.read(), re.MULTILINE)


REASONS = names_of_reasons()


def write(name, text):
    """For the eyes of the owner: secrets have manners."""
    with open(os.open(name, os.O_CREAT | os.O_WRONLY, 0o600), "w", encoding="ascii") as file:
        file.write(text)


def write_configuration(folder, cluster, flow_entries):
    for epoch, secret in cluster.secrets.items():
        write(os.path.join(folder, f"secret.{epoch}"), secret.hex() + "\n")
    name = os.path.join(folder, "cluster.yaml")
    write(name, cluster.yaml(flow_entries))
    return name


class Runner:
    """The C program next to this file, with one object's balancer loaded."""

    def __init__(self, balancer=BALANCER):
        self.applied = 0
        self.messages = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen([RUNNER, balancer], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=self.messages)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()

    def tell(self, command, data):
        self.process.stdin.write(struct.pack("=cI", command, len(data)) + data)
        self.process.stdin.flush()

    def read(self, length):
        data = self.process.stdout.read(length)
        if len(data) != length:
            self.messages.seek(0)
            raise Failure(f"the runner has ended: {self.messages.read()}{data.decode()}")
        return data

    def apply(self, cluster):
        """
        The names of services, packed address and port, by their row of counters. Flow caches
        end with the configuration, since another follows with another number of entries.
        """
        self.applied += 1
        with tempfile.TemporaryDirectory() as folder:
            name = write_configuration(folder, cluster, FLOW_ENTRIES + self.applied % 2)
            self.tell(b"C", name.encode())
            count, = struct.unpack("=I", self.read(4))
            rows = [struct.unpack("=16sHH", self.read(20)) for _ in range(count)]
        names = {row: (address.removeprefix(bytes(10) + b"\xff\xff"), port)
                 for address, port, row in rows}
        return names | {ROW_OF_JOIN_PORTS: "join ports"}

    def run(self, packets):
        """What became of each pair of wall clock and frame: action, reason, row, backend, frame."""
        self.tell(b"P", b"".join(struct.pack("=II", wall, len(frame)) + frame
                                 for wall, frame in packets))
        out = self.read(struct.unpack("=I", self.read(4))[0])
        at = 0
        for _, frame in packets:
            action, length, reason, row, backend, _ = VERDICT.unpack_from(out, at)
            at += VERDICT.size
            if length != UNCHANGED:
                frame = out[at:at + length]
                at += length
            yield action, reason, row, backend, frame


class Disagreement:
    def __init__(self, wall, frame, program, model):
        self.wall, self.frame, self.program, self.model = wall, frame, program, model

    def __str__(self):
        lines = [f"frame {self.frame.hex()}", f"wall clock {self.wall}"]
        for name, (reason, service, action, backend, out) in (("program", self.program),
                                                              ("model", self.model)):
            lines.append(f"the {name}: {reason}, row of {service}, action {action}, "
                         f"backend {backend}")
            if out != self.frame:
                lines.append(f"    sends {out.hex()}")
        return "\n".join(lines)


def name_of(service):
    return (packed(service.address), service.port) if service.port else "join ports"


def compare(runner, cluster, generator, count, met):
    """Yields the disagreements among `count` packets; counts in `met` the reasons."""
    model, rows = Model(cluster), runner.apply(cluster)
    while count:
        packets = [generator.next() for _ in range(min(BATCH, count))]
        count -= len(packets)
        for (wall, frame), (action, reason, row, backend, out) in zip(packets, runner.run(packets)):
            decision = model.decide(frame, wall, out)
            met[decision[0]] += 1
            name = REASONS[reason] if reason < len(REASONS) else "not one counter"
            service = decision[1] and name_of(decision[1])
            program = (name, rows.get(row), action, None if backend == NONE else backend, out)
            expected = (decision[0], service) + decision[2:]
            if program != expected:
                yield Disagreement(wall, frame, program, expected)


def scenario(seed):
    """A configuration, and packets for it, that are the same for the same seed."""
    rng = random.Random(seed)
    cluster = random_cluster(rng)
    return cluster, Generator(rng, cluster)


def compare_all(runner, seeds, packets):
    """So many packets for each seed: how many met each reason, and the disagreements."""
    met, found = Counter(), []
    for seed in seeds:
        for disagreement in compare(runner, *scenario(seed), packets, met):
            found.append(f"seed {seed}\n{disagreement}")
            if len(found) == ENOUGH:
                return met, found
    return met, found
