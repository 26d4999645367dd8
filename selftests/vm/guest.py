#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""In the guest: runs tests one after another, and makes one stream of TAP of theirs."""

import os
import platform
import re
import signal
import subprocess
import sys
import termios
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PATIENCE_S = 500  # for one program
RESULT = re.compile(r"(not )?ok\b *\d*(?: - )?(.*)")
TUNNEL_MODULES = ("ipip", "sit", "ip6_tunnel", "fou")
PLAN = re.compile(r"1\.\.(\d+)\s*(#.*)?$")


def say(text):
    print(text, flush=True)


class Stream:
    """All results under numbers of their own."""

    def __init__(self):
        self.count = 0

    def result(self, good, name):
        self.count += 1
        say(f"{'ok' if good else 'not ok'} {self.count} - {name}")

    def end(self):
        say(f"1..{self.count}")


class Program:
    """One test program, whose results are told under its name."""

    def __init__(self, stream, path):
        self.stream = stream
        self.path = path
        self.name = os.path.basename(path).removesuffix(".py")
        self.planned = None
        self.results = []

    def run(self):
        begun = time.monotonic()
        # No input: the leader of a new session would hang the terminal up when it ends.
        with subprocess.Popen([self.path], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, errors="replace",
                              start_new_session=True) as process:
            timer = threading.Timer(PATIENCE_S, os.killpg, (process.pid, signal.SIGKILL))
            timer.start()
            for line in process.stdout:
                self.hear(line.rstrip("\n"))
            status = process.wait()
            timer.cancel()
        say(f"# {self.name} took {time.monotonic() - begun:.0f} s")
        self.judge(status)

    def hear(self, line):
        result, plan = RESULT.match(line), PLAN.match(line)
        if result:
            self.results.append(not result[1])
            self.stream.result(not result[1], f"{self.name}: {result[2]}")
        elif plan and plan[2]:  # the whole program is skipped
            self.planned = 1
            self.results.append(True)
            self.stream.result(True, f"{self.name} {plan[2]}")
        elif plan:
            self.planned = int(plan[1])
        else:
            say(line if line.startswith("#") else f"# {line}")

    def judge(self, status):
        """Failures have been told; this one is for a program that did not get to its end."""
        ran, good = len(self.results), all(self.results)
        if not ran or ran != self.planned or (status != 0) == good:
            self.stream.result(False, f"{self.name} ends: {ran} results, {self.planned} planned, "
                               f"exit status {status}")


def main(paths):
    os.chdir(ROOT)
    say(f"# Linux {platform.release()}, up for {time.clock_gettime(time.CLOCK_BOOTTIME):.0f} s")
    subprocess.run(("modprobe", "-a", *TUNNEL_MODULES), check=False)
    stream = Stream()
    for path in paths:
        Program(stream, path).run()
    stream.end()
    termios.tcdrain(sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1:])
