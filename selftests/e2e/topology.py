# SPDX-License-Identifier: GPL-2.0-only
"""A client with two paths, a balancer and four servers in network namespaces, joined by a switch.

   client                     switch                     servers (each has the service's
  +-----------------+        +--------+                  addresses on lo, and answers the
  | c0 10.1.0.2     |--------|        |                  client itself)
  |    2001:db8:a1::2        |  br0   |        +-----------------------------+
  |                 |        |        |--------| eth0 10.0.0.11 2001:db8:b::11  s1
  | c1 10.2.0.2     |--------|        |        +-----------------------------+
  |    2001:db8:a2::2        |        |--------| eth0 10.0.0.12 2001:db8:b::12  s2
  +-----------------+        |        |        +-----------------------------+
                             |        |--------| eth0 10.0.0.13 2001:db8:b::13  s3
   balancer                  |        |        |                             |
  +-----------------+        |        |     +--| eth1 10.9.0.13 (only if     |
  | lb0 10.1.0.1    |--------|        |     |  |      s3 is "behind")        |
  |     10.2.0.1    |        |        |     |  +-----------------------------+
  |     10.0.0.1    |        |        |--------| eth0 10.0.0.14 2001:db8:b::14  s4
  |                 |        +--------+     |  +-----------------------------+
  | lb1 10.9.0.1    |-----------------------+
  +-----------------+

The client reaches 192.0.2.1 and 2001:db8:1::1 by way of 10.1.0.1 or 10.2.0.1, whichever its
source address belongs to. The balancer forwards nothing except by XDP.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, "build")
BPFTOOL = shutil.which("bpftool", path="/usr/sbin:/sbin:/usr/bin:/bin") or "bpftool"
BPFFS = "/sys/fs/bpf"
RUN = "/run"
NETNS = "/run/netns"
DEADLINE_S = 60  # for what takes a second or two; only ever waited for in vain
PEER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "peer.py")

SERVICES = {4: "192.0.2.1", 6: "2001:db8:1::1"}
PORT = 443
CLIENT = {4: ("10.1.0.2", "10.2.0.2"), 6: ("2001:db8:a1::2", "2001:db8:a2::2")}
BALANCER = {4: ("10.1.0.1", "10.2.0.1"), 6: ("2001:db8:a1::1", "2001:db8:a2::1")}
NETS = {4: ("10.1.0.0/24", "10.2.0.0/24"), 6: ("2001:db8:a1::/64", "2001:db8:a2::/64")}
SERVERS = ("s1", "s2", "s3", "s4")


class Failure(Exception):
    """A condition that had to come true did not."""


def run(*argv, check=True, text_in=None):
    """Runs a command to its end and returns what it printed."""
    done = subprocess.run(argv, input=text_in, text=True, capture_output=True, check=False)
    if check and done.returncode:
        raise Failure(f"'{' '.join(argv)}' ended with {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def wait_until(what, condition):
    """Returns the first true value of condition(); if none comes in time, that is a failure."""
    end = time.monotonic() + DEADLINE_S
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.1)
    raise Failure(f"waited {DEADLINE_S} s in vain: {what}")


class Namespace:
    def __init__(self, prefix, name):
        self.name = name
        self.full_name = f"{prefix}-{name}"
        # Not `ip netns exec`, which would hide the bpffs behind a new mount of /sys.
        self.enter = ("nsenter", f"--net={NETNS}/{self.full_name}")

    def run(self, *argv, **options):
        return run(*self.enter, *argv, **options)

    def start(self, *argv, **options):
        return subprocess.Popen([*self.enter, *argv], text=True, **options)

    def ip(self, words, check=True):
        return run("ip", "-n", self.full_name, *words.split(), check=check)

    def sysctl(self, *settings):
        self.run("sysctl", "-qw", *settings)

    def peer(self, *words):
        return self.run(sys.executable, "-B", PEER, *words)


def mac(number):
    return f"02:00:00:00:00:{number:02x}"


def names_in(place):
    return os.listdir(place) if os.path.isdir(place) else []


def rest_of(prefix):
    """The paths that carry the prefix."""
    return [os.path.join(place, name) for place in (NETNS, BPFFS, RUN) for name in names_in(place)
            if name == prefix or name.startswith(prefix + "-")]


def remove(prefix):
    """Whatever carries the prefix, in whichever state: processes, namespaces, pins, files."""
    for path in rest_of(prefix):
        if not path.startswith(NETNS):
            shutil.rmtree(path, ignore_errors=True)
            continue
        name = os.path.basename(path)
        for pid in run("ip", "netns", "pids", name, check=False).split():
            try:
                os.kill(int(pid), signal.SIGKILL)
            except ProcessLookupError:
                pass
        run("ip", "netns", "del", name, check=False)


def reap(prefix):
    """Once more after a while: a child of a killed test may have been at work still."""
    remove(prefix)
    time.sleep(0.2)
    while rest_of(prefix):
        remove(prefix)
        time.sleep(0.2)


def leftovers():
    """Prefixes of topologies in this machine whose process is gone."""
    names = [name for place in (NETNS, BPFFS, RUN) for name in names_in(place)]
    owners = {match[1]: match[0] for match in (re.match(r"mlb(\d+)(?=-|$)", n) for n in names)
              if match}
    return [prefix for pid, prefix in owners.items() if not os.path.isdir(f"/proc/{pid}")]


class Topology:
    """Use it in a with statement. However the process ends, its reaper removes everything."""

    def __init__(self, behind=False):
        self.behind = behind  # s3 stands behind a device of the balancer's own
        self.prefix = f"mlb{os.getpid()}"
        self.dir = os.path.join(RUN, self.prefix)
        self.program = os.path.join(BPFFS, f"{self.prefix}-pass", "pass")
        self.spaces = {}
        self.reaper = None

    def __enter__(self):
        if os.geteuid():
            raise Failure("this needs root")
        if not os.path.ismount(BPFFS):
            run("mount", "-t", "bpf", "bpf", BPFFS)
        for prefix in leftovers():
            remove(prefix)
        self.reaper = subprocess.Popen([sys.executable, os.path.abspath(__file__), self.prefix],
                                       stdin=subprocess.PIPE, start_new_session=True)
        try:
            self.build()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.reaper.stdin.close()
        self.reaper.wait()

    def __getitem__(self, name):
        return self.spaces[name]

    def build(self):
        os.makedirs(self.dir, mode=0o700)
        os.mkdir(os.path.dirname(self.program))
        # Not `ip link set ... xdp obj`, which would leave directories of its own behind.
        run(BPFTOOL, "prog", "load", os.path.join(BUILD, "pass.bpf.o"), self.program)
        for name in ("switch", "client", "lb", *SERVERS):
            self.make_space(name)
        self["switch"].ip("link add br0 type bridge forward_delay 0 mcast_snooping 0")
        self["switch"].ip("link set br0 up")
        self.make_client()
        self.make_balancer()
        for number, name in enumerate(SERVERS, 1):
            self.make_server(name, number)
        if self.behind:
            self.put_behind()
        self["client"].peer("ping", *BALANCER[4], *BALANCER[6])

    def make_space(self, name):
        space = self.spaces[name] = Namespace(self.prefix, name)
        run("ip", "netns", "add", space.full_name)
        for scope in ("all", "default"):
            v4, v6 = f"net.ipv4.conf.{scope}", f"net.ipv6.conf.{scope}"
            space.sysctl(f"{v4}.rp_filter=0", f"{v4}.arp_ignore=1", f"{v4}.arp_announce=2",
                         f"{v4}.forwarding=0", f"{v6}.forwarding=0",
                         f"{v6}.accept_dad=0", f"{v6}.accept_ra=0",
                         f"{v6}.disable_ipv6={int(name == 'switch')}")
        space.sysctl("net.ipv4.ping_group_range=0 0")
        space.ip("link set lo up")

    def plug(self, name, device, number, addresses):
        """A cable from a device of a namespace to a port of the switch of the same name."""
        port = device if name in ("client", "lb") else name
        run("ip", "link", "add", port, "netns", self["switch"].full_name, "type", "veth",
            "peer", "name", device, "address", mac(number), "netns", self[name].full_name)
        self["switch"].ip(f"link set {port} up master br0")
        self.set_up(name, device, addresses)

    def set_up(self, name, device, addresses):
        for address in addresses:
            self[name].ip(f"addr add {address} dev {device}{' nodad' * (':' in address)}")
        self[name].ip(f"link set {device} up")

    def make_client(self):
        client = self["client"]
        for path in (0, 1):
            device = f"c{path}"
            self.plug("client", device, 0x20 + path,
                      [CLIENT[4][path] + "/24", CLIENT[6][path] + "/64"])
            no_offload(client, device)
            for family in (4, 6):
                self.route_client(family, path, device)
        client.ip("mptcp limits set subflows 4 add_addr_accepted 4")

    def route_client(self, family, path, device):
        """Each source address has a table of its own; the first path is the usual one."""
        def route(words):
            self["client"].ip(f"-{family} {words}")

        source, table = CLIENT[family][path], 100 + path
        via = f"via {BALANCER[family][path]} dev {device}"
        route(f"route add {NETS[family][path]} dev {device} table {table}")
        route(f"route add default {via} table {table}")
        route(f"rule add from {source} lookup {table}")
        if path == 0:
            route(f"route add {SERVICES[family]} {via}")
        self["client"].ip(f"mptcp endpoint add {source} dev {device} subflow")

    def make_balancer(self):
        addresses = ["10.0.0.1/24", "2001:db8:b::1/64"]
        addresses += [a + "/24" for a in BALANCER[4]] + [a + "/64" for a in BALANCER[6]]
        self.plug("lb", "lb0", 0x30, addresses)
        no_offload(self["lb"], "lb0")
        self.receive_xdp("switch", "lb0")

    def make_server(self, name, number):
        server = self[name]
        self.plug(name, "eth0", 0x10 + number,
                  [f"10.0.0.{10 + number}/24", f"2001:db8:b::{10 + number}/64"])
        for net in NETS[4] + NETS[6]:
            server.ip(f"route add {net} dev eth0")
        self.set_up(name, "lo", [SERVICES[4] + "/32", SERVICES[6] + "/128"])
        server.ip("mptcp limits set subflows 4 add_addr_accepted 4")
        if number == 2:  # s1 leaves checksums and segments to its device, s2 does not
            no_offload(server, "eth0")

    def put_behind(self):
        server = self["s3"]
        run("ip", "link", "add", "lb1", "netns", self["lb"].full_name, "type", "veth",
            "peer", "name", "eth1", "address", mac(0x19), "netns", server.full_name)
        self.set_up("lb", "lb1", ["10.9.0.1/24", "2001:db8:b9::1/64"])
        self.set_up("s3", "eth1", ["10.9.0.13/24", "2001:db8:b9::13/64"])
        self.receive_xdp("s3", "eth1")

    def receive_xdp(self, name, device):
        """A veth's end gets what the other's XDP sends only if it has a program itself."""
        self[name].run("ip", "link", "set", "dev", device, "xdp", "pinned", self.program)


def no_offload(space, device):
    """XDP neither fills in checksums nor cuts segments."""
    space.run("ethtool", "-K", device, "tx", "off", "tso", "off", "gso", "off", "gro", "off")


if __name__ == "__main__":
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    sys.stdin.read()
    reap(sys.argv[1])
