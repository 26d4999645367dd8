# SPDX-License-Identifier: GPL-2.0-only
"""Frames of every shape that the documents name, for a configuration, and damaged ones."""
import struct

import codec
from clusters import SERVICES_V4, SERVICES_V6
from configuration import packed
from frame import ACK, FIN, ICMP, ICMPV6, RST, SYN, TCP
from outgoing import checksum, tunnel_source

MAC_BALANCER, MAC_ROUTER = bytes.fromhex("0200000000bb"), bytes.fromhex("0200000000aa")
MACS_OF_MANY = (b"\xff" * 6, bytes.fromhex("01005e000001"), bytes.fromhex("333300000001"))
NO_HOSTS = {4: ("0.0.0.0", "127.0.0.1", "224.0.0.5", "255.255.255.255"),
            6: ("::", "::1", "ff02::1", "::ffff:192.0.2.9")}
UDP, SCTP, AH, NONE = 17, 132, 51, 59
LONGEST = 1900


class Generator:
    def __init__(self, rng, cluster):
        self.rng, self.cluster = rng, cluster
        self.wall = rng.getrandbits(32)
        self.clients = {4: [(packed(f"198.51.100.{rng.randrange(256)}"), rng.getrandbits(16))
                            for _ in range(150)],
                        6: [(packed("2001:db8:c::")[:8] + rng.randbytes(8), rng.getrandbits(16))
                            for _ in range(150)]}
        self.tokens = [self.make_token() for _ in range(300)]
        self.lladdrs = [backend.lladdr for backend in cluster.backends.values() if backend.lladdr]

    def chance(self, part):
        return self.rng.random() < part

    def index(self):
        """One of a backend mostly, else any."""
        if self.chance(0.85):
            return self.rng.choice(list(self.cluster.backends))
        return self.rng.randrange(2 ** self.cluster.index_bits)

    # What packets say of backends.

    def make_token(self):
        epoch, bits = self.rng.randrange(4), self.cluster.index_bits
        if self.chance(0.75):
            epoch = self.rng.choice(list(self.cluster.secrets))
        secret = self.cluster.secrets.get(epoch, bytes(16))
        return codec.token_encode(secret, bits, epoch, self.index(),
                                  self.rng.getrandbits(30 - bits))

    def token(self):
        return self.rng.choice(self.tokens) if self.chance(0.98) else self.rng.getrandbits(32)

    def stamp(self, wall):
        """Young mostly; at, just before and just behind the edges of slots; any."""
        size = 2 ** (32 - self.cluster.index_bits)
        age = self.rng.choice((0, 1, 40, 1000, 300000, self.rng.randrange(size)))
        if self.chance(0.3):
            age = self.rng.choice((-size // 16, size - size // 16, 0, size))
            age += self.rng.choice((-1, 0, 1)) + size * self.rng.randrange(3)
        if self.chance(0.03):
            return self.rng.choice((0, 1, 0xFFFFFFFF, self.rng.getrandbits(32)))
        return codec.stamp_encode(self.cluster.index_bits, self.index(), wall - age, 0)

    # TCP.

    def timestamps(self, value, echo):
        return struct.pack(">BBII", 8, 10, value, echo)

    def other_option(self):
        rng = self.rng
        return rng.choice((
            b"\x02\x04\x05\xb4", b"\x04\x02", b"\x03\x03\x07", b"\x05\x0a" + rng.randbytes(8),
            b"\x1e\x0c\x20\x01" + rng.randbytes(8), b"\x22\x02", b"\xfd\x04\xf9\x89",
            b"\x1e\x04\x80\x01", b"\x1e\x03\x50", b"\x08\x09" + rng.randbytes(7),
            b"\x08\x02", b"\x1e\x02", bytes((rng.randrange(2, 256), rng.randrange(2, 9)))
            + rng.randbytes(6)))

    def mptcp_option(self):
        """A join mostly; joins of other lengths, and MP_CAPABLE of both versions."""
        rng, token = self.rng, self.token()
        join = struct.pack(">BBI", rng.choice((0x10, 0x11, 0x1F)), rng.randrange(256), token)
        if self.chance(0.8):
            return b"\x1e\x0c" + join + rng.randbytes(4)
        return rng.choice((
            b"\x1e\x04\x01\x01", b"\x1e\x0c\x00\x81" + rng.randbytes(8), b"\x1e\x04\x01\x81",
            b"\x1e\x0c\x01\x01" + rng.randbytes(8), b"\x1e\x14\x01\x01" + rng.randbytes(16),
            b"\x1e\x08" + join, b"\x1e\x10" + join + rng.randbytes(8),
            b"\x1e\x18\x10\x00" + rng.randbytes(20), b"\x1e\x0b" + join + rng.randbytes(3),
            b"\x1e\x0d" + join + rng.randbytes(5)))

    def lay_out(self, options):
        """In any order, with padding anywhere, at most 40 bytes, a multiple of 4."""
        rng, out = self.rng, b""
        if self.chance(0.5):
            rng.shuffle(options)
        for option in options:
            padding = rng.choice((0, 0, 0, 1, 2, 3, rng.randrange(29)))
            if len(out) + padding + len(option) <= 40:
                out += b"\x01" * padding + option
        if self.chance(0.03):
            out = (out[:rng.randrange(len(out) + 1)] + b"\0" + out)[:40]
        if self.chance(0.03):
            out = (out + bytes((rng.randrange(256), rng.choice((0, 1, 5, 40, 255)))))[:40]
        return out + rng.choice((b"\0", b"\x01")) * (-len(out) % 4)

    def syn_options(self, wall):
        options = [b"\x02\x04\x05\xb4", b"\x04\x02", b"\x01\x03\x03\x07"][self.rng.randrange(4):]
        if self.chance(0.7):
            options.append(self.timestamps(wall, self.rng.choice((0, 0, 0, self.stamp(wall)))))
        for _ in range(self.rng.choice((0, 1, 1, 1, 1, 1, 2))):
            options.append(self.mptcp_option())
        if self.chance(0.1):
            options.insert(0, self.other_option())
        return self.lay_out(options)

    def later_options(self, wall, stamp_is_value):
        rng = self.rng
        pair = (self.stamp(wall), rng.getrandbits(32)) if stamp_is_value else \
            (rng.getrandbits(32), self.stamp(wall))
        first = self.timestamps(*pair)
        if self.chance(0.5):
            rest = b"".join(self.other_option() for _ in range(rng.choice((0, 0, 0, 1, 2))))
            return b"\x01\x01" + first + rest[:min(28, len(rest) // 4 * 4)]
        options = [self.other_option() for _ in range(rng.choice((0, 1, 1, 2)))]
        options += [first] if self.chance(0.8) else []
        if self.chance(0.05):
            options.append(self.timestamps(rng.getrandbits(32), self.stamp(wall)))
        return self.lay_out(options)

    def payload(self):
        rng = self.rng
        if self.chance(0.04):
            return rng.randbytes(rng.choice((1150, 1200, 1240, 1380, 1440, 1460, 1500, 1700))
                                 + rng.randrange(60))
        return rng.randbytes(rng.choice((0, 0, 1, 7, 20, 33, 100, 200, rng.randrange(400))
                                        if self.chance(0.1) else (0, 0, 0, 4, 11)))

    def tcp(self, wall, sport, dport, stamp_is_value=False):
        rng = self.rng
        if not stamp_is_value and self.chance(0.45):
            flags = rng.choice((SYN, SYN, SYN, SYN | 0xC0, SYN | FIN, SYN | RST, SYN | 8))
            options = self.syn_options(wall)
        else:
            flags = rng.choice((ACK, ACK, ACK, ACK | 8, ACK | FIN, ACK | RST, RST, FIN, 0, SYN | ACK))
            options = self.later_options(wall, stamp_is_value)
        length = (20 + len(options)) // 4
        return struct.pack(">HHIIBBHHH", sport, dport, rng.getrandbits(32), rng.getrandbits(32),
                           length << 4 | rng.choice((0, 0, 0, 1)), flags, 0xFAF0, 0,
                           0) + options + self.payload()

    # IP and below.

    def ipv4(self, source, destination, protocol, body, longer=0):
        rng = self.rng
        options = b"\x01" * (4 * rng.randrange(11)) if self.chance(0.08) else b""
        fragment = rng.choice((0, 0x4000, 0x4000, 0x4000))
        if self.chance(0.06):
            fragment = rng.choice((0x2000, 0x2001, 1, 0x1FFF, 0x8000, 0x6000, 0x3000))
        tos = rng.choice((0, 0, 1, 2, 3, 0xB8, rng.randrange(256)))
        header = struct.pack(">BBHHHBBH", 0x45 + len(options) // 4, tos,
                             20 + len(options) + len(body) + longer, rng.getrandbits(16), fragment,
                             rng.choice((1, 61, 64, 255)), protocol, 0) + source + destination
        header += options
        return header[:10] + struct.pack(">H", checksum(header)) + header[12:] + body

    def extensions(self, protocol):
        rng, chain, kinds = self.rng, b"", []
        if self.chance(0.15):
            kinds = [rng.choice((0, 43, 44, 60, 60)) for _ in range(rng.choice((1, 1, 2, 3, 4, 5)))]
        for kind, following in zip(kinds, kinds[1:] + [protocol]):
            units = rng.choice((0, 0, 1, 3, 7, 8, 255) if self.chance(0.3) else (0, 0, 1))
            body = rng.randbytes(6 + 8 * units)
            if kind == 44:
                units = rng.randrange(256)
                offset = rng.choice((0, 1, 6, 0, 1, 8, 0x18, 0x19, 0xFFF9))
                body = struct.pack(">HI", offset, rng.getrandbits(32))
            chain += bytes((following, units)) + body
        return kinds[0] if kinds else protocol, chain

    def ipv6(self, source, destination, protocol, body, longer=0):
        rng = self.rng
        first, chain = self.extensions(protocol)
        tos = rng.choice((0, 0, 1, 2, 3, 0xB8, rng.randrange(256)))
        word = 6 << 28 | tos << 20 | rng.choice((0, rng.getrandbits(20)))
        return struct.pack(">IHBB", word, (len(chain) + len(body) + longer) & 0xFFFF, first,
                           rng.choice((1, 61, 64, 255))) + source + destination + chain + body

    def ip(self, family, *rest, **more):
        return self.ipv4(*rest, **more) if family == 4 else self.ipv6(*rest, **more)

    def link(self, family):
        rng = self.rng
        mac = MAC_BALANCER
        if self.chance(0.03):
            mac = rng.choice(MACS_OF_MANY + (rng.choice(self.lladdrs or [MAC_ROUTER]),))
        tags = rng.choice((0, 1, 1, 2, 2, 3)) if self.chance(0.15) else 0
        out = mac + MAC_ROUTER
        for _ in range(tags):
            out += rng.choice((b"\x81\x00", b"\x88\xa8", b"\x81\x00")) + rng.randbytes(2)
        kind = b"\x08\x00" if family == 4 else b"\x86\xdd"
        if self.chance(0.005):
            kind = rng.choice((b"\x08\x06", b"\x08\x00", b"\x86\xdd"))
        return out + kind

    # Whole packets.

    def target(self):
        """Family, address and port: of a service mostly."""
        service = self.rng.choice(self.cluster.services)
        address, port = packed(service.address), service.port
        if service.join_port and self.chance(0.3):
            port = service.join_port + self.index() + self.rng.choice((0, 0, 0, 0, -1, 1))
        if self.chance(0.03):
            address = packed(self.rng.choice(SERVICES_V4 + SERVICES_V6))
        if self.chance(0.03):
            port = self.rng.choice((22, port ^ 1, port ^ 0x100))
        return 4 if len(address) == 4 else 6, address, port & 0xFFFF

    def echo(self, family):
        kind = (8 if family == 4 else 128) if self.chance(0.9) else self.rng.choice((0, 129, 13))
        code = 0 if self.chance(0.95) else 1
        check = self.rng.choice((0, 0xFFFF, 0xFFFE, 0x0800, 0xF7FF, 0x8000, 1, 0x100, 0xFEFF,
                                 self.rng.getrandbits(16)))
        return bytes((kind, code)) + struct.pack(">H", check) + self.rng.randbytes(
            self.rng.choice((4, 12, 60, 3)))

    def error(self, family, address, port, wall):
        """A router's error about what a server sent; the quote ends anywhere."""
        rng = self.rng
        client, client_port = rng.choice(self.clients[family][:20])
        sport, source = port, address
        if self.chance(0.04):
            source = packed(rng.choice(SERVICES_V4 if family == 4 else SERVICES_V6))
        segment = self.tcp(wall, sport, client_port, stamp_is_value=True)
        protocol = TCP if self.chance(0.97) else rng.choice((UDP, ICMP, ICMPV6))
        quote = self.ip(family, source, client, protocol, segment)
        if self.chance(0.6):
            header = 20 if family == 4 else 40
            quote = quote[:header + rng.choice((3, 4, 8, 19, 20, 27, 28, 29, 31, 32,
                                                rng.randrange(64)))]
        kind = rng.choice((3, 3, 11, 12, 4, 5) if family == 4 else (1, 2, 3, 4, 4, 5, 135))
        return bytes((kind, rng.randrange(5))) + rng.randbytes(6) + quote

    def body(self, family, address, port, wall, client_port):
        draw, protocol = self.rng.random(), TCP
        icmp = ICMP if family == 4 else ICMPV6
        if draw < 0.05:
            return icmp, self.echo(family)
        if draw < 0.19:
            return icmp, self.error(family, address, port, wall)
        if draw < 0.21:
            protocol = self.rng.choice((UDP, SCTP, AH, NONE, ICMP, ICMPV6))
        return protocol, self.tcp(wall, client_port, port)

    def tunnel_error(self):
        """A router's on the way to a backend, about what the balancer sent."""
        rng, family = self.rng, self.rng.choice((4, 6))
        prefix = self.cluster.tunnel_source if family == 4 else self.cluster.tunnel_source_v6
        ours = tunnel_source(prefix, rng.getrandbits(32))
        source = ours if self.chance(0.9) else self.clients[family][0][0]
        router, backend = self.clients[family][1][0], self.clients[family][2][0]
        datagram = struct.pack(">HHHH", 50000, 6080 if self.chance(0.8) else 53, 40, 0)
        quote = self.ip(family, source, backend, rng.choice((4, 41, UDP, UDP, TCP)),
                        datagram[:rng.choice((8, 8, 8, 7, 3))])
        kind = rng.choice((3, 3, 11, 8) if family == 4 else (1, 2, 2, 3, 128))
        error = bytes((kind, rng.choice((0, 4)))) + rng.randbytes(6) + quote
        return self.link(family) + self.ip(family, router, ours,
                                           ICMP if family == 4 else ICMPV6, error)

    def whole(self, wall):
        rng = self.rng
        if self.chance(0.02):
            return self.tunnel_error()
        family, address, port = self.target()
        few = self.clients[family][:5] if self.chance(0.5) else self.clients[family]
        client, client_port = rng.choice(few)
        if self.chance(0.01):
            client = packed(rng.choice(NO_HOSTS[family]))
        protocol, body = self.body(family, address, port, wall, client_port)
        longer = rng.choice((-21, -9, -1, 1, 5)) if self.chance(0.02) else 0
        padding = rng.choice((1, 6, 46)) if self.chance(0.1) else 0
        return self.link(family) + self.ip(family, client, address, protocol, body,
                                           longer=max(longer, -len(body))) + bytes(padding)

    def damage(self, frame):
        rng, frame = self.rng, bytearray(frame)
        at = rng.randrange(min(len(frame), 140))
        kind = rng.randrange(7)
        if kind < 2:
            frame[at] ^= 1 << rng.randrange(8)
        elif kind == 2:
            frame[at] = rng.choice((0, 1, 2, 5, 8, 0x1E, 0x45, 0x50, 0x7F, 0x80, 0xF0, 0xFF))
        elif kind == 3:
            del frame[max(14, at):]
        elif kind == 4:
            del frame[at:at + rng.choice((1, 2, 4, 8))]
        elif kind == 5:
            frame[at:at] = rng.randbytes(rng.choice((1, 2, 4)))
        else:
            length = rng.choice((2, 4, 12))
            frame[at:at] = frame[at:at + length]
        return bytes(frame)

    def next(self):
        """A wall clock and a frame."""
        if self.chance(0.02):
            self.wall = self.rng.choice((0, 1, 0xFFFFFFFF, self.rng.getrandbits(32)))
        wall = self.wall = (self.wall + self.rng.choice((0, 1, 7))) & 0xFFFFFFFF
        frame = self.whole(wall)
        while self.chance(0.25):
            frame = self.damage(frame)
        return wall, frame.ljust(14, b"\0")[:LONGEST]
