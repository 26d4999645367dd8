#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""`mptcp-lb lab`: what it says, what tshark reads in its captures, and that it leaves nothing."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from tap import exit_on_signals, run_tests
from topology import BPFFS, BUILD, NETNS, RUN, Failure, names_in, run

LOADER = os.path.join(BUILD, "mptcp-lb")
DONE, FAILED, USAGE = range(3)
NO_BODY = 65534
SETTING_UP = 0.4  # seconds; the namespaces take about as long
CLEANING_UP = 0.05


def lab(*words, loader=LOADER, **options):
    return subprocess.run([loader, "lab", *words], text=True, capture_output=True, check=False,
                          timeout=60, **options)


def leftovers():
    return [name for place in (NETNS, BPFFS, RUN) for name in names_in(place)
            if name.startswith(("mptcp-lab-", "mptcp-lb-lab"))]


def nothing_left():
    if leftovers():
        raise Failure(f"left behind: {leftovers()}")


def answers_of(*words):
    done = lab("-j", *words)
    if done.returncode != DONE:
        raise Failure(f"status {done.returncode}: {done.stderr}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def play(dialect, keys):
    opened, joined, first, second, closed = answers_of("dialect", dialect, "keys", keys)
    if not (opened["keys"] and joined["joined"] and first["equal"] and second["equal"] and
            closed["closed"] and second["subflows"][1]["sent"] >= 40000):
        raise Failure(f"{opened} {joined} {first} {second} {closed}")
    nothing_left()


def tshark(file, *words):
    return run("tshark", "-n", "-r", file, *words)


def read_captures():
    """A second reader of the wire: Wireshark's, which knows RFC 8684."""
    with tempfile.TemporaryDirectory() as place:
        opened, *_ = answers_of("write", f"{place}/cap")
        client, server = (f"{place}/cap-{name}.pcap" for name in ("client", opened["server"]))
        if tshark(client, "-Y", "_ws.malformed || tcp.checksum.status == Bad", "-o",
                  "tcp.check_checksum:TRUE"):
            raise Failure("tshark finds malformed packets")
        joins = tshark(client, "-Y", "tcp.options.mptcp.subtype == 1 && tcp.flags.syn == 1 && "
                       "tcp.flags.ack == 0", "-T", "fields", "-e", "ip.src", "-e",
                       "tcp.options.mptcp.recvtok").split()
        if joins[:2] != ["10.2.0.3", str(int(opened["token"], 16))]:
            raise Failure(f"tshark reads joins as {joins}")
        expected = tshark(client, "-Y", "mptcp.expected_token", "-T", "fields", "-e",
                          "mptcp.expected_token").split()
        if joins[1] not in expected:
            raise Failure(f"tshark derives the tokens {expected}")
        if len(tshark(client).splitlines()) != len(tshark(server).splitlines()):
            raise Failure("client and server have captured different numbers of packets")


def interrupt():
    with subprocess.Popen([LOADER, "lab"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True) as process:
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=60)[1]
    if process.returncode != FAILED or said.splitlines()[-1] != "mptcp-lb: interrupted":
        raise Failure(f"status {process.returncode}: {said}")
    nothing_left()


def interrupt_twice():
    """As a terminal does: whatever the lab has started gets it as well, and again."""
    for line in (0, 2):
        with subprocess.Popen([LOADER, "lab"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True, start_new_session=True) as process:
            for _ in range(line):
                process.stdout.readline()
            time.sleep(SETTING_UP if not line else 0)
            os.killpg(process.pid, signal.SIGINT)
            time.sleep(CLEANING_UP)
            os.killpg(process.pid, signal.SIGINT)
            said = process.communicate(timeout=60)[1]
        if process.returncode != FAILED or said.splitlines()[-1] != "mptcp-lb: interrupted":
            raise Failure(f"status {process.returncode}: {said}")
        nothing_left()


def refuse(status, sentence, *words, **options):
    done = lab(*words, **options)
    if (done.returncode, done.stderr, done.stdout) != (status, f"mptcp-lb: {sentence}\n", ""):
        raise Failure(f"status {done.returncode}: {done.stderr}{done.stdout}")


def refuse_wrong_input():
    refuse(USAGE, "dialect must be v0, v1, d, e, f or g, not 'x'", "dialect", "x")
    refuse(USAGE, "dialect g needs keys tls12, tls13, shared or null", "dialect", "g")
    refuse(USAGE, "keys needs one of none, tls12, tls13, shared or null", "keys")
    refuse(USAGE, "write needs the beginning of file names", "write")
    refuse(USAGE, "unexpected word 'now'", "now")
    refuse(FAILED, "cannot write /nowhere/x-client.pcap: No such file or directory", "write",
           "/nowhere/x")
    with tempfile.TemporaryDirectory() as place:  # where anybody may run it
        os.chmod(place, 0o755)
        shutil.copy(os.path.join(BUILD, "mptcp-peer"), place)
        refuse(FAILED, "the lab makes network namespaces, and needs root for it", user=NO_BODY,
               loader=shutil.copy(LOADER, place))


def main():
    exit_on_signals()
    return run_tests([
            *((f"dialect {dialect} with keys from {keys} is played to the end",
               lambda dialect=dialect, keys=keys: play(dialect, keys))
              for dialect, keys in (("v0", "none"), ("d", "none"), ("e", "shared"),
                                    ("g", "tls13"))),
            ("tshark reads its captures of RFC 8684, and derives the same token", read_captures),
            ("interrupted, it cleans up", interrupt),
            ("interrupted twice from a terminal, it cleans up", interrupt_twice),
            ("wrong input gets one sentence", refuse_wrong_input),
    ])


if __name__ == "__main__":
    sys.exit(main())
