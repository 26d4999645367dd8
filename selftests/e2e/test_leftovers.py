#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""However a test ends, no namespace, pin, file or process of it is left."""

import os
import signal
import subprocess
import sys
import time

from cluster import Cluster
from tap import exit_on_signals, run_tests
from topology import BPFFS, RUN, Failure, Topology, rest_of, run, wait_until

def at_work():
    """What another process runs, to be ended: all that a test could leave."""
    exit_on_signals()
    with Topology() as net:
        cluster = Cluster(net)
        cluster.start_balancer()
        cluster.start_servers()
        cluster.start_server_sides(("s1",), keys=1)
        pids = [pid for space in net.spaces.values()
                for pid in run("ip", "netns", "pids", space.full_name).split()]
        print(net.prefix, *pids, flush=True)
        while True:  # pause() would miss a signal that comes right before it
            time.sleep(1)


def end_by(number):
    with subprocess.Popen([sys.executable, "-B", __file__, "at-work"], stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, text=True) as child:
        prefix, *pids = child.stdout.readline().split()
        if len(pids) < 5 or len(rest_of(prefix)) < 9:
            raise Failure(f"there is little to leave: {pids} {rest_of(prefix)}")
        child.send_signal(number)
        child.wait()
    wait_until("all of it is gone", lambda: not rest_of(prefix) and not [
            pid for pid in pids if os.path.exists(f"/proc/{pid}")])


def janitor():
    """Even the reaper may be killed; then the next test sweeps."""
    gone = subprocess.Popen(["true"])
    gone.wait()
    name = f"mlb{gone.pid}-left"
    run("ip", "netns", "add", name)
    os.mkdir(os.path.join(BPFFS, name))
    os.mkdir(os.path.join(RUN, f"mlb{gone.pid}"))
    with Topology():
        if rest_of(f"mlb{gone.pid}"):
            raise Failure(f"{rest_of(f'mlb{gone.pid}')} is still there")


def main():
    exit_on_signals()
    return run_tests([
            ("nothing is left after ctrl-C", lambda: end_by(signal.SIGINT)),
            ("nothing is left after a kill", lambda: end_by(signal.SIGTERM)),
            ("nothing is left after a kill that cannot be caught", lambda: end_by(signal.SIGKILL)),
            ("what was left for want of a reaper, the next test removes", janitor),
    ])


if __name__ == "__main__":
    sys.exit(at_work() if "at-work" in sys.argv else main())
