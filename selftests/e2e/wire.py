# SPDX-License-Identifier: GPL-2.0-only
"""A client with two addresses and one server with the server side, joined by a wire of one's choice.

   client                      wire (build/wire: late, or lost)           server
  +------------------------+  +-----------+         +-----------+  +---------------------------+
  | c0 10.1.0.2   10.1.0.3 |--| client    |.........| server    |--| eth0 10.1.0.11            |
  | 2001:db8:a1::2 and ::3 |  +-----------+         +-----------+  |      2001:db8:a1::11      |
  +------------------------+                                       | lo   192.0.2.1            |
                                                                   |      2001:db8:1::1        |
                                                                   +---------------------------+
"""

import contextlib
import json
import os
import subprocess

from counters import nonzero
from topology import BPFFS, BUILD, PORT, SERVICES, Failure, Topology, no_offload, run, wait_until

ADDRESSES = {"client": ("10.1.0.2/24", "10.1.0.3/24", "2001:db8:a1::2/64", "2001:db8:a1::3/64"),
             "server": ("10.1.0.11/24", "2001:db8:a1::11/64")}
ROUTES = {4: ("10.1.0.11", "10.1.0.2"), 6: ("2001:db8:a1::11", "2001:db8:a1::2")}
SECOND = {4: "10.1.0.3", 6: "2001:db8:a1::3"}
DEVICES = {"client": "c0", "server": "eth0"}
INDEX = 7
PATIENCE_S = 30


class Wire(Topology):
    """Three namespaces instead of Topology's; bare: a veth, with its offloads, for a wire."""

    def __init__(self, bare=False):
        super().__init__()
        self.bare = bare
        self.pins = os.path.join(BPFFS, f"{self.prefix}-server")

    def build(self):
        os.makedirs(self.dir, mode=0o700)
        for name in ("client", "wire", "server"):
            self.make_space(name)
        self["wire"].sysctl("net.ipv6.conf.all.disable_ipv6=1",
                            "net.ipv6.conf.default.disable_ipv6=1")
        self.lay()
        # Newer kernels' clients do without MPTCP for an hour when they lose three SYNs.
        self["client"].sysctl("-e", "net.mptcp.blackhole_timeout=0")
        # A connection takes a port for each subflow, and for a minute longer than it lives.
        self["client"].sysctl("net.ipv4.ip_local_port_range=1024 65535")
        for name, device in DEVICES.items():
            self.set_up(name, device, ADDRESSES[name])
            self[name].ip("mptcp limits set subflows 4 add_addr_accepted 4")
        self.set_up("server", "lo", [SERVICES[4] + "/32", SERVICES[6] + "/128"])
        for family, (gateway, source) in ROUTES.items():
            self["client"].ip(f"route add {SERVICES[family]} via {gateway} src {source}")
            self["client"].ip(f"mptcp endpoint add {SECOND[family]} dev c0 subflow")

    def lay(self):
        if self.bare:
            run("ip", "link", "add", DEVICES["client"], "netns", self["client"].full_name, "type",
                "veth", "peer", "name", DEVICES["server"], "netns", self["server"].full_name)
            return
        for name, device in DEVICES.items():
            run("ip", "link", "add", name, "netns", self["wire"].full_name, "type", "veth",
                "peer", "name", device, "netns", self[name].full_name)
            self["wire"].ip(f"link set {name} up")
            no_offload(self[name], device)

    @contextlib.contextmanager
    def carried(self, delay_ms=0, loss=0, *words):
        """Yields what will be the wire's report once the with statement has ended."""
        report = {}
        carrier = self["wire"].start(os.path.join(BUILD, "wire"), "client", "server",
                                     str(delay_ms), str(loss), *words,
                                     stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        if carrier.stdout.readline() != "ready\n":
            raise Failure("the wire carries nothing")
        try:
            yield report
        finally:
            said = carrier.communicate("\n")[0]
            if said:
                report.update(json.loads(said))


class ServerSide:
    """`mptcp-lb server attach` and `server run` in the namespace, and build/traffic behind them."""

    def __init__(self, net):
        self.net = net
        self.space = net["server"]
        self.argv = (os.path.join(BUILD, "mptcp-lb"), "-p", net.pins, "-c",
                     os.path.join(net.dir, "server.yaml"))
        self.daemon = None
        self.listener = None

    def __call__(self, words, **options):
        return self.space.run(*self.argv, *words.split(), **options)

    def write_config(self):
        secret = os.path.join(self.net.dir, "secret")
        with open(secret, "w", opener=lambda p, f: os.open(p, f, 0o600)) as file:
            file.write(os.urandom(16).hex() + "\n")
        with open(self.argv[-1], "w", encoding="ascii") as file:
            file.write(f"cluster:\n  epoch: 0\n  secrets: {{0: {secret}}}\nservices:\n")
            for address in SERVICES.values():
                file.write(f"  - address: '{address}'\n    ports: [{PORT}]\n    backends:\n"
                           f"      - {{index: {INDEX}, address: 10.1.0.11}}\n")

    def put_on(self):
        """The programs alone: without a daemon nobody searches keys meanwhile."""
        self.write_config()
        self(f"server attach dev eth0 index {INDEX}")

    def take_off(self):
        self("server detach dev eth0 force")

    def attach(self, keys=1000):
        self.put_on()
        self.daemon = self.space.start(*self.argv, "server", "run", stderr=subprocess.DEVNULL)
        wait_until("keys", lambda: self.show()["keys-queued"] >= keys)

    def detach(self):
        """Without a daemon it can be attached again."""
        self.take_off()
        self.daemon.wait(PATIENCE_S)

    def show(self):
        return json.loads(self("server show -j"))

    def counted(self, name):
        return self.show()["counters"][name]

    def listen(self, family=4):
        self.listener = self.space.start(os.path.join(BUILD, "traffic"), "serve",
                                         SERVICES[family], str(PORT), stdout=subprocess.PIPE)
        if self.listener.stdout.readline() != "listening\n":
            raise Failure("the server program does not listen")

    def close(self):
        self.listener.kill()
        self.listener.wait()

    def describe(self):
        server = self("server show", check=False)
        return f"{server}\n" + "\n".join(
                f"{name}: {nonzero(self.net[name])}" for name in ("client", "server"))


def open_connections(net, count, per_second, hold_ms, family=4):
    """What build/traffic says of that many connections."""
    return json.loads(net["client"].run(os.path.join(BUILD, "traffic"), "open", SERVICES[family],
                                        str(PORT), str(count), str(per_second), str(hold_ms)))
