# SPDX-License-Identifier: GPL-2.0-only
"""A configuration as the models see it, and as the YAML that `mptcp-lb apply` reads."""
import ipaddress
from dataclasses import dataclass, field

from codec import slot_owner
from ring import ring, service_key, key_bytes


def packed(address):
    return ipaddress.ip_address(address).packed


@dataclass
class Backend:
    index: int
    address: str
    lladdr: bytes            # of the next hop; None: not known
    device: str              # that leads to it
    state: str = "up"
    forward: str = "l2"
    mtu: int = 65536         # of the route
    device_mtu: int = 65536

    def fits(self, mtu):
        """The longest packet of a client that such a path takes, in its outer headers."""
        outer = {"l2": 0, "ipip": 20, "gue": 32}[self.forward]
        if self.forward != "l2" and ":" in self.address:
            outer += 20
        return max(68, min(mtu, 65535) - outer)


@dataclass
class Service:
    address: str
    port: int
    joins: str
    stamps: bool
    weights: dict            # by index
    join_port: int = 0       # BASE; 0: none
    flows: str = "off"
    settled: dict = field(default_factory=dict)    # cached indices by client
    fresh: dict = field(default_factory=dict)      # those of joins without a segment so far
    slots: list = None       # of the ring; None: nobody takes part
    key: bytes = b""


@dataclass
class Cluster:
    index_bits: int
    ring_seed: int
    epoch: int
    secrets: dict            # by epoch
    tunnel_source: str
    tunnel_source_v6: str
    backends: dict           # by index
    services: list
    df_clear: str = "too-big"
    owners: list = field(default_factory=list)
    by_name: dict = field(default_factory=dict)    # services by packed address and port
    addresses: set = field(default_factory=set)
    join_ports: dict = field(default_factory=dict)  # by packed address

    def prepare(self):
        """What follows from the configuration: rings, keys, who owns a stamp's slot."""
        assigned, rings = sorted(self.backends), {}
        self.owners = [slot_owner(self.index_bits, assigned, slot)
                       for slot in range(2 ** self.index_bits)]
        self.join_ports = {packed(service.address): self.all_joins(service.address)
                           for service in self.services if service.join_port}
        for service in self.services + list(self.join_ports.values()):
            taking_part = {index: weight for index, weight in service.weights.items()
                           if weight and self.backends[index].state == "up"}
            name = tuple(sorted(taking_part.items()))
            if name and name not in rings:
                rings[name] = ring(self.ring_seed, taking_part)
            service.slots = rings.get(name)
            service.key = key_bytes(*service_key(self.ring_seed, service.address, service.port))
        for service in self.services:
            self.by_name[packed(service.address), service.port] = service
            self.addresses.add(packed(service.address))

    def all_joins(self, address):
        """What stands behind the join ports of an address: a service of port 0."""
        every, weights = [s for s in self.services if s.address == address and s.join_port], {}
        for service in every:
            for index, weight in service.weights.items():
                weights[index] = max(weight, weights.get(index, 0))
        return Service(address, 0, "ring", False, weights, every[0].join_port)

    def yaml(self, flow_entries):
        """Secrets are in files next to it, secret.0 and so on."""
        lines = ["cluster:", f"  index-bits: {self.index_bits}", f"  ring-seed: {self.ring_seed}",
                 f"  epoch: {self.epoch}",
                 "  secrets: {%s}" % ", ".join(f"{e}: secret.{e}" for e in self.secrets),
                 f"  tunnel-source: {self.tunnel_source}",
                 f"  tunnel-source-v6: '{self.tunnel_source_v6}'",
                 f"  df-clear: {self.df_clear}", "services:"]
        said = set()
        for service in self.services:
            lines += [f"  - address: '{service.address}'", f"    ports: [{service.port}]",
                      f"    joins: {service.joins}",
                      f"    stamps: {'on' if service.stamps else 'off'}",
                      f"    join-port: {service.join_port or 'off'}",
                      f"    flows: {service.flows}"]
            if service.flows != "off":
                lines.append(f"    flow-entries: {flow_entries}")
            lines.append("    backends:")
            for index, weight in service.weights.items():
                words = "" if index in said else self.words(self.backends[index])
                lines.append(f"      - {{index: {index}, weight: {weight}{words}}}")
                said.add(index)
        return "\n".join(lines) + "\n"

    @staticmethod
    def words(backend):
        words = f", address: '{backend.address}', state: {backend.state}"
        words += f", forward: {backend.forward}"
        return words + (f", lladdr: '{backend.lladdr.hex(':')}'" if backend.lladdr else "")
