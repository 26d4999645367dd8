#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""As test_move.py, with one of the backends behind another device of the balancer's."""

import json
import sys

from tap import exit_on_signals
from test_move import run_trials
from topology import Failure, Topology


def redirected(cluster):
    link, = json.loads(cluster.net["s3"].ip("-j -s link show dev eth1"))
    if link["stats64"]["rx"]["packets"] < 1000:
        raise Failure(f"hardly any packet came by the other device: {link}")


def main():
    exit_on_signals()
    with Topology(behind=True) as net:
        return run_trials(net, ("its packets came by that device", redirected))


if __name__ == "__main__":
    sys.exit(main())
