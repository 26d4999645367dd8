#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""Every way to attach the balancer to a device, each with connections through it."""

import json
import os
import shutil
import subprocess
import sys

from cluster import Cluster, Command
from tap import exit_on_signals, note, run_tests
from topology import BPFFS, BPFTOOL, BUILD, SERVERS, Failure, Namespace, Topology, run

MEMBERS = ("s1", "s2", "s3")
CONNECTIONS = 20  # so many that hardly ever one of three backends gets none
JUMBO = 9000
IPROUTE2_PINS = os.path.join(BPFFS, "xdp", "globals")
ALONE = "alone: the kernel refuses libxdp's dispatcher"
TOGETHER = "behind libxdp's dispatcher"


class OwnBpffs(Namespace):
    """The balancer's namespace again, with a BPF filesystem that no other test sees."""

    def __init__(self, space):
        super().__init__(*space.full_name.split("-", 1))
        self.holder = space.start("unshare", "--mount", "sh", "-c",
                                  f"mount -t bpf bpf {BPFFS} && echo mounted && read -r end",
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        if self.holder.stdout.readline() != "mounted\n":
            raise Failure("there is no BPF filesystem to be had")
        self.enter += (f"--mount=/proc/{self.holder.pid}/ns/mnt",)


class Trial:
    def __init__(self, net):
        self.net = net
        self.lb = net["lb"]
        self.cluster = Cluster(net)
        self.command = self.cluster.lb
        self.cluster.write_config(self.cluster.config, MEMBERS, stamps="off")
        self.cluster.start_servers()
        self.dispatcher = False  # whether this kernel allows it

    def load(self):
        self.command("load")
        self.command(f"apply {self.cluster.config}")

    def refused(self, words, sentence):
        done = subprocess.run([*self.lb.enter, *self.command.argv, *words.split()], text=True,
                              capture_output=True, check=False)
        if done.returncode != 1 or sentence not in done.stderr:
            raise Failure(f"'{words}' ended with {done.returncode}: {done.stderr}")

    def expect_shown(self, mode, device="lb0", dispatcher=None):
        wanted = {"dev": device, "mode": mode,
                  "dispatcher": self.dispatcher if dispatcher is None else dispatcher}
        shown = self.command.json("show")["devices"]
        if shown != [wanted]:
            raise Failure(f"show says {shown}, not {wanted}")

    def expect_nothing_attached(self):
        if "xdp" in json.loads(self.lb.ip("-j link show dev lb0"))[0]:
            raise Failure("an XDP program is left on lb0")
        if self.command.json("show")["devices"]:
            raise Failure("show says that something is attached")

    def packets(self):
        return sum(row["packets"] for row in self.command.json("stats")["backends"])

    def converse(self, **more):
        """Connections through the balancer: every backend serves some, byte for byte."""
        before, servers = self.packets(), set()
        for family in (4, 6):
            opened = self.cluster.client.open(CONNECTIONS, family, plain=True, **more)
            servers |= {c["server"] for c in opened}
        self.cluster.client.progress()
        self.cluster.client.finish()
        if servers != set(MEMBERS):
            raise Failure(f"the connections were served by {servers}")
        if self.packets() - before < 2 * CONNECTIONS * 4:
            raise Failure("the balancer counted too few packets")

    def native(self):
        said = self.command("attach dev lb0")
        note(said)
        self.dispatcher = TOGETHER in said
        if said != f"attached to lb0, native, {TOGETHER if self.dispatcher else ALONE}\n":
            raise Failure(f"attach said: {said}")
        self.expect_shown("native")
        self.refused("attach dev lb0", "the balancer is attached to lb0 already, in native mode")
        self.converse()
        self.replaced()
        self.detach()

    def replaced(self):
        """Loaded again, it is another program in the same place."""
        before = self.attached_ids()
        self.command("load")
        self.expect_shown("native")
        after = self.attached_ids()
        if len(after) != len(before) or after & before:
            raise Failure(f"the programs were {before} and are {after}")
        self.converse()

    def attached_ids(self):
        """The ids of the balancer's programs that go by its maps, but for the pinned ones."""
        programs = json.loads(run(BPFTOOL, "-j", "prog", "show"))
        shown = json.loads(run(BPFTOOL, "-j", "map", "show", "pinned",
                               os.path.join(self.command.pins, "counters")))
        ours = {p["id"] for p in programs if shown["id"] in p.get("map_ids", ())}
        spare = {self.pinned_id(name) for name in ("lb", "lb_frags")}
        return ours - spare if self.dispatcher else ours

    def detach(self):
        self.refused("unload", "still attached to lb0: 'detach' first")
        self.command("detach dev lb0")
        self.expect_nothing_attached()

    def generic(self):
        said = json.loads(self.command("attach dev lb0 generic -j"))
        if said != {"version": 1, "dev": "lb0", "mode": "generic", "dispatcher": self.dispatcher}:
            raise Failure(f"attach said: {said}")
        self.expect_shown("generic")
        self.converse()
        self.detach()

    def put_on(self, space, name):
        """One of the programs that let every frame pass."""
        pins = os.path.join(BPFFS, self.net.prefix + "-passes")
        if not os.path.exists(pins):
            run(BPFTOOL, "prog", "loadall", os.path.join(BUILD, "pass.bpf.o"), pins)
        space.run("ip", "link", "set", "dev", "lb0", "xdp", "pinned", os.path.join(pins, name))

    def beside_another(self):
        """Where there is a dispatcher, both are at work; where not, the first come stays."""
        if not self.dispatcher:
            self.put_on(self.lb, "pass")
            self.refused("attach dev lb0", "lb0 has another XDP program already")
            self.refused("detach dev lb0", "the XDP program on lb0 is not the one loaded at")
            self.lb.ip("link set dev lb0 xdp off")
            return
        if not shutil.which("xdp-loader"):
            raise Failure("xdp-loader is missing: install xdp-tools")
        self.lb.run("xdp-loader", "load", "-s", "xdp", "lb0",
                    os.path.join(BUILD, "pass.bpf.o"))
        self.command("attach dev lb0")
        self.expect_shown("native")
        self.converse()
        self.command("detach dev lb0")
        if " pass " not in self.lb.run("xdp-loader", "status", "lb0"):
            raise Failure("detach took the other program away")
        self.lb.run("xdp-loader", "unload", "lb0", "--all")

    def without_dispatcher(self):
        said = self.lb.run("env", "LIBXDP_SKIP_DISPATCHER=1", *self.command.argv, "attach", "dev",
                           "lb0")
        if said != "attached to lb0, native, alone, as LIBXDP_SKIP_DISPATCHER says\n":
            raise Failure(f"attach said: {said}")
        link, = json.loads(self.lb.ip("-j link show dev lb0"))
        pinned = self.pinned_id("lb")
        if link["xdp"]["prog"]["id"] != pinned:
            raise Failure(f"the program on lb0 is not the pinned one, {pinned}: {link}")
        self.detach()

    def pinned_id(self, name):
        shown = run(BPFTOOL, "-j", "prog", "show", "pinned", os.path.join(self.command.pins, name))
        return json.loads(shown)["id"]

    def by_pin(self, keyword, mode):
        path = os.path.join(self.command.pins, "lb")
        self.lb.run("ip", "link", "set", "dev", "lb0", keyword, "pinned", path)
        self.expect_shown(mode, dispatcher=False)
        self.converse()
        self.detach()

    def jumbo_frames(self):
        """Every device grows, for which the switch's program has to be another."""
        switch = self.net["switch"]
        switch.ip("link set dev lb0 xdp off")
        for port in ("c0", "c1", "lb0", *SERVERS):
            switch.ip(f"link set dev {port} mtu {JUMBO}")
        for name, device in (("client", "c0"), ("client", "c1"), ("lb", "lb0"),
                             *((server, "eth0") for server in SERVERS)):
            self.net[name].ip(f"link set dev {device} mtu {JUMBO}")
        self.put_on(switch, "pass_frags")

    def frames(self):
        link, = json.loads(self.lb.ip("-j -s link show dev lb0"))
        return link["stats64"]["rx"]

    def jumbo(self):
        self.jumbo_frames()
        self.command("attach dev lb0")
        self.expect_shown("native")
        program, = json.loads(self.lb.ip("-j link show dev lb0"))
        if program["xdp"]["prog"]["name"] not in ("lb_frags", "xdp_dispatcher"):
            raise Failure(f"large frames need the other program: {program}")
        before = self.frames()
        self.cluster.write_config(self.cluster.config, MEMBERS[:2], stamps="off")
        self.command(f"apply {self.cluster.config}")
        self.cluster.client.open(2, 4, plain=True, chunk=100000, pace_s=0.05)
        self.cluster.client.progress(1000000)
        self.cluster.client.finish()
        after = self.frames()
        size = (after["bytes"] - before["bytes"]) / (after["packets"] - before["packets"])
        if size < 2000:
            raise Failure(f"the frames were no jumbo frames: {size} bytes on the average")
        self.detach()

    def unload(self):
        self.command("unload")
        if os.path.exists(self.command.pins):
            raise Failure("the directory of the pins is left")

    def by_object(self):
        """iproute2 loads and pins; the command line is pointed at its pins."""
        self.lb = OwnBpffs(self.net["lb"])
        self.command = Command(self.lb, self.cluster.config)
        self.command.argv = tuple(IPROUTE2_PINS if word == self.command.pins else word
                                  for word in self.command.argv)
        self.lb.run("ip", "link", "set", "dev", "lb0", "xdp", "obj",
                    os.path.join(BUILD, "lb.bpf.o"), "sec", "xdp")
        self.command(f"apply {self.cluster.config}")
        self.expect_shown("native", dispatcher=False)
        self.converse()

    def by_object_other_words(self):
        self.refused("load", f"the maps at '{IPROUTE2_PINS}' are in use by the program on lb0")
        self.refused("unload", "still attached to lb0: 'detach' first")
        self.command("detach dev lb0")
        self.expect_nothing_attached()
        self.command("unload")

    def steps(self):
        return [
            ("attach: native mode, by libxdp; loaded again, it is replaced", self.native),
            ("attach: generic mode, by libxdp", self.generic),
            ("attach: beside another XDP program", self.beside_another),
            ("attach: the pinned program itself where no dispatcher is wanted",
             self.without_dispatcher),
            ("ip link set xdp pinned", lambda: self.by_pin("xdpdrv", "native")),
            ("ip link set xdpgeneric pinned", lambda: self.by_pin("xdpgeneric", "generic")),
            ("ip link set xdp obj, and -p at iproute2's pins", self.by_object),
            ("load, unload and detach know iproute2's pins", self.by_object_other_words),
            ("attach: jumbo frames", self.jumbo_at_last),
            ("unload takes everything away", self.unload),
        ]

    def jumbo_at_last(self):
        self.lb, self.command = self.net["lb"], self.cluster.lb
        self.jumbo()


def main():
    exit_on_signals()
    with Topology(behind=True) as net:
        trial = Trial(net)
        trial.load()
        return run_tests(trial.steps(), lambda: trial.command("show", check=False))


if __name__ == "__main__":
    sys.exit(main())
