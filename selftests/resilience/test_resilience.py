#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""Some of `make resilience`, with few connections: mptcp-lb breaks none, and the others do."""

import functools
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))

from events import EVENTS
from network import Network
from resilience import complaint, finish, measure, set_up
from tap import exit_on_signals, note, run_tests
from topology import Failure

CONNECTIONS = 40
SOME = {"mptcp-lb": ("backend set down", "loader killed in mid-apply",
                     "clock behind by half of what is allowed",
                     "backend added, then a balancer killed",
                     "ring rebuilt, then the router's hash changed"),
        "hash": ("ring rebuilt",),
        "hash+table": ("ring rebuilt, then the router's hash changed",)}


def happen(trial, event):
    row = measure(trial, event, CONNECTIONS)
    note(str(row.public()))
    wrong = complaint(row, event)
    if wrong:
        raise Failure(wrong)


def tests(trial, variant):
    yield f"{variant}: from now on", functools.partial(trial.site.become, variant)
    for event in EVENTS:
        if event.name in SOME[variant]:
            loses = "loses" if variant in event.loses else "breaks nothing that it should not"
            yield f"{variant}: {event.name}: {loses}", functools.partial(happen, trial, event)
    yield f"{variant}: what lives comes to its end", functools.partial(finish, trial)


def main():
    exit_on_signals()
    with Network() as net:
        trial = set_up(net, "mptcp-lb")
        return run_tests([test for variant in SOME for test in tests(trial, variant)])


if __name__ == "__main__":
    sys.exit(main())
