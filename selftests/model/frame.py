# SPDX-License-Identifier: GPL-2.0-only
"""A second model of how the balancer reads a frame, written from the documents, not from bpf/."""
import struct

ETH_IPV4, ETH_IPV6, ETH_TAGS = 0x0800, 0x86DD, (0x8100, 0x88A8)
ICMP, TCP, ICMPV6 = 1, 6, 58
HOP_BY_HOP, ROUTING, FRAGMENT, DESTINATION = 0, 43, 44, 60
EXTENSIONS = (HOP_BY_HOP, ROUTING, DESTINATION)
MOST_TAGS, MOST_EXTENSIONS, LONGEST_EXTENSION = 2, 4, 64
FIN, SYN, RST, ACK = 1, 2, 4, 16
EOL, NOP, TIMESTAMPS, MPTCP = 0, 1, 8, 30
MP_CAPABLE, MP_JOIN = 0, 1


class Decided(Exception):
    """A reason that ends the walk through the stages."""

    def __init__(self, reason):
        super().__init__(reason)
        self.reason = reason


def be16(data, at):
    return data[at] << 8 | data[at + 1]


def be32(data, at):
    return struct.unpack_from(">I", data, at)[0]


class Packet:
    """
    Offsets into a frame: of IP, of what follows it, and of the end that IP claims for
    itself, which may lie behind the frame's or before it, where padding follows.
    """
    __slots__ = ("frame", "ip", "version", "transport", "end", "protocol", "source",
                 "destination", "fragmented", "later_fragment")

    def __init__(self, frame, ip, version):
        self.frame, self.ip, self.version = frame, ip, version
        self.fragmented = self.later_fragment = False

    def need(self, at, length):
        if at + length > len(self.frame):
            raise Decided("malformed")


def find_ip(frame):
    """Offset and version of the IP header, behind at most two tags."""
    at, tags = 12, 0
    while be16(frame, at) in ETH_TAGS and tags < MOST_TAGS:
        at, tags = at + 4, tags + 1
        if at + 2 > len(frame):
            raise Decided("malformed")
    kind = be16(frame, at)
    if kind not in (ETH_IPV4, ETH_IPV6):
        raise Decided("not_ip")
    return at + 2, 4 if kind == ETH_IPV4 else 6


def read_ipv4(packet):
    frame, ip = packet.frame, packet.ip
    packet.need(ip, 20)
    header, fragment = (frame[ip] & 15) * 4, be16(frame, ip + 6)
    if frame[ip] >> 4 != 4 or header < 20:
        raise Decided("malformed")
    packet.transport, packet.end = ip + header, ip + be16(frame, ip + 2)
    packet.protocol = frame[ip + 9]
    packet.source, packet.destination = frame[ip + 12:ip + 16], frame[ip + 16:ip + 20]
    packet.fragmented, packet.later_fragment = bool(fragment & 0x3FFF), bool(fragment & 0x1FFF)


def step_over_extension(packet):
    at = packet.transport
    packet.need(at, 2)
    length = 8 + 8 * packet.frame[at + 1]
    if length > LONGEST_EXTENSION:
        raise Decided("too_many_extensions")
    packet.protocol = packet.frame[at]
    packet.transport += length


def step_over_fragment(packet):
    """It must be the last of the extension headers."""
    at = packet.transport
    packet.need(at, 8)
    packet.protocol = packet.frame[at]
    packet.fragmented, packet.later_fragment = True, bool(be16(packet.frame, at + 2) >> 3)
    packet.transport += 8


def read_ipv6(packet):
    frame, ip = packet.frame, packet.ip
    packet.need(ip, 40)
    if frame[ip] >> 4 != 6:
        raise Decided("malformed")
    packet.source, packet.destination = frame[ip + 8:ip + 24], frame[ip + 24:ip + 40]
    packet.transport, packet.end = ip + 40, ip + 40 + be16(frame, ip + 4)
    packet.protocol = frame[ip + 6]
    for _ in range(MOST_EXTENSIONS):
        if packet.protocol not in EXTENSIONS:
            break
        step_over_extension(packet)
    if packet.protocol in EXTENSIONS:
        raise Decided("too_many_extensions")
    if packet.protocol == FRAGMENT:
        step_over_fragment(packet)


def read_ip(packet):
    if packet.version == 4:
        read_ipv4(packet)
    else:
        read_ipv6(packet)


class Segment:
    """What a decision needs of a TCP segment."""
    __slots__ = ("sport", "dport", "flags", "options", "length")

    def __init__(self, frame, at, options, length):
        self.sport, self.dport = be16(frame, at), be16(frame, at + 2)
        self.flags, self.options, self.length = frame[at + 13], options, length


def read_tcp(packet):
    """IP must claim all of the header. The frame may end in the options, and cut them."""
    at, frame = packet.transport, packet.frame
    packet.need(at, 20)
    length = (frame[at + 12] >> 4) * 4
    if length < 20 or at + length > packet.end:
        raise Decided("malformed")
    return Segment(frame, at, frame[at + 20:at + length], length - 20)


def walk(options, length):
    """
    The options in their order, as (kind, bytes), and None where they are malformed.
    length: what the header claims; fewer may be there, and the last may be cut.
    """
    at = 0
    while at < length:
        if at >= len(options):
            yield None
            return
        kind = options[at]
        if kind == EOL:
            return
        if kind == NOP:
            at += 1
            continue
        if at + 2 > len(options) or not 2 <= options[at + 1] <= length - at:
            yield None
            return
        yield kind, options[at:at + options[at + 1]]
        at += options[at + 1]


def first_timestamps(options, length):
    """The first timestamps option, b"" if there is none; None: malformed before it."""
    for option in walk(options, length):
        if not option:
            return None
        kind, data = option
        if kind == TIMESTAMPS and data[1] == 10:
            return data
    return b""

