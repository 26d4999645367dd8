# SPDX-License-Identifier: GPL-2.0-only
"""Random configurations that `mptcp-lb apply` accepts, of many services, states and weights."""
from configuration import Backend, Cluster, Service

SERVICES_V4 = ("192.0.2.1", "192.0.2.77", "203.0.113.200")
SERVICES_V6 = ("2001:db8:1::1", "2001:db8:1:0:ffff::5", "2001:db8:77::")
PORTS = (443, 80, 8443, 1, 65535, 22222)
PREFIXES = ("100.64.0.0/24", "100.64.7.9/32", "100.0.0.0/8", "100.64.32.0/19")
PREFIXES_V6 = ("2001:db8:64::/96", "2001:db8:64::9/128", "2001:db8:64:1::/64", "2001:db8::8:0/109")

# Those that the runner makes: 10.N/16 and fd00:N::/32, the device, the MTU of the route.
ROUTES = ((9, "lo", 65536), (9, "lo", 65536), (7, "lo", 1300), (6, "lo", 300), (5, "lo", 60),
          (8, "out", 1500), (4, "out", 1400))
DEVICE_MTU = {"lo": 65536, "out": 1500}


def random_indices(rng, bits):
    """Some neighbours, both ends of the range, and gaps of every size."""
    most = 2 ** bits
    start = rng.randrange(most)
    indices = {start, (start + 1) % most, 0, most - 1}
    while len(indices) < min(most, rng.choice((5, 9, 16, 40))):
        indices.add(rng.randrange(most))
    chosen = list(indices)
    rng.shuffle(chosen)
    return chosen[rng.randrange(3):]


def random_backend(rng, index):
    network, device, mtu = rng.choice(ROUTES)
    address = f"10.{network}.{index >> 8}.{index & 255}"
    if rng.random() < 0.5:
        address = f"fd00:{network}::{index:x}"
    unknown = device == "out" and rng.random() < 0.1
    return Backend(index, address, None if unknown else bytes((2, 0, 0, 1, index >> 8, index & 255)),
                   device, rng.choice(("up", "up", "up", "up", "drain", "down")),
                   rng.choice(("l2", "l2", "ipip", "gue")), mtu, DEVICE_MTU[device])


def random_weights(rng, indices):
    members = rng.sample(indices, rng.randrange(1, len(indices) + 1))
    if rng.random() < 0.3:
        return {index: 100 for index in members}
    return {index: rng.choice((0, 1, 7, 50, 100, 100, 333)) for index in members}


def random_services(rng, indices):
    """Two to ten, of few memberships: each has a ring, which takes the model a while."""
    memberships = [random_weights(rng, indices) for _ in range(rng.randrange(1, 4))]
    names = [(address, port) for address in SERVICES_V4 + SERVICES_V6 for port in PORTS]
    return [Service(address, port, rng.choice(("token", "token", "token", "ring")),
                    rng.random() < 0.8, dict(rng.choice(memberships)),
                    flows=rng.choice(("off", "joins", "joins", "all")))
            for address, port in rng.sample(names, rng.randrange(2, 11))]


def add_join_ports(rng, services, bits):
    """Most services of an address, or none; where the range holds no service of it."""
    for address in sorted({service.address for service in services}):
        here = [service for service in services if service.address == address]
        base = rng.choice((2, 20000, 65536 - 2 ** bits, rng.randrange(2, 65537 - 2 ** bits)))
        if rng.random() < 0.5 or any(0 <= s.port - base < 2 ** bits for s in here):
            continue
        for service in here:
            service.join_port = base if rng.random() < 0.8 else 0


def random_cluster(rng):
    bits = rng.randrange(4, 13)
    secrets = {epoch: rng.randbytes(16)
               for epoch in sorted(rng.sample(range(4), rng.choice((1, 2, 3, 4))))}
    services = random_services(rng, random_indices(rng, bits))
    add_join_ports(rng, services, bits)
    used = sorted({index for service in services for index in service.weights})
    cluster = Cluster(bits, rng.choice((0, 1, rng.getrandbits(64))), rng.choice(list(secrets)),
                      secrets, rng.choice(PREFIXES), rng.choice(PREFIXES_V6),
                      {index: random_backend(rng, index) for index in used}, services,
                      rng.choice(("too-big", "fragment")))
    cluster.prepare()
    return cluster
