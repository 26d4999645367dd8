#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""Bugs that are put into copies of the XDP program are found: the comparison can fail."""
import os
import shutil
import subprocess
import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor

from comparison import TOP, Runner, compare, scenario
from tap import exit_on_signals, note, run_tests
from topology import Failure

CONFIGURATIONS, PACKETS = 20, 500

# What it is called, and the change, of a text that stands once in all of the program's sources.
BUGS = (
    ("stamps of the near future are taken for the next index",
     "+ cluster->stamp_ahead)", "+ (1u << cluster->stamp_shift) - 1)"),
    ("what is on its way to a backend already is turned round",
     "> packet_end(ctx) || is_sent_on(eth, backend)))\n\t\treturn false",
     "> packet_end(ctx)))\n\t\treturn false"),
    ("tokens of epochs without a secret are decoded",
     "if (!secret || !secret->present)", "if (!secret)"),
    ("the last round of the token loses a bit",
     "rounds->f[0][right]) & TOKEN_HALF_MASK", "rounds->f[0][right]) & TOKEN_HALF_MASK >> 1"),
    ("an option that ends with the header is thought to overrun it",
     "at + length > walk->end)", "at + length >= walk->end)"),
    ("the port of an IPv6 client is hashed in the host's order",
     "(uint64_t)18 << 56 | port, 1, 3",
     "(uint64_t)18 << 56 | (uint16_t)(port << 8 | port >> 8), 1, 3"),
    ("the second VLAN tag is forgotten", "#define VLAN_TAGS_MAX 2", "#define VLAN_TAGS_MAX 1"),
    ("DF is not repeated by outer headers",
     "<< 16 | inner->fragment)", "<< 16)"),
    ("nor by those of plain packets, which have a shorter way",
     "be32(0xffff0000 | IPV4_DF)", "be32(0xffff0000)"),
    ("tunnels turn round what is on its way to a backend",
     "length <= backend->mtu && !is_sent_on(eth, backend)", "length <= backend->mtu && eth"),
    ("what is longer than a tunnel's MTU is put in as it is",
     "return likely(length && length <= backend->mtu &&", "return likely(length &&"),
    ("stamped packets are counted for the service with the next id",
     "services[pkt->service % MAX_SERVICES]", "services[(pkt->service + 1) % MAX_SERVICES]"),
)


def copy_of_sources(folder):
    shutil.rmtree(folder, ignore_errors=True)
    for part in ("bpf", "include"):
        shutil.copytree(os.path.join(TOP, part), os.path.join(folder, part))
    os.makedirs(os.path.join(folder, "selftests", "rows"))
    shutil.copy(os.path.join(TOP, "selftests", "rows", "poison.bpf.c"),
                os.path.join(folder, "selftests", "rows"))


def put_in(folder, old, new):
    changed = 0
    for place, _, names in os.walk(folder):
        for path in (os.path.join(place, name) for name in names):
            with open(path, encoding="utf-8") as file:
                text = file.read()
            if old in text:
                changed += text.count(old)
                with open(path, "w", encoding="utf-8") as file:
                    file.write(text.replace(old, new))
    if changed != 1:
        raise Failure(f"'{old}' stands {changed} times in the sources: the bug needs a new text")


def build(number):
    """By the Makefile's rule; jobs of a make above this one are none of its business."""
    environment = {name: value for name, value in os.environ.items() if name != "MAKEFLAGS"}
    target = f"build/differential/bug{number}.bpf.o"
    made = subprocess.run(["make", "-s", "-C", TOP, target], env=environment, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if made.returncode:
        raise Failure(made.stdout)
    return os.path.join(TOP, target)


def first_disagreement(balancer):
    met = Counter()
    with Runner(balancer) as runner:
        for number in range(CONFIGURATIONS):
            for disagreement in compare(runner, *scenario(f"bug/{number}"), PACKETS, met):
                return met.total(), disagreement
    raise Failure(f"{met.total()} packets did not find it")


def find(number, old, new):
    folder = os.path.join(TOP, "build", "differential", f"bug{number}")
    copy_of_sources(folder)
    put_in(folder, old, new)
    packets, disagreement = first_disagreement(build(number))
    return f"found by packet {packets}:\n{disagreement}"


def main():
    exit_on_signals()
    with ProcessPoolExecutor() as pool:
        trials = [(name, pool.submit(find, number, old, new))
                  for number, (name, old, new) in enumerate(BUGS, 1)]
        return run_tests([(f"found: {name}", lambda trial=trial: note(trial.result()))
                          for name, trial in trials])


if __name__ == "__main__":
    sys.exit(main())
