# SPDX-License-Identifier: GPL-2.0-only
"""Runs tests and says how each went, as TAP does."""

import signal
import sys
import traceback

from topology import Failure


def note(text):
    for line in text.rstrip("\n").split("\n"):
        print(f"# {line}", flush=True)


def exit_on_signals():
    """So that with statements and finally clauses run to their end."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: sys.exit(128 + number))


def run_tests(tests, on_failure=lambda: ""):
    """
    Runs pairs of a name and a function in turn; returns the exit status. Since tests take
    up where the last one left off, none is tried after one has failed.
    """
    print(f"1..{len(tests)}", flush=True)
    failed = False
    for number, (name, test) in enumerate(tests, 1):
        if failed:
            print(f"not ok {number} - {name}: not tried", flush=True)
            continue
        try:
            test()
            print(f"ok {number} - {name}", flush=True)
        except Exception as error:
            failed = True
            print(f"not ok {number} - {name}", flush=True)
            note(str(error) if isinstance(error, Failure) else traceback.format_exc())
            note(on_failure())
    return int(failed)
