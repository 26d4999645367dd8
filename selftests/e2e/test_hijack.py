#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""Who overheard the first handshake of RFC 8684 takes part; of one with TLS's keys, not."""

import sys

from cluster import Cluster
from hijack import BYTES, SERVERS, Attacker, attempt, attempt_on_linux
from tap import exit_on_signals, run_tests
from topology import Failure, Topology

WRONG_HMAC = "an HMAC that the keys do not give"


class Trial:
    def __init__(self, cluster):
        self.cluster = cluster
        self.attacker = Attacker(cluster.net)

    def succeeds(self):
        outcome = attempt(self.cluster, self.attacker, "v1", "none")
        if outcome.attack["taken"] != BYTES or not outcome.attack["heard"]:
            raise Failure(f"the attack came to {outcome}")
        if [told["event"] for told in outcome.told] != ["joined"]:
            raise Failure(f"the servers have told {outcome.told}")

    def succeeds_on_linux(self):
        attack, joins = attempt_on_linux(self.cluster, self.attacker)
        if attack["taken"] != BYTES or joins["MPTcpExtMPJoinAckRx"] != 1:
            raise Failure(f"the attack came to {attack}, and the kernels counted {joins}")

    def fails(self, keys):
        outcome = attempt(self.cluster, self.attacker, "g", keys)
        if outcome.attack != {"joined": False, "taken": 0, "heard": 0}:
            raise Failure(f"the attack came to {outcome}")
        if [(told["event"], told["subflows"][-1]["refused"]) for told in outcome.told] != [
                ("refused", WRONG_HMAC)]:
            raise Failure(f"the servers have told {outcome.told}")
        if not outcome.intact:
            raise Failure("the client's connection has suffered")


def main():
    exit_on_signals()
    with Topology() as net:
        cluster = Cluster(net)
        cluster.start_balancer(SERVERS)
        trial = Trial(cluster)
        return run_tests([
                ("RFC 8684, stock Linux: bytes of an attacker's are taken for the client's",
                 trial.succeeds_on_linux),
                ("RFC 8684, user space: bytes of an attacker's are taken for the client's",
                 trial.succeeds),
                *((f"keys from {keys}: the attacker's join is refused, and the client goes on",
                   lambda keys=keys: trial.fails(keys)) for keys in ("tls12", "tls13")),
        ], lambda: cluster.lb("stats"))


if __name__ == "__main__":
    sys.exit(main())
