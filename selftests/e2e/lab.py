# SPDX-License-Identifier: GPL-2.0-only
"""User-space peers (build/mptcp-peer) in a topology, each behind a TUN device of its namespace.

The kernels of the client and of the servers forward to the devices and know none of the peers'
addresses: 10.1.0.3 and 10.2.0.3, which are the client's, and the service's, which is on no lo then.
"""

import json
import os
import select
import subprocess

from cluster import INDICES
from topology import BUILD, PORT, SERVICES, Failure

PEER = os.path.join(BUILD, "mptcp-peer")
TUN = "tun0"
ADDRESSES = ("10.1.0.3", "10.2.0.3")
SERVICE = SERVICES[4]
DIALECTS = ("tcp", "v0", "v1", "d", "e", "f", "g")


def start(space, words, **options):
    peer = space.start(PEER, *words, stdout=subprocess.PIPE, **options)
    if peer.stdout.readline() != "ready\n":
        raise Failure(f"the peer in {space.name} does not start")
    space.sysctl("net.ipv4.ip_forward=1", f"net.ipv4.conf.{TUN}.rp_filter=0")
    space.ip(f"link set {TUN} up")
    return peer


class PeerServer:
    """In the server's namespace of that name; `events` are what it has told so far."""

    def __init__(self, cluster, name, *words):
        self.space = cluster.net[name]
        self.events = []
        self.space.ip(f"addr del {SERVICE}/32 dev lo")
        self.process = start(self.space, (
                "server", "dev", TUN, "address", SERVICE, "port", str(PORT), "name", name,
                "index", str(INDICES[name]), "secret", cluster.secret, *words))
        self.space.ip(f"route add {SERVICE}/32 dev {TUN}")
        os.set_blocking(self.process.stdout.fileno(), False)

    def told(self, event):
        """All events of that kind so far."""
        while line := self.process.stdout.readline():
            self.events.append(json.loads(line))
        return [told for told in self.events if told["event"] == event]

    def stop(self):
        """The service's address is the kernel's again."""
        self.process.kill()
        self.process.wait()
        self.space.ip(f"addr add {SERVICE}/32 dev lo")


class PeerClient:
    """In the client's namespace, with an address on each of its paths."""

    def __init__(self, net, *words):
        self.space = net["client"]
        self.process = start(self.space, ("client", "dev", TUN, *words), stdin=subprocess.PIPE)
        for path, address in enumerate(ADDRESSES):
            self.space.ip(f"route add {address}/32 dev {TUN}")
            self.space.ip(f"neigh add proxy {address} dev c{path}")
            self.space.ip(f"rule add from {address} lookup {100 + path}")

    def write(self, *words):
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()

    def has_answered(self):
        return bool(select.select([self.process.stdout], [], [], 0)[0])

    def order(self, *words):
        self.write(*words)
        line = self.process.stdout.readline()
        if not line:
            raise Failure("the user-space client died")
        return json.loads(line)

    def obeyed(self, *words):
        """As order(); an error is a failure."""
        said = self.order(*words)
        if "error" in said:
            raise Failure(f"'{' '.join(map(str, words))}': {said['error']}")
        return said

    def stop(self):
        self.process.kill()
        self.process.wait()
        for path, address in enumerate(ADDRESSES):
            self.space.ip(f"neigh del proxy {address} dev c{path}")
            self.space.ip(f"rule del from {address} lookup {100 + path}")
