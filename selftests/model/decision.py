# SPDX-License-Identifier: GPL-2.0-only
"""A second model of the balancer's decision, written from the documents, not from bpf/."""
from functools import lru_cache

import codec
from frame import (ACK, ICMP, ICMPV6, MP_CAPABLE, MP_JOIN, MPTCP, SYN, TCP, Decided, Packet, be16,
                   be32, find_ip, first_timestamps, read_ip, read_tcp, walk)
from outgoing import (GUE_PORT, IPIP, IPV6_IN_IP, UDP, answer_echo, forward, is_tunnel_source,
                      tell_too_big)
from ring import SLOTS

PASS, DROP, TX, REDIRECT = 2, 1, 3, 4
DROPPED = {"fragment", "no_backend", "no_neighbour", "too_many_extensions", "too_big_untold"}
JOINS = (12, 16)  # lengths of the option, with tokens of 32 bits and of 64
ECHO_REQUEST = {ICMP: 8, ICMPV6: 128}
ERRORS = {ICMP: (3, 11, 12), ICMPV6: (1, 2, 3, 4)}

# A round of the PRP has 2^15 inputs, so nearly all are met again; flows are from a pool.
codec.feistel = lru_cache(maxsize=None)(codec.feistel)
decode = lru_cache(maxsize=1 << 16)(codec.token_decode)


@lru_cache(maxsize=1 << 16)
def ring_slot(key, client, port):
    packed = client + port.to_bytes(2, "big")
    return (codec.siphash(1, 3, key, packed) >> 32) * SLOTS >> 32


def is_one_host(address):
    if len(address) == 4:
        return address[0] not in (0, 127) and address[0] < 224
    return address[0] != 0xFF and address[:12] != bytes(12)


def ask_cache(service, client):
    """The index, or None. The first segment after a join's SYN settles its entry."""
    if client in service.fresh:
        service.settled[client] = service.fresh.pop(client)
    return service.settled.get(client)


class Flow:
    """A packet of a client to a service, or the one that an ICMP error stands for."""
    __slots__ = ("client", "sport", "dport", "service", "packet", "too_big", "sent")

    def __init__(self, sent):
        self.service, self.too_big, self.sent = None, False, sent


class Model:
    def __init__(self, cluster):
        self.cluster = cluster

    def decide(self, frame, wall, sent):
        """
        Reason, the service whose row counts it, XDP action, backend, frame out. sent: what
        the program has made of the frame, for what is random in it.
        """
        flow = Flow(sent)
        try:
            reason, index = self.route(flow, frame, wall)
            backend = self.cluster.backends[index]
            action, out = self.send(flow, frame, backend)
            return reason, flow.service, action, index, out
        except Decided as decided:
            reason = decided.reason
        if reason == "icmp_echo":
            return reason, None, TX, None, answer_echo(flow.packet)
        if reason == "too_big":
            return reason, flow.service, TX, None, tell_too_big(flow.packet, flow.too_big)
        return reason, flow.service, DROP if reason in DROPPED else PASS, None, frame

    def send(self, flow, frame, backend):
        if not backend.lladdr:
            raise Decided("no_neighbour")
        if frame[0] & 1 or frame[:6] == backend.lladdr:
            raise Decided("not_ours")
        self.fit(flow, backend)
        out = forward(self.cluster, flow, backend)
        return TX if backend.device == "lo" else REDIRECT, out

    def fit(self, flow, backend):
        """Raises where the packet does not fit; notes what would, where it goes all the same."""
        packet, mtu = flow.packet, backend.fits(backend.mtu)
        length = packet.end - packet.ip
        if backend.forward == "l2" and (backend.device == "lo" or length <= mtu):
            return
        if packet.end > len(packet.frame):
            raise Decided("malformed")
        if length <= mtu:
            return
        flow.too_big = mtu if packet.version == 4 else max(mtu, 1280)
        if packet.version == 6 and length <= 1280 or self.may_be_cut(packet, backend, length):
            return
        told = packet.protocol == TCP and is_one_host(packet.source)
        raise Decided("too_big" if told else "too_big_untold")

    def may_be_cut(self, packet, backend, length):
        """By routers on the way, where the configuration says so; by no device, though."""
        if packet.version == 6 or be16(packet.frame, packet.ip + 6) & 0x4000:
            return False
        by_routers = backend.forward == "l2" or ":" not in backend.address
        return (self.cluster.df_clear == "fragment" and by_routers
                and length <= backend.fits(backend.device_mtu))

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
        if self.find_service(flow, packet.destination):
            return self.route_segment(flow, segment, wall)
        index = self.index_of_join_port(flow)
        return ("ring_join_port_unroutable", self.ring(flow)) if index is None else \
            ("join_port", index)

    def need_address(self, packet):
        if packet.destination not in self.cluster.addresses:
            raise Decided("not_service")

    def find_service(self, flow, address):
        """False: it is the join ports of an address."""
        flow.service = self.cluster.by_name.get((address, flow.dport))
        if flow.service:
            return True
        joins = self.cluster.join_ports.get(address)
        if not joins or not 0 <= flow.dport - joins.join_port < 2 ** self.cluster.index_bits:
            raise Decided("not_service")
        flow.service = joins
        return False

    # What a TCP segment names, and what the flow cache remembers of it.

    def route_segment(self, flow, segment, wall):
        if segment.flags & (SYN | ACK) == SYN:
            return self.route_syn(flow, segment)
        service, client = flow.service, (flow.client, flow.sport)
        reason, index = self.named_by_later(service, segment, wall)
        has_stamp = reason in ("stamp", "ring_stamp_unroutable")
        if service.flows == "all" or service.flows == "joins" and not has_stamp:
            cached = self.usable(service, ask_cache(service, client))
            if cached is not None:
                return "flow", cached
        index = self.ring(flow) if index is None else index
        if service.flows == "all":
            service.settled[client] = index
        return reason, index

    def route_syn(self, flow, segment):
        service, client = flow.service, (flow.client, flow.sport)
        reason, index = self.named_by_syn(service, segment)
        is_join = index is not None and not first_timestamps(segment.options, segment.length)
        index = self.ring(flow) if index is None else index
        if service.flows == "all":
            service.settled[client] = index
        elif service.flows == "joins":
            service.settled.pop(client, None)
            service.fresh.pop(client, None)
            if is_join:
                service.fresh[client] = index
        return reason, index

    def named_by_syn(self, service, segment):
        """A reason, and an index; None: the ring decides."""
        join, capable, options = None, False, list(walk(segment.options, segment.length))
        for kind, data in filter(None, options):
            if kind == MPTCP and len(data) >= 3 and data[2] >> 4 == MP_CAPABLE:
                capable = True
            if kind == MPTCP and len(data) >= 3 and data[2] >> 4 == MP_JOIN and data[1] in JOINS:
                join = data
        if None in options:
            return "ring_malformed_options", None
        if join is None or capable:
            return "ring_new", None
        if len(join) < 8:
            return "ring_malformed_options", None
        if service.joins == "ring":
            return "ring_join", None
        index = self.index_of_token(service, be32(join, 4))
        return "ring_token_unroutable" if index is None else "token", index

    def named_by_later(self, service, segment, wall):
        """Likewise."""
        timestamps = b""
        if segment.flags & ACK:
            timestamps = first_timestamps(segment.options, segment.length)
        if timestamps is None or 0 < len(timestamps) < 10:
            return "ring_malformed_options", None
        echo = be32(timestamps, 6) if timestamps else 0
        if not echo or not service.stamps:
            return "ring_no_stamp", None
        index = self.index_of_stamp(service, echo, wall)
        return "ring_stamp_unroutable" if index is None else "stamp", index

    # What an ICMP message is about.

    def route_other(self, flow, packet, wall):
        wanted = ICMP if packet.version == 4 else ICMPV6
        frame, at = packet.frame, packet.transport
        if packet.protocol != wanted or packet.fragmented:
            raise Decided("not_tcp")
        if packet.destination not in self.cluster.addresses:
            raise Decided(self.about_tunnel(packet))
        if at + 8 > packet.end or packet.end > len(frame):
            raise Decided("malformed")
        if frame[at] == ECHO_REQUEST[wanted] and not frame[0] & 1:
            raise Decided("icmp_echo")
        if frame[at] not in ERRORS[wanted]:
            raise Decided("not_tcp")
        return self.route_error(flow, packet, wall)

    def about_tunnel(self, packet):
        """An error that quotes outer headers of ours, to the address they came from."""
        frame, at, quote = packet.frame, packet.transport, packet.transport + 8
        v4 = packet.version == 4
        header, source, protocol = (20, 12, 9) if v4 else (40, 8, 6)
        prefix = self.cluster.tunnel_source if v4 else self.cluster.tunnel_source_v6
        if (not is_tunnel_source(packet.destination, prefix) or quote + header > len(frame)
                or frame[at] not in ERRORS[packet.protocol]
                or frame[quote + source:][:len(packet.destination)] != packet.destination):
            return "not_tcp"
        udp, kind = quote + header, frame[quote + protocol]
        if kind not in (IPIP, IPV6_IN_IP) and (kind != UDP or udp + 8 > len(frame)
                                               or be16(frame, udp + 2) != GUE_PORT):
            return "not_tcp"
        too_big = frame[at:at + 2] == b"\3\4" if v4 else frame[at] == 2
        return "tunnel_too_big" if too_big else "tunnel_error"

    def route_error(self, flow, packet, wall):
        """The quote is what the service sent: to the client, whose packets go the other way."""
        quote = Packet(packet.frame[:packet.end], packet.transport + 8, packet.version)
        self.read_quote(quote)
        if quote.source != packet.destination:
            raise Decided("not_tcp")
        flow.client = quote.destination
        flow.dport, flow.sport = (be16(quote.frame, quote.transport + half) for half in (0, 2))
        if not self.find_service(flow, packet.destination):
            index = self.index_of_join_port(flow)
            return ("icmp_ring", self.ring(flow)) if index is None else ("join_port", index)
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

    def index_of_join_port(self, flow):
        return self.usable(flow.service, flow.dport - flow.service.join_port)

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
