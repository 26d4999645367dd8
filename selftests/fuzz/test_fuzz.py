#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""Runs each fuzzer over its seeds and then for FUZZ_SECONDS (default 5) over what it makes of them."""

import concurrent.futures
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
BUILD = os.path.join(ROOT, "build", "fuzz")
LONGEST_INPUT = 1536  # more than IPv6 packets that always fit
PATIENCE_S = 60  # for the seeds, beyond the time that was asked for


def names():
    return sorted(name.removesuffix(".c") for name in os.listdir(HERE)
                  if name.startswith("fuzz_") and name.endswith(".c"))


def command(name, seconds):
    """New finds go to build/, the seeds stay as they are."""
    corpus = os.path.join(BUILD, "corpus", name)
    os.makedirs(corpus, exist_ok=True)
    words = [os.path.join(BUILD, name), f"-max_total_time={seconds}", f"-max_len={LONGEST_INPUT}",
             "-timeout=10", "-print_final_stats=1", "-verbosity=0",
             f"-artifact_prefix={BUILD}/{name}-"]
    dictionary = os.path.join(HERE, f"{name.removeprefix('fuzz_')}.dict")
    if os.path.exists(dictionary):
        words.append(f"-dict={dictionary}")
    return [*words, corpus, os.path.join(HERE, "seeds", name.removeprefix("fuzz_"))]


def fuzz(name, seconds):
    """True, and how many inputs were run; or False, and what the fuzzer said."""
    done = subprocess.run(command(name, seconds), text=True, errors="replace", check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=seconds + PATIENCE_S)
    runs = [line.split()[-1] for line in done.stdout.splitlines()
            if line.startswith("stat::number_of_executed_units")]
    if done.returncode or not runs:
        return False, done.stdout
    return int(runs[0]) > 1, f"{runs[0]} inputs"


def main():
    seconds = int(os.environ.get("FUZZ_SECONDS", "5"))
    wanted, failed = names(), False
    print(f"1..{len(wanted)}", flush=True)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        results = pool.map(lambda name: fuzz(name, seconds), wanted)
        for number, (name, (good, said)) in enumerate(zip(wanted, results), 1):
            print(f"{'ok' if good else 'not ok'} {number} - {name} finds nothing wrong", flush=True)
            print("\n".join(f"# {line}" for line in said.splitlines()), flush=True)
            failed |= not good
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
