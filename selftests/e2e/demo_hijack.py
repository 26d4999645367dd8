#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""`make demo-hijack`: an eavesdropper of the first handshake, against RFC 8684 and against TLS."""

import sys

sys.dont_write_bytecode = True

from cluster import Cluster
from hijack import ATTACKER, BYTES, SERVERS, Attacker, attempt, attempt_on_linux
from lab import ADDRESSES, SERVICE
from tap import exit_on_signals
from topology import Failure, Topology

PICTURE = f"""\
  client {ADDRESSES[0]} -------+--------> balancer (XDP) ----> servers s1, s2, s3: {SERVICE}
                         |             ^
          overhears the first handshake|
                         |             |
                     attacker {ATTACKER} joins from another machine
"""

TRIALS = (("v1", "none", "RFC 8684: the keys are in the handshake", "keys"),
          ("g", "tls13", "Keys from TLS 1.3: the handshake has tokens alone", "tokens"))


def say(text=""):
    print(text, flush=True)


def show(cluster, attacker, dialect, keys, title, what):
    say(f"{title}\n  The client opens a connection, and sends {BYTES} bytes.")
    outcome = attempt(cluster, attacker, dialect, keys)
    say(f"  The attacker has overheard the {what} {' and '.join(outcome.overheard)}.")
    said = outcome.told[-1]
    if outcome.attack["taken"]:
        say(f"  It joins: the server says '{said['event']}'. It sends {BYTES} bytes, of which the "
            f"server\n  takes {outcome.attack['taken']} for the client's; "
            f"{outcome.attack['heard']} of the server's bytes go to the attacker.\n"
            "  The connection is hijacked.\n")
    else:
        say(f"  It tries to join: the server says '{said['event']}', for "
            f"{said['subflows'][-1]['refused']}.\n  None of its bytes is taken, and "
            f"it hears none. The client sends {BYTES} more and gets "
            f"{'them' if outcome.intact else 'not what it sent'} back.\n")
    return bool(outcome.attack["taken"]) == (dialect == "v1")


def show_linux(cluster, attacker):
    say("Stock Linux servers: the same against the kernel's own RFC 8684")
    attack, joins = attempt_on_linux(cluster, attacker)
    say(f"  The kernels count {joins['MPTcpExtMPJoinAckRx']} join with the right HMAC, the "
        f"attacker's, and take {attack['taken']} of its {BYTES} bytes.\n"
        "  The connection is hijacked.\n")
    return attack["taken"] == BYTES


def main():
    exit_on_signals()
    try:
        with Topology() as net:
            say(PICTURE)
            cluster = Cluster(net)
            cluster.start_balancer(SERVERS)
            attacker = Attacker(net)
            done = [show_linux(cluster, attacker)]
            return int(not all(done + [show(cluster, attacker, *trial) for trial in TRIALS]))
    except Failure as failure:
        say(f"The demo failed: {failure}")
        return 1
    except KeyboardInterrupt:
        say("\nInterrupted; all is cleaned up.")
        return 130


if __name__ == "__main__":
    sys.exit(main())
