#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""Many connections through one server, each with a join: MANY of them, AT_ONCE at a time."""

import os
import sys

from counters import counters
from tap import exit_on_signals, note, run_tests
from topology import Failure
from wire import ServerSide, Wire, open_connections

MANY = int(os.environ.get("MANY", "300"))
AT_ONCE = int(os.environ.get("AT_ONCE", "300"))
PER_SECOND = int(os.environ.get("PER_SECOND", "60"))  # a join held back comes in a second
DELAY_MS = 1
JOINED = 0.9  # the least share: joins in flight meet in the kernel's slots


def check(said, found, refused):
    moved = {name: count for name, count in found.items() if count}
    note(f"{said}; joins refused for their token: {refused}; {moved}")
    for name in ("established", "greeted", "answered", "alone"):
        if said[name] != MANY:
            raise Failure(f"{said[name]} of {MANY} connections are {name}")
    if said["fallen_back"] or said["hung"] or said["refused"] or refused:
        raise Failure("some connections or joins did not work")
    if said["joined"] < JOINED * MANY:
        raise Failure(f"only {said['joined']} joined")
    if found["key_replaced"] + found["queue_empty"] < MANY or not found["key_replaced"]:
        raise Failure(f"only {found['key_replaced']} keys were replaced")


def many(side, family):
    def refused():
        return counters(side.space)["MPTcpExtMPJoinNoTokenFound"]

    side.listen(family)
    before, refused_before = side.show()["counters"], refused()
    with side.net.carried(DELAY_MS):
        said = open_connections(side.net, MANY, PER_SECOND, AT_ONCE * 1000 // PER_SECOND, family)
    after = side.show()["counters"]
    side.close()
    check(said, {name: after[name] - before[name] for name in after},
          refused() - refused_before)


def main():
    exit_on_signals()
    with Wire() as net:
        side = ServerSide(net)
        side.attach()
        return run_tests([(f"IPv{family}: {MANY} connections, {AT_ONCE} at a time, all come to be "
                           f"with tokens of their own, and none refuses a join",
                           lambda family=family: many(side, family)) for family in (4, 6)],
                         side.describe)


if __name__ == "__main__":
    sys.exit(main())
