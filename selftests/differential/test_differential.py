#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""The XDP program and the second model of it agree on random packets in random configurations."""
import os
import secrets
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor

from comparison import REASONS, Runner, compare_all
from tap import exit_on_signals, note, run_tests
from topology import Failure

PACKETS = int(os.environ.get("PACKETS") or 40000)
SEED = os.environ.get("SEED") or str(secrets.randbits(32))
FIXED_SEED = "1"
# Drivers without headroom, devices that vanish and maps without content are other tests'.
NOT_MET = {"go_on", "not_loaded", "no_headroom", "no_device"}


def compare_share(share):
    with Runner() as runner:
        return compare_all(runner, *share)


def agree(seed, packets):
    """Configurations by the dozen, for each some thousand packets, on all CPUs."""
    each = max(1000, min(10000, packets // 20))
    seeds = [f"{seed}/{number}" for number in range(-(-packets // each))]
    workers, met, found = os.cpu_count(), Counter(), []
    begun = time.monotonic()
    with ProcessPoolExecutor(workers) as pool:
        shares = [(seeds[first::workers], each) for first in range(workers)]
        for share_met, share_found in pool.map(compare_share, shares):
            met += share_met
            found += share_found
    note(f"seed {seed}: {met.total()} packets in {time.monotonic() - begun:.0f} s: "
         + ", ".join(f"{name} {count}" for name, count in met.most_common()))
    if found:
        raise Failure("\n".join(found))
    return met


def agree_on_all():
    unmet = set(REASONS) - NOT_MET - set(agree(FIXED_SEED, PACKETS // 2))
    if unmet:
        raise Failure(f"no packet met {', '.join(sorted(unmet))}")


def main():
    exit_on_signals()
    return run_tests([
        ("program and model agree, and every reason is met", agree_on_all),
        (f"program and model agree by the seed {SEED}", lambda: agree(SEED, PACKETS // 2)),
    ])


if __name__ == "__main__":
    sys.exit(main())
