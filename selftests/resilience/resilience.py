#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""`make resilience`: what breaks by each event, for mptcp-lb and for two balancers that only hash.

CONNECTIONS says how many (500), four fifths of them MPTCP with two subflows; VARIANTS and
EVENTS, separated by commas, choose some (parts of their names).
"""

import json
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))

from events import EVENTS, Trial
from installation import VARIANTS, Installation
from load import Load, Row
from network import Network
from routing import Routing
from tap import exit_on_signals
from topology import BUILD, Failure

CONNECTIONS = int(os.environ.get("CONNECTIONS", "500"))
HEADING = ("event", "variant", "connections", "broken", "subflows", "broken", "stall")
WIDTHS = (46, 11, 11, 7, 9, 7, 9)


def say(text):
    print(text, flush=True)


def print_row(cells):
    say("".join(f"{cell:<{width}}" if number < 2 else f"{cell:>{width}}"
                for number, (cell, width) in enumerate(zip(cells, WIDTHS))))


def set_up(net, variant):
    routing = Routing(net)
    site = Installation(net)
    site.start_balancers(variant)
    site.start_servers()
    return Trial(site, routing, Load(net))


def fill(trial, connections):
    """A join that goes by the ring finds its connection only by chance."""
    plain = connections // 5
    joins = trial.site.variant == "mptcp-lb"
    trial.load.fill(connections - plain, plain, subflows=2 if joins else 1)


def measure(trial, event, connections):
    """Lets an event happen to that many connections; what it did to them."""
    fill(trial, connections)
    before = trial.load.mark()
    event.happen(trial)
    return Row(event.name, trial.site.variant, **trial.load.judge(before, event.dead))


def complaint(row, event):
    """What is wrong with that, or None."""
    if row.variant != "mptcp-lb":
        if row.variant in event.loses and row.broken <= row.excused:
            return "should have lost connections: this is not measuring"
        return None
    if event.dead and not row.excused:
        return "no connection of the dead backend ended: this is not measuring"
    if event.hurts:
        return None if row.broken else "should have lost connections: this is not measuring"
    if row.broken > row.excused or row.subflows_broken > row.subflows_excused:
        return "lost what it should not"
    return None


def run_event(trial, event):
    row = measure(trial, event, CONNECTIONS)
    print_row([*row.public().values()])
    if row.excused:
        trial.note(f"{row.excused} of the broken ones were the dead backend's own")
    wrong = complaint(row, event)
    for text in trial.notes + [wrong] * bool(wrong):
        say(f"    {text}")
    trial.notes.clear()
    return row, wrong


def run_variant(variant, events):
    with Network() as net:
        trial = set_up(net, variant)
        done = [run_event(trial, event) for event in events]
        finish(trial)
        return done


def finish(trial):
    """What lives comes to its end, with the last byte as it should be."""
    trial.load.end()
    bad = [s for s in trial.load.look().values() if s["stage"] != "ended"]
    if trial.site.variant == "mptcp-lb" and bad:
        raise Failure(f"{len(bad)} connections did not come to their end, such as {bad[0]}")


def write(rows):
    """The rows, and a table for docs/resilience.md."""
    with open(os.path.join(BUILD, "resilience.json"), "w", encoding="ascii") as file:
        json.dump([row.public() for row in rows], file, indent=1)
    variants = list(dict.fromkeys(row.variant for row in rows))
    lines = ["| event | " + " | ".join(variants) + " |", "|---" * (1 + len(variants)) + "|"]
    for event in dict.fromkeys(row.event for row in rows):
        cells = [f"{row.broken} of {row.connections}, {row.subflows_broken} of {row.subflows}, "
                 f"{row.longest_stall_ms / 1000:.1f} s" for row in rows if row.event == event]
        lines.append(f"| {event} | " + " | ".join(cells) + " |")
    with open(os.path.join(BUILD, "resilience.md"), "w", encoding="ascii") as file:
        file.write("\n".join(lines) + "\n")


def main():
    exit_on_signals()
    begin = time.monotonic()
    words = os.environ.get("EVENTS", "").split(",")
    events = [event for event in EVENTS if any(word in event.name for word in words)]
    variants = [name for name in VARIANTS if name in os.environ.get("VARIANTS", name).split(",")]
    say(f"{CONNECTIONS} connections, a fifth of them plain TCP; stall: the longest wait for an "
        "answer, ms")
    print_row(HEADING)
    done = []
    for variant in variants:
        done += run_variant(variant, events)
        write([row for row, _ in done])
    say(f"{time.monotonic() - begin:.0f} s; build/resilience.json, and a table in "
        "build/resilience.md")
    return int(any(wrong for _, wrong in done))


if __name__ == "__main__":
    sys.exit(main())
