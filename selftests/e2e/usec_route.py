# SPDX-License-Identifier: GPL-2.0-only
"""Adds an IPv4 route with the feature tcp_usec_ts, which Debian 12's ip has no word for: NET DEV."""

import ipaddress
import os
import socket
import struct
import sys

RTM_NEWROUTE, NLM_F_REQUEST, NLM_F_ACK, NLM_F_CREATE = 24, 1, 4, 0x400
RTA_DST, RTA_OIF, RTA_METRICS, RTAX_FEATURES = 1, 4, 8, 12
RT_TABLE_MAIN, RTPROT_STATIC, RT_SCOPE_LINK, RTN_UNICAST = 254, 4, 253, 1
TCP_USEC_TS = 1 << 4


def attribute(kind, payload):
    return struct.pack("=HH", 4 + len(payload), kind) + payload + bytes(-len(payload) % 4)


def main(net, device):
    net = ipaddress.ip_network(net)
    features = attribute(RTAX_FEATURES, struct.pack("=I", TCP_USEC_TS))
    body = struct.pack("=BBBBBBBBI", socket.AF_INET, net.prefixlen, 0, 0, RT_TABLE_MAIN,
                       RTPROT_STATIC, RT_SCOPE_LINK, RTN_UNICAST, 0)
    body += attribute(RTA_DST, net.network_address.packed)
    body += attribute(RTA_OIF, struct.pack("=I", socket.if_nametoindex(device)))
    body += attribute(RTA_METRICS, features)
    header = struct.pack("=IHHII", 16 + len(body), RTM_NEWROUTE,
                         NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE, 1, 0)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as netlink:
        netlink.send(header + body)
        error = -struct.unpack_from("=i", netlink.recv(4096), 16)[0]
    if error:
        sys.exit(os.strerror(error))


if __name__ == "__main__":
    main(*sys.argv[1:])
