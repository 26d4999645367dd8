#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""A second model of the ring, written from docs/ring.md and not from include/ or loader/.

    ring.py check FILE...    recomputes every line of vector files; exit 1 if one differs
    ring.py generate         prints vectors-ring.txt
"""
import hashlib
import ipaddress
import sys

from codec import MASK64, siphash

SLOTS = 65537


def key_bytes(k0, k1):
    return k0.to_bytes(8, "little") + k1.to_bytes(8, "little")


def mapped(address):
    address = ipaddress.ip_address(address)
    return address.packed if address.version == 6 else bytes(10) + b"\xff\xff" + address.packed


def service_key(seed, address, port):
    name = mapped(address) + port.to_bytes(2, "big")
    return tuple(siphash(2, 4, key_bytes(seed, half), name) for half in (0, 1))


def flow_slot(seed, service, port, client, client_port):
    packed = ipaddress.ip_address(client).packed + client_port.to_bytes(2, "big")
    key = key_bytes(*service_key(seed, service, port))
    return (siphash(1, 3, key, packed) >> 32) * SLOTS >> 32


def preferences(seed, index):
    name = index.to_bytes(2, "little")
    at = siphash(2, 4, key_bytes(seed, 0), name) % SLOTS
    skip = siphash(2, 4, key_bytes(seed, 1), name) % (SLOTS - 1) + 1
    while True:
        yield at
        at = (at + skip) % SLOTS


def ring(seed, weights):
    """The index that has each slot. weights: of the members that take part, by index."""
    slots, left = [None] * SLOTS, SLOTS
    walks = {index: preferences(seed, index) for index in sorted(weights)}
    greatest, turn = max(weights.values()), 0
    while True:
        for index, walk in walks.items():
            weight = weights[index]
            if (turn + 1) * weight // greatest == turn * weight // greatest:
                continue
            slots[next(slot for slot in walk if slots[slot] is None)] = index
            left -= 1
            if not left:
                return slots
        turn += 1


def digest(slots):
    packed = b"".join(index.to_bytes(2, "big") for index in slots)
    return hashlib.sha256(packed).hexdigest()[:16]


def parse_weights(text):
    return {int(index): int(weight) for index, weight in (m.split(":") for m in text.split(","))}


def check_flow(seed, service, port, client, client_port, slot):
    return flow_slot(int(seed), service, int(port), client, int(client_port)) == int(slot)


def check_ring(seed, members, expected):
    return digest(ring(int(seed), parse_weights(members))) == expected


SECTIONS = {"flow slot": check_flow, "ring": check_ring}


def check(name):
    section, lines, wrong = None, 0, 0
    with open(name, encoding="ascii") as file:
        for number, line in enumerate(file, 1):
            if line.startswith("# "):
                section = SECTIONS.get(line[2:].split(":")[0])
                continue
            lines += 1
            if not section or not section(*line.split()):
                print(f"{name}:{number}: the model differs: {line.strip()}")
                wrong += 1
    print(f"{name}: {lines} vectors, {wrong} wrong")
    return lines > 0 and not wrong


def generate():
    services = (("192.0.2.1", 443, "198.51.100.7"), ("2001:db8:1::1", 443, "2001:db8:c::7"),
                ("203.0.113.200", 1, "10.255.0.1"), ("2001:db8::", 65535, "fd00::ffff:1"))
    print("# flow slot: ring_seed service port client port slot")
    for seed in (0, 1, 0x0123456789ABCDEF, MASK64):
        for address, port, client in services:
            for client_port in (1, 1024, 40001, 65535):
                slot = flow_slot(seed, address, port, client, client_port)
                print(seed, address, port, client, client_port, slot)
    print("# ring: ring_seed index:weight,... first 16 digits of SHA-256 over 65537 big-endian u16")
    equal = ",".join(f"{index}:100" for index in range(0, 256, 8))
    for seed in (0, 7, MASK64):
        for members in ("5:100", "1:100,2:100,3:100", "0:1,4095:65534", "1:1,2:2,3:3,200:50",
                        "10:100,20:99,30:1", equal):
            print(seed, members, digest(ring(seed, parse_weights(members))))


if __name__ == "__main__":
    if sys.argv[1:] == ["generate"]:
        generate()
    else:
        sys.exit(sys.argv[1] != "check" or not all([check(name) for name in sys.argv[2:]]))
