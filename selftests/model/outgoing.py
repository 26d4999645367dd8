# SPDX-License-Identifier: GPL-2.0-only
"""A second model of the bytes that the balancer sends, written from the documents, not from bpf/."""
import ipaddress
import struct

from frame import ETH_IPV4, ETH_IPV6, ICMP, ICMPV6, TCP, be16, be32

IPIP, IPV6_IN_IP, UDP = 4, 41, 17
GUE_PORT, TTL = 6080, 64
MAC_OF_DEVICE = {"lo": bytes(6), "out": bytes.fromhex("0200000000cc")}


def checksum(data, total=0):
    if len(data) % 2:
        data += b"\0"
    total += sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def spread(flow):
    """A hash of the flow, cheap, for equal-cost paths between balancer and backend."""
    words = struct.unpack("<4I", flow.client.rjust(16, b"\0"))
    ports = struct.unpack("<I", struct.pack(">HH", flow.dport, flow.sport))[0]
    return (words[3] ^ words[1] ^ ports) * 0x9E3779B97F4A7C15 >> 32 & 0xFFFFFFFF


def tunnel_source(prefix, hash_of_flow):
    """The prefix with host bits of the flow: at most the last 32."""
    network = ipaddress.ip_interface(prefix)
    hosts = int(network.hostmask) & 0xFFFFFFFF
    return (int(network.ip) & ~hosts | hash_of_flow & hosts).to_bytes(len(network.packed), "big")


def is_tunnel_source(address, prefix):
    return address == tunnel_source(prefix, int.from_bytes(address[-4:], "big"))


def outer_ipv4(cluster, flow, backend, inner, protocol, length):
    header = struct.pack(">BBHHHBBH", 0x45, inner.tos, 20 + length, inner.id, inner.df, TTL,
                         protocol, 0)
    header += tunnel_source(cluster.tunnel_source, spread(flow))
    header += ipaddress.ip_address(backend.address).packed
    return header[:10] + checksum(header).to_bytes(2, "big") + header[12:]


def outer_ipv6(cluster, flow, backend, inner, protocol, length):
    first = 6 << 28 | inner.tos << 20 | spread(flow) & 0xFFFFF
    return (struct.pack(">IHBB", first, length, protocol, TTL)
            + tunnel_source(cluster.tunnel_source_v6, spread(flow))
            + ipaddress.ip_address(backend.address).packed)


def trusted(packet):
    """
    The inner packet as its sender meant it: with right checksums. The outer checksum is made
    for that one, so that a wrong inner one makes a wrong outer one, and the backend drops it.
    """
    inner = bytearray(packet.frame[packet.ip:packet.end])
    at, kind = packet.transport - packet.ip, packet.protocol
    where = at + (16 if kind == TCP else 2)
    pseudo = packet.source + packet.destination + struct.pack(">HH", len(inner) - at, kind)
    if packet.version == 4:
        inner[10:12] = bytes(2)
        inner[10:12] = checksum(bytes(inner[:at])).to_bytes(2, "big")
    inner[where:where + 2] = bytes(2)
    body = bytes(inner[at:])
    total = checksum(body if kind == ICMP else body + bytes(len(body) % 2) + pseudo)
    inner[where:where + 2] = total.to_bytes(2, "big")
    return bytes(inner)


def gue(flow, protocol, outer_v6, addresses):
    inner = trusted(flow.packet) if outer_v6 else b""
    length = 12 + flow.packet.end - flow.packet.ip
    header = struct.pack(">HHHHHH", 0xC000 | spread(flow) >> 18, GUE_PORT, length, 0, protocol, 0)
    if not outer_v6:
        return header
    pseudo = addresses + struct.pack(">IHBB", length, 0, 0, UDP)
    total = checksum(pseudo + header + inner) or 0xFFFF
    return header[:6] + total.to_bytes(2, "big") + header[8:]


class Inner:
    """What outer headers repeat of an inner one."""

    def __init__(self, flow):
        packet = flow.packet
        frame, ip = packet.frame, packet.ip
        if packet.version == 4:
            self.tos, self.id = frame[ip + 1], be16(frame, ip + 4)
            self.df = be16(frame, ip + 6) & 0x4000
        else:
            self.tos, self.id, self.df = be32(frame, ip) >> 20 & 0xFF, 0, 0x4000
            if flow.too_big:
                self.id, self.df = identification(flow), 0


def identification(flow):
    """Random, of what routers may fragment: that of the packet that was sent."""
    at = flow.packet.ip + 4
    return be16(flow.sent, at) if flow.sent and at + 2 <= len(flow.sent) else 0


def forward(cluster, flow, backend):
    packet = flow.packet
    frame, ip = packet.frame, packet.ip
    link = backend.lladdr + MAC_OF_DEVICE[backend.device] + frame[12:ip]
    if backend.forward == "l2":
        return link + frame[ip:]
    inner, outer_v6 = frame[ip:packet.end], ":" in backend.address
    protocol = IPIP if packet.version == 4 else IPV6_IN_IP
    outer = outer_ipv6 if outer_v6 else outer_ipv4
    kind = ETH_IPV6 if outer_v6 else ETH_IPV4
    if backend.forward == "gue":
        header = outer(cluster, flow, backend, Inner(flow), UDP, 12 + len(inner))
        inside = gue(flow, protocol, outer_v6, header[8:40])
    else:
        header = outer(cluster, flow, backend, Inner(flow), protocol, len(inner))
        inside = b""
    return link[:-2] + kind.to_bytes(2, "big") + header + inside + frame[ip:]


def change(body, at, to, sum_at):
    """Of a byte at an even offset, with the checksum brought up to date (RFC 1624)."""
    words = struct.pack(">HHH", ~be16(body, sum_at) & 0xFFFF, ~(body[at] << 8) & 0xFFFF, to << 8)
    body[at] = to
    body[sum_at:sum_at + 2] = checksum(words).to_bytes(2, "big")


def answer_echo(packet):
    """Addresses change places; checksums are not made right if they are wrong."""
    frame, ip, at = packet.frame, packet.ip, packet.transport
    addresses = ip + (12 if packet.version == 4 else 8)
    kind = 0 if packet.version == 4 else 129
    body = bytearray(frame[6:12] + frame[:6] + frame[12:])
    body[addresses:addresses + 2 * len(packet.source)] = packet.destination + packet.source
    change(body, at, kind, at + 2)
    if packet.version == 4:
        change(body, ip + 8, TTL, ip + 10)
    else:
        body[ip + 7] = TTL
    return bytes(body)


def tell_too_big(packet, mtu):
    """ICMP from the service's address that quotes 68 bytes, or ICMPv6 of 1280 bytes in all."""
    frame, ip = packet.frame, packet.ip
    link = frame[6:12] + frame[:6] + frame[12:ip]
    if packet.version == 4:
        quote = frame[ip:ip + 68]
        header = struct.pack(">BBHHHBBH", 0x45, 0xC0, 28 + len(quote), 0, 0x4000, TTL, ICMP, 0)
        header += packet.destination + packet.source
        header = header[:10] + checksum(header).to_bytes(2, "big") + header[12:]
        message, pseudo = struct.pack(">BBHI", 3, 4, 0, mtu) + quote, b""
    else:
        quote = frame[ip:ip + 1280 - 48]
        header = struct.pack(">IHBB", 6 << 28, 8 + len(quote), ICMPV6, TTL)
        header += packet.destination + packet.source
        message = struct.pack(">BBHI", 2, 0, 0, mtu) + quote
        pseudo = header[8:] + struct.pack(">IBBBB", len(message), 0, 0, 0, ICMPV6)
    total = checksum(pseudo + message)
    return link + header + message[:2] + total.to_bytes(2, "big") + message[4:]
