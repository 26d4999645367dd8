# SPDX-License-Identifier: GPL-2.0-only
"""The hijack that the drafts of application keys warn of, tried from a third machine.

An attacker listens on the client's first path during the first handshake. From another machine
(s4, which is no backend here) it then joins the connection and sends bytes of its own.
"""

import dataclasses
import json
import subprocess
import sys

from lab import ADDRESSES, DIALECTS, SERVICE, TUN, PeerClient, PeerServer, start
from topology import PORT, Failure, wait_until

SERVERS = ("s1", "s2", "s3")
ATTACKER = "10.0.0.66"
BALANCER = "10.0.0.1"
BYTES = 3000
EAVESDROP, ECHO = (__file__.replace("hijack.py", name) for name in ("eavesdrop.py", "echo.py"))


@dataclasses.dataclass
class Outcome:
    overheard: list  # two keys, or two tokens
    attack: dict  # what the attacker's peer says
    told: list  # what the servers say of joins, accepted or refused
    intact: bool  # the client sends on and gets back what it sent; not asked of a lost stream


class Attacker:
    def __init__(self, net):
        self.space = net["s4"]
        self.switch = net["switch"]
        self.space.ip(f"addr del {SERVICE}/32 dev lo")
        self.process = start(self.space, ("client", "dev", TUN), stdin=subprocess.PIPE)
        self.space.ip(f"route add {ATTACKER}/32 dev {TUN}")
        self.space.ip(f"neigh add proxy {ATTACKER} dev eth0")
        self.space.ip(f"route add {SERVICE}/32 via {BALANCER} dev eth0")

    def listen(self, act):
        """What act() returns, and the values of the handshakes that were heard meanwhile."""
        with self.switch.start(sys.executable, "-B", EAVESDROP, "c0", stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE) as listener:
            listener.stdout.readline()
            result = act()
            return result, json.loads(listener.communicate()[0])

    def obeyed(self, *words):
        return PeerClient.obeyed(self, *words)

    order, write = PeerClient.order, PeerClient.write


def overhear_and_join(client, attacker, dialect):
    """The client's connection, what was overheard of it, and what the attacker says."""
    opened, heard = attacker.listen(lambda: client.obeyed("open", ADDRESSES[0], SERVICE, PORT))
    if DIALECTS[opened["dialect"]] != dialect or str(opened["port"]) not in heard:
        raise Failure(f"opened as {opened}, heard {heard}")
    values = heard[str(opened["port"])]
    sent = client.obeyed("send", opened["connection"], 0, BYTES)["subflows"][0]
    as_client = attacker.obeyed("impersonate", opened["dialect"], *values, sent["sent"],
                                sent["received"])
    attack = attacker.obeyed("attack", as_client["connection"], ATTACKER, SERVICE, PORT, BYTES)
    return opened, values, attack


def attempt_on_linux(cluster, attacker):
    """The same against the kernel's MPTCP, which is RFC 8684's; the attack, and its counters."""
    servers = [cluster.net[name].start(sys.executable, "-B", ECHO, "serve", name, SERVICE,
                                       str(PORT), stdout=subprocess.PIPE) for name in SERVERS]
    for server in servers:
        server.stdout.readline()
    cluster.start_server_sides(SERVERS)
    before = cluster.server_counters()
    client = PeerClient(cluster.net, "dialects", "v1")
    _, _, attack = overhear_and_join(client, attacker, "v1")
    now = cluster.server_counters()
    client.stop()
    for server in servers:
        server.kill()
        server.wait()
    for name in SERVERS:
        cluster.daemons[name].terminate()
        cluster.daemons[name].wait()
        cluster.sides[name]("server detach dev eth0 force")
    return attack, {name: now[name] - before[name] for name in now if "MPJoin" in name}


def attempt(cluster, attacker, dialect, keys):
    words = "dialects", dialect, "keys", keys
    servers = {name: PeerServer(cluster, name, *words) for name in SERVERS}
    client = PeerClient(cluster.net, *words)
    opened, values, attack = overhear_and_join(client, attacker, dialect)
    told = wait_until("a server's word on the join", lambda: [
            told for server in servers.values() for event in ("joined", "refused")
            for told in server.told(event)])
    intact = not attack["taken"] and client.obeyed("send", opened["connection"], 0, BYTES)["equal"]
    for peer in client, *servers.values():
        peer.stop()
    return Outcome(values, attack, told, intact)
