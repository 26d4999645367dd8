#!/usr/bin/python3 -B
# SPDX-License-Identifier: GPL-2.0-only
"""Every wrong input gets one sentence and an exit status, and leaves what runs as it was."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))

from tap import exit_on_signals, run_tests
from topology import BPFFS, BPFTOOL, BUILD, Failure, Topology, run

LOADER = os.path.join(BUILD, "mptcp-lb")
DONE, FAILED, USAGE, NOT_LOADED, BAD_CONFIG = range(5)
NOBODY = 65534
KILLS = 40
MAPS = ("state", "services", "backends", "secrets", "rings", "flows", "counters", "stamped",
        "devices")

CLUSTER = "cluster:\n  epoch: 0\n  secrets: {0: %(dir)s/secret.0}\n"
SERVICE = """services:
  - address: 192.0.2.1
    ports: [443]
    backends:
      - {index: 1, address: 10.0.0.11, lladdr: '02:00:00:00:00:11'}
      - {index: 2, address: 10.0.0.12, lladdr: '02:00:00:00:00:12', state: drain}
"""
FILES = {
    "good.yaml": CLUSTER + SERVICE,
    "other.yaml": CLUSTER.replace("epoch: 0", "epoch: 1").replace("{0:", "{1:") +
                  SERVICE.replace("192.0.2.1", "192.0.2.2").replace("index: 2", "index: 128"),
    "empty.yaml": "",
    "not.yaml": "services: [\n",
    "unknown-key.yaml": CLUSTER + "  colour: red\n",
    "same-index.yaml": CLUSTER + SERVICE + "      - {index: 2, address: 10.0.0.13}\n",
    "two-addresses.yaml": CLUSTER + SERVICE + "  - address: 192.0.2.2\n    ports: [443]\n"
                          "    backends: [{index: 2, address: 10.0.0.13}]\n",
    "no-address.yaml": CLUSTER + SERVICE + "      - {index: 3}\n",
    "index.yaml": CLUSTER + SERVICE + "      - {index: 256, address: 10.0.0.13}\n",
    "name.yaml": CLUSTER + SERVICE.replace("10.0.0.11", "www.example.org"),
    "port-0.yaml": CLUSTER + SERVICE.replace("443", "0"),
    "port-65536.yaml": CLUSTER + SERVICE.replace("443", "65536"),
    "index-bits.yaml": CLUSTER + "  index-bits: 10\n" + SERVICE,
    "no-secret-file.yaml": CLUSTER.replace("secret.0", "none") + SERVICE,
    "no-secret.yaml": CLUSTER.replace("secret.0", "good.yaml") + SERVICE,
    "exposed.yaml": CLUSTER.replace("secret.0", "exposed") + SERVICE,
    "4097.yaml": CLUSTER + "  index-bits: 12\nservices:\n  - address: 192.0.2.1\n    ports: [443]\n"
                 "    backends:\n" + "".join(
                     f"      - {{index: {i}, address: 10.0.{i >> 8}.{i & 255}}}\n"
                     for i in range(1, 4098)),
    "secret.0": "000102030405060708090a0b0c0d0e0f\n",
    "exposed": "000102030405060708090a0b0c0d0e0f\n",
}

NUMBER = "the index of a backend must be a number, not 'x'"
RANGE = "the index of a backend must lie between 0 and 4095, not '4096'"
NO_NUMBER = "the index of a backend needs a number"
NO_SERVICE = "a service needs an IPv4 or IPv6 address"
PORT_RANGE = "port must lie between 1 and 65535, not "
NO_PORT = "a service needs its port: 'ADDR port N'"
NO_SUCH_SERVICE = "there is no service 192.0.2.9 port 443"
NO_EPOCH = "say which epoch: 'epoch E'"
WHICH_BACKEND = "say which backend: 'index I'"
OTHER_VERSION = "is of another version: 'detach', 'unload', 'load' and 'apply' again"
NOT_BPFFS = "is not on a BPF filesystem; -p names a directory below /sys/fs/bpf"
A_SERVICE, NOT_THERE = "192.0.2.1 port 443", "192.0.2.9 port 443"

# By what they are about: words, the sentence and the exit status, while good.yaml is applied.
ROWS = {
    "the program itself": [
        ("", "a word is missing after 'mptcp-lb'; try 'mptcp-lb help'", USAGE),
        ("frobnicate", "'mptcp-lb' has no 'frobnicate'; try 'mptcp-lb help'", USAGE),
        ("help x", "unexpected word 'x'", USAGE),
        ("-x show", "there is no option -x; try 'mptcp-lb help'", USAGE),
        ("show -p", "option -p needs an argument", USAGE),
        ("show -c", "option -c needs an argument", USAGE),
        ("load x", "unexpected word 'x'", USAGE),
        ("unload x", "unexpected word 'x'", USAGE),
        ("show x", "unexpected word 'x'", USAGE),
        ("stats x", "unexpected word 'x'", USAGE),
        ("ready x", "unexpected word 'x'", USAGE),
    ],
    "apply and check": [
        ("apply {dir}/good.yaml x", "unexpected word 'x'", USAGE),
        ("apply {dir}/good.yaml force x", "unexpected word 'x'", USAGE),
        ("apply {dir}/none", "cannot open {dir}/none: No such file or directory", FAILED),
        ("apply {dir}", "cannot read {dir}: Is a directory", FAILED),
        ("apply {dir}/empty.yaml", "{dir}/empty.yaml:1:1: the file is empty", BAD_CONFIG),
        ("apply {dir}/not.yaml",
         "{dir}/not.yaml:2:1: not YAML: did not find expected node content", BAD_CONFIG),
        ("apply {dir}/unknown-key.yaml", "{dir}/unknown-key.yaml:4:3: unknown key 'colour'; *",
         BAD_CONFIG),
        ("apply {dir}/same-index.yaml", "{dir}/same-index.yaml:10:9: index 2 is in this service "
         "twice, first at line 9", BAD_CONFIG),
        ("apply {dir}/two-addresses.yaml", "{dir}/two-addresses.yaml:12:36: backend 2 has another "
         "address here than at line 9", BAD_CONFIG),
        ("apply {dir}/no-address.yaml", "{dir}/no-address.yaml:10:9: backend 3 has no address",
         BAD_CONFIG),
        ("apply {dir}/index.yaml",
         "{dir}/index.yaml:10:17: index must be a number from 0 to 255, not '256'", BAD_CONFIG),
        ("apply {dir}/name.yaml", "{dir}/name.yaml:8:29: address must be an IPv4 or IPv6 "
         "address, not 'www.example.org'", BAD_CONFIG),
        ("apply {dir}/port-0.yaml",
         "{dir}/port-0.yaml:6:13: port must be a number from 1 to 65535, not '0'", BAD_CONFIG),
        ("apply {dir}/port-65536.yaml",
         "{dir}/port-65536.yaml:6:13: port must be a number from 1 to 65535, not '65536'",
         BAD_CONFIG),
        ("apply {dir}/4097.yaml", "{dir}/4097.yaml:4104:17: index must be a number from 0 to "
         "4095, not '4096'", BAD_CONFIG),
        ("apply {dir}/index-bits.yaml", "index-bits is 8 and would become 10, which breaks every "
         "connection; 'force' does it all the same", FAILED),
        ("apply {dir}/no-secret-file.yaml",
         "{dir}/no-secret-file.yaml:3:16: secret file {dir}/none "
         "cannot be opened: No such file or directory", FAILED),
        ("check {dir}/good.yaml x", "unexpected word 'x'", USAGE),
        ("check {dir}/not.yaml",
         "{dir}/not.yaml:2:1: not YAML: did not find expected node content", BAD_CONFIG),
    ],
    "attach and detach": [
        ("attach", "say which device: 'dev DEV'", USAGE),
        ("attach lb0", "expected 'dev DEV', not 'lb0'", USAGE),
        ("attach dev", "dev needs the name of a device", USAGE),
        ("attach dev nosuch", "there is no device 'nosuch'", FAILED),
        ("attach dev lb0 quickly", "unexpected word 'quickly'", USAGE),
        ("attach dev lb0 native generic", "unexpected word 'generic'", USAGE),
        ("detach", "say which device: 'dev DEV'", USAGE),
        ("detach dev", "dev needs the name of a device", USAGE),
        ("detach dev nosuch", "there is no device 'nosuch'", FAILED),
        ("detach dev lb0 x", "unexpected word 'x'", USAGE),
        ("detach dev lb0", "no XDP program is attached to lb0", FAILED),
    ],
    "backend": [
        ("backend add", NO_NUMBER, USAGE),
        ("backend set", NO_NUMBER, USAGE),
        ("backend del", NO_NUMBER, USAGE),
        ("backend add x", NUMBER, USAGE),
        ("backend set x", NUMBER, USAGE),
        ("backend drain", NO_NUMBER, USAGE),
        ("backend drain x", NUMBER, USAGE),
        ("backend drain 1 x", "unexpected word 'x'", USAGE),
        ("backend drain 1 wait", "wait needs a number", USAGE),
        ("backend drain 1 wait 0", "wait must lie between 1 and 604800, not '0'", USAGE),
        ("backend drain 1 wait 5 x", "unexpected word 'x'", USAGE),
        ("backend drain 9", "there is no backend 9", FAILED),
        ("backend set 1 address 10.0.0.13", "backend 1 is at 10.0.0.11, whose connections would go "
         "to the new address; 'force' does it all the same", FAILED),
        ("backend del x", NUMBER, USAGE),
        ("backend show x", NUMBER, USAGE),
        ("backend add 4096 address 10.0.0.13", RANGE, USAGE),
        ("backend set 4096", RANGE, USAGE),
        ("backend del 4096", RANGE, USAGE),
        ("backend show 4096", RANGE, USAGE),
        ("backend show 1 x", "unexpected word 'x'", USAGE),
        ("backend show 9", "there is no backend 9", FAILED),
        ("backend set 9 state up", "there is no backend 9", FAILED),
        ("backend del 9", "there is no backend 9", FAILED),
        ("backend del 1 x", "unexpected word 'x'", USAGE),
        ("backend del 1", "backend 1 still serves 192.0.2.1 port 443: 'service backend del' first",
         FAILED),
        ("backend add 9", "backend 9 needs an address", USAGE),
        ("backend add 9 colour red", "unexpected word 'colour'", USAGE),
        ("backend add 9 address", "address needs an IPv4 or IPv6 address", USAGE),
        ("backend add 9 address localhost",
         "address must be an IPv4 or IPv6 address, not 'localhost'", USAGE),
        ("backend add 9 address 224.0.0.1", "backend 9: 224.0.0.1 is not a unicast address",
         BAD_CONFIG),
        ("backend add 9 address 10.0.0.11", "backends 1 and 9 have the same address 10.0.0.11",
         BAD_CONFIG),
        ("backend add 256 address 10.0.0.13",
         "backend 256 does not fit in 8 index bits: 0 to 255", BAD_CONFIG),
        ("backend add 1 address 10.0.0.13", "backend 1 is there already, at 10.0.0.11", FAILED),
        ("backend set 1 lladdr x",
         "lladdr needs a link-layer address such as 52:54:00:12:34:56", USAGE),
        ("backend set 1 lladdr 01:00:5e:00:00:01",
         "backend 1: its lladdr is not that of one device",
         BAD_CONFIG),
        ("backend set 1 state", "state needs one of up, drain or down", USAGE),
        ("backend set 1 state gone", "state must be up, drain or down, not 'gone'", USAGE),
    ],
    "service": [
        ("service add", NO_SERVICE, USAGE),
        ("service set", NO_SERVICE, USAGE),
        ("service del", NO_SERVICE, USAGE),
        ("service add www.example.org port 443",
         "a service must be an IPv4 or IPv6 address, not 'www.example.org'", USAGE),
        ("service add 192.0.2.9", NO_PORT, USAGE),
        ("service add 192.0.2.9 443", NO_PORT, USAGE),
        ("service add 192.0.2.9 port", "port needs a number", USAGE),
        ("service add 192.0.2.9 port 0", PORT_RANGE + "'0'", USAGE),
        ("service add 192.0.2.9 port 65536", PORT_RANGE + "'65536'", USAGE),
        ("service add 192.0.2.9 port 443x", "port must be a number, not '443x'", USAGE),
        ("service add 192.0.2.9 port 443 joins", "joins needs one of *", USAGE),
        ("service add 192.0.2.9 port 443 joins both", "joins must be *", USAGE),
        ("service add 192.0.2.9 port 443 stamps maybe",
         "stamps must be off or on, not 'maybe'", USAGE),
        (f"service set {A_SERVICE} flows on", "flows must be off, joins or all, not 'on'", USAGE),
        (f"service set {A_SERVICE} flow-entries", "flow-entries needs a number", USAGE),
        (f"service set {A_SERVICE} flow-entries 8191",
         "flow-entries must lie between 8192 and 16777216, not '8191'", USAGE),
        (f"service set {A_SERVICE} join-port", "join-port needs a number", USAGE),
        (f"service set {A_SERVICE} join-port 65536",
         "join-port must lie between 0 and 65535, not '65536'", USAGE),
        (f"service set {A_SERVICE} join-port 65300",
         "join-port must not exceed 65280, since indices have 8 bits", BAD_CONFIG),
        (f"service set {A_SERVICE} join-port 400",
         "the join ports 400 to 655 hold a service, 192.0.2.1 port 443", BAD_CONFIG),
        ("service add 192.0.2.9 port 443 colour red", "unexpected word 'colour'", USAGE),
        (f"service add {A_SERVICE}", "service 192.0.2.1 port 443 is there already", FAILED),
        ("service add 224.0.0.1 port 443",
         "service: 224.0.0.1 is not a unicast address", BAD_CONFIG),
        (f"service set {NOT_THERE} stamps on", NO_SUCH_SERVICE, FAILED),
        (f"service del {NOT_THERE}", NO_SUCH_SERVICE, FAILED),
        (f"service del {A_SERVICE} x", "unexpected word 'x'", USAGE),
        (f"service show {NOT_THERE}", NO_SUCH_SERVICE, FAILED),
        (f"service show {A_SERVICE} x", "unexpected word 'x'", USAGE),
    ],
    "service backend": [
        ("service backend add", NO_SERVICE, USAGE),
        (f"service backend add {A_SERVICE}", WHICH_BACKEND, USAGE),
        (f"service backend set {A_SERVICE}", WHICH_BACKEND, USAGE),
        (f"service backend del {A_SERVICE}", WHICH_BACKEND, USAGE),
        (f"service backend add {NOT_THERE} index 1", NO_SUCH_SERVICE, FAILED),
        (f"service backend add {A_SERVICE} index", "index needs a number", USAGE),
        (f"service backend add {A_SERVICE} index 4096",
         "index must lie between 0 and 4095, not '4096'", USAGE),
        (f"service backend add {A_SERVICE} index 9", "there is no backend 9: 'backend add' first",
         FAILED),
        (f"service backend add {A_SERVICE} index 1",
         f"backend 1 serves {A_SERVICE} already", FAILED),
        (f"service backend set {A_SERVICE} index 9",
         f"backend 9 does not serve {A_SERVICE}", FAILED),
        (f"service backend del {A_SERVICE} index 9",
         f"backend 9 does not serve {A_SERVICE}", FAILED),
        (f"service backend set {A_SERVICE} index 1 weight", "weight needs a number", USAGE),
        (f"service backend set {A_SERVICE} index 1 weight 65535",
         "weight must lie between 0 and 65534, not '65535'", USAGE),
        (f"service backend set {A_SERVICE} index 1 x", "unexpected word 'x'", USAGE),
        (f"service backend del {A_SERVICE} index 1 x", "unexpected word 'x'", USAGE),
    ],
    "secret": [
        ("secret generate x", "unexpected word 'x'", USAGE),
        ("secret add", NO_EPOCH, USAGE),
        ("secret use", NO_EPOCH, USAGE),
        ("secret del", NO_EPOCH, USAGE),
        ("secret add epoch", "epoch needs a number", USAGE),
        ("secret use epoch 4", "epoch must lie between 0 and 3, not '4'", USAGE),
        ("secret add epoch 1", "say which file holds the secret: 'file F'", USAGE),
        ("secret add epoch 1 file", "say which file holds the secret: 'file F'", USAGE),
        ("secret add epoch 1 file {dir}/none",
         "secret file {dir}/none cannot be opened: No such file or directory", FAILED),
        ("secret add epoch 1 file {dir}",
         "secret file {dir} cannot be read: Is a directory", FAILED),
        ("secret add epoch 1 file {dir}/secret.0 x", "unexpected word 'x'", USAGE),
        ("secret add epoch 0 file {dir}/secret.0",
         "epoch 0 has a secret already: 'secret del' first", FAILED),
        ("secret use epoch 1", "epoch 1 has no secret", FAILED),
        ("secret use epoch 0 x", "unexpected word 'x'", USAGE),
        ("secret del epoch 1", "epoch 1 has no secret", FAILED),
        ("secret del epoch 0", "epoch 0 is the one in use: 'secret use' another first", FAILED),
        ("secret show x", "unexpected word 'x'", USAGE),
    ],
    "token and key": [
        ("token encode", "token encode needs 'index N'", USAGE),
        ("token encode index 256", "index must lie between 0 and 255, not '256'", USAGE),
        ("token encode index 1 epoch 1", "there is no secret for epoch 1", FAILED),
        ("token encode index 1 nonce zz", "nonce must be a hexadecimal number, not 'zz'", USAGE),
        ("token encode index 1 x", "unexpected word 'x'", USAGE),
        ("token decode", "token needs a hexadecimal number", USAGE),
        ("token decode 123456789",
         "token must lie between 0 and 0xffffffff, not '123456789'", USAGE),
        ("key generate", "key generate needs 'index N'", USAGE),
        ("key generate index 256", "index 256 is too great: index-bits 8 end at 255", USAGE),
        ("key generate index 1 x", "unexpected word 'x'", USAGE),
    ],
    "directories of pins": [
        ("-p /proc/self show", "'/proc/self' " + NOT_BPFFS, FAILED),
        ("-p /proc/self unload", "'/proc/self' " + NOT_BPFFS, FAILED),
        ("-p {dir}/pins load", "'{dir}/pins' " + NOT_BPFFS, FAILED),
        ("-p {pins}/with.dot load", "can't make the directory '{pins}/with.dot': "
         "a BPF filesystem takes no names with a dot", FAILED),
        ("-p {pins}/lb show", "can't open '{pins}/lb': Not a directory", FAILED),
    ],
}

NOUNS = ("backend", "service", "service backend", "secret", "token", "key", "server")
LEAVES = ("apply", "check", "load", "unload", "attach", "detach", "show", "stats", "ready",
          "backend add", "backend set", "backend drain", "backend del", "backend show",
          "service add", "service set", "service del", "service show", "service backend add", "service backend set",
          "service backend del", "secret generate", "secret add", "secret use", "secret del",
          "secret show", "token encode", "token decode", "key generate", "server attach",
          "server detach", "server run", "server check", "server show")

NEED_LOADED = ("apply {dir}/good.yaml", "show", "stats", "ready", "backend show", "service show",
               "secret show", "backend add 9 address 10.0.0.13", f"service add {NOT_THERE}",
               "secret use epoch 1", "token encode index 1", "key generate index 1",
               "attach dev lb0", "detach dev lb0", "unload")
NOTHING_LOADED = "nothing is loaded at '{pins}'; try 'mptcp-lb load'"
NEED_ROOT = ("load", "unload", "apply {dir}/good.yaml", "show", "stats", "ready", "backend show",
             "backend add 9 address 10.0.0.13", "service show", "secret show", "attach dev lb0",
             "detach dev lb0")


class Room(Topology):
    """One namespace with two devices, its files, and the directory of its pins."""

    def build(self):
        os.makedirs(self.dir, mode=0o711)
        self.make_space("lb")
        self["lb"].ip("link add lb0 type veth peer name lb1")
        for device in ("lb0", "lb1"):
            self["lb"].ip(f"link set {device} up")
        self["lb"].ip("addr add 10.0.0.1/24 dev lb0")
        for name, text in FILES.items():
            self.write(name, text % {"dir": self.dir} if name.endswith(".yaml") else text)
        for name in ("good.yaml", "exposed"):
            os.chmod(os.path.join(self.dir, name), 0o644)
        self.pins = os.path.join(BPFFS, self["lb"].full_name)
        self.loader = shutil.copy(LOADER, self.dir)  # where anybody may run it

    def write(self, name, text):
        with open(os.path.join(self.dir, name), "w", encoding="ascii",
                  opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
            file.write(text)

    def fill(self, text):
        return text.format(dir=self.dir, pins=self.pins)

    def start(self, words, user=()):
        argv = [*self["lb"].enter, *user, self.loader, "-p", self.pins, *self.fill(words).split()]
        return subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True)

    def call(self, words, **more):
        """The exit status, and what was said on stdout and stderr."""
        process = self.start(words, **more)
        out, err = process.communicate()
        return process.returncode, out, err

    def done(self, words):
        """It has to succeed; returns what was said on stdout."""
        status, out, err = self.call(words)
        if status:
            raise Failure(f"'{words}' ended with {status}: {err}")
        return out

    def refused(self, words, sentence, status, **more):
        """The sentence and nothing else, also as JSON. It may be cut short, before a star."""
        sentence = self.fill(sentence)
        got, out, err = self.call(words, **more)
        if got != status or out or not same(err, f"mptcp-lb: {sentence}"):
            raise Failure(f"'{words}' ended with {got}, not {status}; "
                          f"stdout: {out!r}; stderr: {err!r}")
        got, out, err = self.call("-j " + words, **more)
        said = json.loads(err)
        if got != status or out or not same(said.pop("error") + "\n", sentence) or \
           said != {"version": 1, "status": status}:
            raise Failure(f"'-j {words}' ended with {got}, not {status}; "
                          f"stdout: {out!r}; stderr: {err!r}")

    def state(self):
        """What runs, less how often it was changed."""
        shown = json.loads(self.done("show -j"))
        for passing in ("generation", "clock"):
            del shown["cluster"][passing]
        return shown

    def warnings(self, words):
        """Of a command that succeeds; the machine's own clock is another matter."""
        status, _, err = self.call("-j " + words)
        if status:
            raise Failure(f"'{words}' ended with {status}: {err}")
        said = [json.loads(line)["warning"] for line in err.splitlines()]
        return [warning for warning in said if not warning.startswith("the clock is not")]


def same(said, wanted):
    if wanted.endswith("*"):
        return said.startswith(wanted[:-1]) and said.count("\n") == 1
    return said == wanted + "\n"


class Trial:
    def __init__(self, room):
        self.room = room

    def not_loaded(self):
        for words in NEED_LOADED:
            self.room.refused(words, NOTHING_LOADED, NOT_LOADED)

    def start(self):
        self.room.done("load")
        self.room.done("apply {dir}/good.yaml")

    def restart(self):
        self.room.done("unload")
        self.start()

    def all_refused(self, rows):
        """Says of every row that is not what it should be."""
        before, wrong = json.loads(self.room.done("show -j")), []
        for words, sentence, status in rows:
            try:
                self.room.refused(words, sentence, status)
            except Failure as failure:
                wrong.append(str(failure))
            if json.loads(self.room.done("show -j")) != before:
                raise Failure(f"'{words}' changed what runs")
        if wrong:
            raise Failure("\n".join(wrong))

    def nouns(self):
        for noun in NOUNS:
            command = f"mptcp-lb {noun}"
            self.all_refused([
                (noun, f"a word is missing after '{command}'; try '{command} help'", USAGE),
                (noun + " frobnicate", f"'{command}' has no 'frobnicate'; try '{command} help'",
                 USAGE),
                (noun + " help x", "unexpected word 'x'", USAGE),
            ])

    def help(self):
        for words in ("", *NOUNS, *LEAVES):
            said = self.room.done(words + " help").splitlines()
            if not said or not all(line.startswith(f"mptcp-lb {words}".strip()) for line in said):
                raise Failure(f"'{words} help' says {said}")
            if words in LEAVES and len(said) != 1:
                raise Failure(f"'{words} help' says more than one line: {said}")
        self.all_refused([(words + " help x", "unexpected word 'x'", USAGE) for words in LEAVES])

    def no_root(self):
        user = (f"setpriv --reuid={NOBODY} --regid={NOBODY} --clear-groups").split()
        for words in NEED_ROOT:
            if words != "load":
                self.room.refused(words, "can't open '{pins}': this needs root", FAILED, user=user)
        # What is denied first depends on who mounted the bpffs: systemd and we let root alone in.
        for words in ("load", "-p {pins}-2 load"):
            status, _, err = self.room.call(words, user=user)
            if status != FAILED or not err.endswith(": this needs root\n") or err.count("\n") != 1:
                raise Failure(f"{words} ended with {status}: {err}")
        self.room.refused("check {dir}/good.yaml", "{dir}/good.yaml:3:16: secret file "
                          "{dir}/secret.0 cannot be opened: Permission denied", FAILED, user=user)

    def exposed(self):
        said = self.room.warnings("apply {dir}/exposed.yaml")
        wanted = self.room.fill("secret file {dir}/exposed can be read by others than its owner: "
                                "chmod 600")
        if said != [wanted]:
            raise Failure(f"apply warned: {said}")
        self.room.done("apply {dir}/good.yaml")

    def other_version(self):
        state = os.path.join(self.room.pins, "state")
        row, = json.loads(run(BPFTOOL, "-j", "map", "dump", "pinned", state))
        value = [byte.removeprefix("0x") for byte in row["value"]]
        value[0] = "00" if value[0] == "ff" else "ff"
        run(BPFTOOL, "map", "update", "pinned", state, "key", "hex", "00", "00", "00", "00",
            "value", "hex", *value)
        os.unlink(os.path.join(self.room.pins, "stamped"))  # it may have other maps, too
        for words in ("show", "stats", "apply {dir}/good.yaml", "backend del 9", "load"):
            self.room.refused(words, "what is loaded at '{pins}' " + OTHER_VERSION, NOT_LOADED)
        self.restart()

    def map_of_another_size(self):
        services = os.path.join(self.room.pins, "services")
        os.unlink(services)
        run(BPFTOOL, "map", "create", services, "type", "array", "key", "4", "value", "8",
            "entries", "1", "name", "services")
        for words in ("show", "apply {dir}/good.yaml", "load"):
            self.room.refused(words, "the map '{pins}/services' " + OTHER_VERSION, NOT_LOADED)
        self.restart()

    def map_deleted(self):
        for name in MAPS:
            os.unlink(os.path.join(self.room.pins, name))
            for words in ("show", "stats", "apply {dir}/good.yaml", "load"):
                self.room.refused(words, "the map '{pins}/%s' is missing: 'unload' and 'load' "
                                  "again" % name, NOT_LOADED)
            self.restart()

    def program_deleted(self):
        os.unlink(os.path.join(self.room.pins, "lb"))
        self.room.refused("attach dev lb0", "the program '{pins}/lb' is missing: "
                          "'unload' and 'load' again", NOT_LOADED)
        self.restart()

    def device_vanishes(self):
        self.room["lb"].ip("link add gone0 type veth peer name gone1")
        for device in ("gone0", "gone1"):
            self.room["lb"].ip(f"link set {device} up")
        self.room["lb"].ip("addr add 10.9.0.1/24 dev gone0")
        self.room.done("attach dev gone0")
        self.room.done("backend add 9 address 10.9.0.2 lladdr 02:00:00:00:00:99")
        before = self.room.state()
        self.room["lb"].ip("link del gone0")
        self.room.refused("detach dev gone0", "there is no device 'gone0'", FAILED)
        after = self.room.state()
        if [d["dev"] for d in before["devices"]] != ["gone0"] or after["devices"]:
            raise Failure(f"show says {before['devices']}, then {after['devices']}")
        if [b["dev"] for b in after["backends"]] != ["lb0", "lb0", "gone"]:
            raise Failure(f"show says {after['backends']}")
        said = self.room.warnings("backend set 9 state up")
        if said != ["backend 9 at 10.9.0.2 gets no packets: no route leads there"]:
            raise Failure(f"backend set warned: {said}")
        self.restart()

    def edits_at_once(self):
        processes = [self.room.start(f"backend add {i} address 10.0.0.{i}")
                     for i in range(20, 30)]
        for process in processes:
            _, err = process.communicate()
            if process.returncode:
                raise Failure(f"one ended with {process.returncode}: {err}")
        found = {backend["index"] for backend in self.room.state()["backends"]}
        if found != {1, 2, *range(20, 30)}:
            raise Failure(f"these backends are left: {sorted(found)}")
        self.room.done("apply {dir}/good.yaml")

    def loads_at_once(self):
        """Each of them ends in one of the ways that it may, and what is left is whole."""
        allowed = {
            "load": ((DONE, ""),),
            "unload": ((DONE, ""), (NOT_LOADED, NOTHING_LOADED)),
        }
        for _ in range(5):
            processes = [(words, self.room.start(words)) for words in ("unload", "load") * 4]
            for words, process in processes:
                said = process.communicate()[1].removeprefix("mptcp-lb: ").removesuffix("\n")
                ends = [(status, self.room.fill(text)) for status, text in allowed[words]]
                if (process.returncode, said) not in ends:
                    raise Failure(f"'{words}' ended with {process.returncode}: {said}")
        self.room.call("load")
        self.restart()

    def kill(self, words, latest_s):
        """At any instant of its run, or somewhat later; returns whether it was cut short."""
        process = self.room.start(words)
        time.sleep(random.uniform(0, latest_s))
        process.kill()
        process.communicate()
        return process.returncode == -signal.SIGKILL

    def duration(self, words):
        before = time.monotonic()
        self.room.done(words)
        return time.monotonic() - before

    def apply_killed(self):
        known = []
        for file in ("good", "other"):
            takes = self.duration(f"apply {{dir}}/{file}.yaml")
            known.append(self.room.state())
        killed = 0
        for turn in range(KILLS):
            killed += self.kill("apply {dir}/%s.yaml" % ("good", "other")[turn % 2], 1.2 * takes)
            if self.room.state() not in known:
                raise Failure(f"what runs is neither the old nor the new: {self.room.state()}")
        if killed < KILLS / 4:
            raise Failure(f"only {killed} of {KILLS} were cut short")
        for file, wanted in zip(("good", "other"), known):
            self.room.done(f"apply {{dir}}/{file}.yaml")
            if self.room.state() != wanted:
                raise Failure("the next apply did not do what it should")
        self.room.done("apply {dir}/good.yaml")

    def load_killed(self):
        self.room.done("unload")
        takes = self.duration("load")
        for words in ("unload", "load") * (KILLS // 4):
            self.kill(words, 1.2 * takes)
            if words == "load":
                self.room.call("load")
                self.room.done("apply {dir}/good.yaml")
                self.room.state()
        self.restart()

    def attach_killed(self):
        takes = self.duration("attach dev lb0")
        self.room.done("detach dev lb0")
        for _ in range(KILLS // 4):
            self.kill("attach dev lb0", 1.2 * takes)
            if self.room.state()["devices"]:
                self.room.done("detach dev lb0")
            self.room.done("attach dev lb0")
            self.room.done("detach dev lb0")

    def steps(self):
        return [
            ("with nothing loaded, commands say so", self.not_loaded),
            ("the balancer is loaded", self.start),
            *((f"wrong words are refused: {about}", lambda rows=rows: self.all_refused(rows))
              for about, rows in ROWS.items()),
            ("nouns without a word, with a wrong one, and with one too many", self.nouns),
            ("help is a word at every level", self.help),
            ("without root, commands say so", self.no_root),
            ("a secret that others may read is warned of", self.exposed),
            ("maps of another ABI are not touched", self.other_version),
            ("a map of another size is not touched", self.map_of_another_size),
            ("a map whose pin was removed is missed", self.map_deleted),
            ("a program whose pin was removed is missed", self.program_deleted),
            ("a device vanishes under the balancer and before a backend", self.device_vanishes),
            ("commands that change things wait for each other", self.edits_at_once),
            ("load and unload, many at once", self.loads_at_once),
            ("apply, killed half way, leaves the old or the new", self.apply_killed),
            ("load and unload, killed half way, can be repeated", self.load_killed),
            ("attach, killed half way, can be repeated", self.attach_killed),
        ]


def main():
    exit_on_signals()
    with Room() as room:
        return run_tests(Trial(room).steps())


if __name__ == "__main__":
    sys.exit(main())
