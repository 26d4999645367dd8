# SPDX-License-Identifier: GPL-2.0-only
"""A second model of the balancer's decision, written from the documents, not from bpf/."""
from functools import lru_cache

import codec
from frame import (ACK, ICMP, ICMPV6, MP_CAPABLE, MP_JOIN, MPTCP, SYN, TCP, Decided, Packet, be16,
                   be32, find_ip, first_timestamps, read_ip, read_tcp, walk)
from outgoing import answer_echo, forward
from ring import SLOTS

PASS, DROP, TX, REDIRECT = 2, 1, 3, 4
DROPPED = {"fragment", "no_backend", "no_neighbour", "too_many_extensions"}
ECHO_REQUEST = {ICMP: 8, ICMPV6: 128}
ERRORS = {ICMP: (3, 11, 12), ICMPV6: (1, 2, 3, 4)}

# A round of the PRP has 2^15 inputs, so nearly all are met again; flows are from a pool.
codec.feistel = lru_cache(maxsize=None)(codec.feistel)
decode = lru_cache(maxsize=1 << 16)(codec.token_decode)


@lru_cache(maxsize=1 << 16)
def ring_slot(key, client, port):
    packed = client + port.to_bytes(2, "big")
    return (codec.siphash(1, 3, key, packed) >> 32) * SLOTS >> 32


class Flow:
    """A packet of a client to a service, or the one that an ICMP error stands for."""
    __slots__ = ("client", "sport", "dport", "service", "packet")


class Model:
    def __init__(self, cluster):
        self.cluster = cluster

    def decide(self, frame, wall):
        """Reason, the service whose row counts it, XDP action, backend, frame out."""
        flow = Flow()
        flow.service = None
        try:
            reason, index = self.route(flow, frame, wall)
            backend = self.cluster.backends[index]
            action, out = self.send(flow, frame, backend)
            return reason, flow.service, action, index, out
        except Decided as decided:
            reason = decided.reason
        if reason == "icmp_echo":
            return reason, None, TX, None, answer_echo(flow.packet)
        return reason, flow.service, DROP if reason in DROPPED else PASS, None, frame

    def send(self, flow, frame, backend):
        if not backend.lladdr:
            raise Decided("no_neighbour")
        if frame[0] & 1 or frame[:6] == backend.lladdr:
            raise Decided("not_ours")
        if backend.forward != "l2" and flow.packet.end > len(frame):
            raise Decided("malformed")
        out = forward(self.cluster, flow, backend)
        return TX if backend.device == "lo" else REDIRECT, out

    def route(self, flow, frame, wall):
        ip, version = find_ip(frame)
        packet = flow.packet = Packet(frame, ip, version)
        try:
            read_ip(packet)
        except Decided as decided:
            if decided.reason == "too_many_extensions":
                self.need_address(packet)
            raise
        if packet.protocol != TCP:
            return self.route_other(flow, packet, wall)
        if packet.later_fragment:
            self.need_address(packet)
            raise Decided("fragment")
        segment = read_tcp(packet)
        flow.client, flow.sport, flow.dport = packet.source, segment.sport, segment.dport
        self.find_service(flow, packet.destination)
        return self.route_segment(flow, segment, wall)

    def need_address(self, packet):
        if packet.destination not in self.cluster.addresses:
            raise Decided("not_service")

    def find_service(self, flow, address):
        flow.service = self.cluster.by_name.get((address, flow.dport))
        if not flow.service:
            raise Decided("not_service")

    # What a TCP segment names.

    def route_segment(self, flow, segment, wall):
        if segment.flags & (SYN | ACK) == SYN:
            return self.route_syn(flow, segment)
        return self.route_later(flow, segment, wall)

    def route_syn(self, flow, segment):
        join, capable, options = None, False, list(walk(segment.options, segment.length))
        for kind, data in filter(None, options):
            if kind == MPTCP and len(data) >= 3 and data[2] >> 4 == MP_CAPABLE:
                capable = True
            if kind == MPTCP and len(data) >= 3 and data[2] >> 4 == MP_JOIN and data[1] == 12:
                join = data
        if None in options:
            return "ring_malformed_options", self.ring(flow)
        if join is None or capable:
            return "ring_new", self.ring(flow)
        if len(join) < 8:
            return "ring_malformed_options", self.ring(flow)
        if flow.service.joins == "ring":
            return "ring_join", self.ring(flow)
        index = self.index_of_token(flow.service, be32(join, 4))
        if index is None:
            return "ring_token_unroutable", self.ring(flow)
        return "token", index

    def route_later(self, flow, segment, wall):
        timestamps = b""
        if segment.flags & ACK:
            timestamps = first_timestamps(segment.options, segment.length)
        if timestamps is None or 0 < len(timestamps) < 10:
            return "ring_malformed_options", self.ring(flow)
        echo = be32(timestamps, 6) if timestamps else 0
        if not echo or not flow.service.stamps:
            return "ring_no_stamp", self.ring(flow)
        index = self.index_of_stamp(flow.service, echo, wall)
        if index is None:
            return "ring_stamp_unroutable", self.ring(flow)
        return "stamp", index

    # What an ICMP message is about.

    def route_other(self, flow, packet, wall):
        wanted = ICMP if packet.version == 4 else ICMPV6
        frame, at = packet.frame, packet.transport
        if (packet.protocol != wanted or packet.fragmented
                or packet.destination not in self.cluster.addresses):
            raise Decided("not_tcp")
        if at + 8 > packet.end or packet.end > len(frame):
            raise Decided("malformed")
        if frame[at] == ECHO_REQUEST[wanted] and not frame[0] & 1:
            raise Decided("icmp_echo")
        if frame[at] not in ERRORS[wanted]:
            raise Decided("not_tcp")
        return self.route_error(flow, packet, wall)

    def route_error(self, flow, packet, wall):
        """The quote is what the service sent: to the client, whose packets go the other way."""
        quote = Packet(packet.frame[:packet.end], packet.transport + 8, packet.version)
        self.read_quote(quote)
        if quote.source != packet.destination:
            raise Decided("not_tcp")
        flow.client = quote.destination
        flow.dport, flow.sport = (be16(quote.frame, quote.transport + half) for half in (0, 2))
        self.find_service(flow, packet.destination)
        value = self.quoted_value(quote) if flow.service.stamps else None
        index = None if value is None else self.index_of_stamp(flow.service, value, wall)
        return ("icmp_ring", self.ring(flow)) if index is None else ("icmp_stamp", index)

    @staticmethod
    def read_quote(quote):
        """A whole IP header without extensions, and the ports, of TCP."""
        frame, ip = quote.frame, quote.ip
        least, at = (20, 9) if quote.version == 4 else (40, 6)
        if ip + least > len(frame) or frame[ip] >> 4 != quote.version or frame[ip + at] != TCP:
            raise Decided("not_tcp")
        if quote.version == 4 and frame[ip] & 15 < 5:
            raise Decided("not_tcp")
        read_ip(quote)
        if quote.later_fragment or quote.transport + 4 > len(frame):
            raise Decided("not_tcp")

    @staticmethod
    def quoted_value(quote):
        """The TSval, None if the quote ends before it does."""
        frame, at = quote.frame, quote.transport
        if at + 20 > len(frame) or frame[at + 12] >> 4 < 5:
            return None
        length = (frame[at + 12] >> 4) * 4
        timestamps = first_timestamps(frame[at + 20:at + length], length - 20)
        return be32(timestamps, 2) if timestamps and len(timestamps) >= 6 else None

    # Whom it means.

    def usable(self, service, index):
        member = index in service.weights and self.cluster.backends[index].state != "down"
        return index if member else None

    def index_of_token(self, service, token):
        secret = self.cluster.secrets.get(token >> 30)
        if not secret:
            return None
        return self.usable(service, decode(secret, self.cluster.index_bits, token)[1])

    def index_of_stamp(self, service, stamp, wall):
        slot = codec.stamp_slot(self.cluster.index_bits, wall, stamp)
        return self.usable(service, self.cluster.owners[slot])

    @staticmethod
    def ring(flow):
        if not flow.service.slots:
            raise Decided("no_backend")
        return flow.service.slots[ring_slot(flow.service.key, flow.client, flow.sport)]
