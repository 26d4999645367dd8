# SPDX-License-Identifier: GPL-2.0-only
"""What the kernel of a namespace says: its counters, and its subflows."""

import dataclasses
import re

TOKENS = re.compile(r"flags:(\S*) token:([0-9a-f]+)\(id:\d+\)/([0-9a-f]+)\(id:\d+\)")


def counters(space):
    """Counters as nstat calls them: TcpOutRsts, MPTcpExtMPJoinAckRx and so on."""
    found = {}
    lines = space.run("cat", "/proc/net/netstat", "/proc/net/snmp").splitlines()
    for names, values in zip(lines[::2], lines[1::2]):
        group, *names = names.split()
        for name, value in zip(names, values.split()[1:]):
            found[group.rstrip(":") + name] = int(value)
    return found


def nonzero(space, words=("MPTcpExt", "Rst", "Reset", "PAWS", "Retrans", "Timeout", "Cookie")):
    return " ".join(f"{name}={value}" for name, value in counters(space).items()
                    if value and any(word in name for word in words))


@dataclasses.dataclass
class Subflow:
    here: tuple  # address and port
    there: tuple
    joined: bool
    own_token: int  # names the connection at this end
    peer_token: int  # known to this end only if joined
    sent: int  # bytes of data
    received: int


def end_point(text):
    address, port = text.rsplit(":", 1)
    return address.split("%")[0].strip("[]"), int(port)


def number_after(word, text):
    match = re.search(rf"\b{word}:(\d+)", text)
    return int(match[1]) if match else 0


def subflows(space):
    """The established subflows of MPTCP connections."""
    found = []
    for line in space.run("ss", "-tniOH", "state", "established").splitlines():
        tokens = TOKENS.search(line)
        here, there = line.split()[2:4]
        if tokens:
            found.append(Subflow(
                    end_point(here), end_point(there), "j" in tokens[1].lower(),
                    int(tokens[3], 16), int(tokens[2], 16),
                    number_after("bytes_sent", line), number_after("bytes_received", line)))
    return found
