#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""`key generate` while a person waits: the progress line, ctrl-C, and several threads."""

import os
import pty
import re
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))

from tap import exit_on_signals, run_tests
from topology import BUILD, Failure

LOADER = os.path.join(BUILD, "mptcp-lb")
CONFIG = "cluster:\n  index-bits: 12\n  epoch: 1\n  secrets: {1: secret.1}\n"
SECRET = "000102030405060708090a0b0c0d0e0f\n"
INDEX = 7
FOREVER = 100000  # keys; more than are found while a test waits
PROGRESS = r"(\d+) of (\d+) keys, \d+/s, \d+ (?:s|min|h) left"


class Trial:
    def __init__(self, place):
        self.config = os.path.join(place, "mptcp-lb.yaml")
        for name, text in (("mptcp-lb.yaml", CONFIG), ("secret.1", SECRET)):
            with open(os.path.join(place, name), "w", encoding="ascii") as file:
                file.write(text)
            os.chmod(file.name, 0o600)

    def argv(self, *words):
        return LOADER, "-c", self.config, *words

    def generate(self, count, *more):
        return self.argv("key", "generate", "index", str(INDEX), "count", str(count), *more)

    def interrupt(self, *more):
        """Ctrl-C once the progress line has come; returns stdout's lines, stderr and status."""
        ours, theirs = pty.openpty()
        with tempfile.TemporaryFile() as out:
            child = subprocess.Popen(self.generate(FOREVER, *more), stdout=out, stderr=theirs)
            os.close(theirs)
            said = b""
            while not re.search(PROGRESS.encode(), said):
                said += os.read(ours, 4096)
            child.send_signal(signal.SIGINT)
            try:
                while chunk := os.read(ours, 4096):
                    said += chunk
            except OSError:
                pass  # how a terminal says that nobody is left at the other end
            os.close(ours)
            status = child.wait()
            out.seek(0)
            return out.read().decode(), said.decode(), status

    def says_progress(self):
        text, said, status = self.interrupt()
        found = int(re.search(r"interrupted: (\d+) of", said)[1])
        shown = [(int(m[1]), int(m[2])) for m in re.finditer(PROGRESS, said)]
        if not shown or any(done > found or total != FOREVER for done, total in shown):
            raise Failure(f"progress {shown}, and {found} keys in the end")
        if status != 1 or not re.fullmatch(r"([0-9a-f]{16}\n)*", text):
            raise Failure(f"status {status}, and this came out: {text[-40:]!r}")
        if text.count("\n") != found:
            raise Failure(f"{text.count(chr(10))} lines of keys, and {found} said")
        if not re.search(r"\r\x1b\[Kmptcp-lb: interrupted", said):
            raise Failure(f"the sentence does not take the place of the progress: {said[-99:]!r}")

    def threads_share_the_work(self):
        text, _, status = self.interrupt("threads", "3")
        if status != 1 or len(set(text.split())) != text.count("\n"):
            raise Failure(f"status {status}, {text.count(chr(10))} keys")

    def no_terminal_no_progress(self):
        done = subprocess.run(self.generate(200, "threads", "2"), text=True, capture_output=True,
                              check=True)
        keys = done.stdout.split()
        if done.stderr or len(keys) != 200 or len(set(keys)) != 200:
            raise Failure(f"{len(keys)} keys, and on stderr: {done.stderr!r}")


def main():
    exit_on_signals()
    with tempfile.TemporaryDirectory() as place:
        trial = Trial(place)
        return run_tests((
            ("a person at a terminal sees progress, and ctrl-C leaves whole lines",
             trial.says_progress),
            ("three threads find keys that are all different", trial.threads_share_the_work),
            ("into a pipe goes nothing but keys", trial.no_terminal_no_progress)))


if __name__ == "__main__":
    sys.exit(main())
