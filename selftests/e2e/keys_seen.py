# SPDX-License-Identifier: GPL-2.0-only
"""The keys in the SYN/ACKs that come by at a device; as a program, what looks at them."""

import json
import signal
import socket
import subprocess
import sys

from topology import Failure

ETH_P_ALL = 3  # since a port of a bridge shows IP to nobody else
ETH_P_IP = b"\x08\x00"
SO_RCVBUFFORCE = 33
ROOM = 1 << 27  # bytes, so that none is missed while this program waits for a CPU
SYN_ACK = 0x12
MP_CAPABLE = bytes((30, 12, 0x01))  # of a SYN/ACK: the key follows the flags


def key_of(packet):
    """None for whatever is no MP_CAPABLE SYN/ACK over IPv4."""
    if packet[12:14] != ETH_P_IP or packet[23] != socket.IPPROTO_TCP:
        return None
    tcp = packet[14 + (packet[14] & 15) * 4:]
    if tcp[13] != SYN_ACK:
        return None
    at = tcp.find(MP_CAPABLE, 20, (tcp[12] >> 4) * 4)
    return tcp[at + 4:at + 12].hex() if at >= 0 else None


def look(device):
    packets = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    packets.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, ROOM)
    packets.bind((device, ETH_P_ALL))
    stopped = []
    signal.signal(signal.SIGTERM, lambda *_: stopped.append(True))
    packets.settimeout(0.5)
    print("ready", flush=True)
    keys = []
    while True:
        try:
            packet = packets.recv(2048)
        except socket.timeout:
            if stopped:
                break
            continue
        keys.append(key_of(packet))
    print(json.dumps([key for key in keys if key]), flush=True)


class KeysSeen:
    """Use it in a with statement; `keys` is there after it."""

    def __init__(self, space, device):
        self.space, self.device = space, device
        self.keys = None

    def __enter__(self):
        self.program = self.space.start(sys.executable, "-B", __file__, self.device,
                                        stdout=subprocess.PIPE)
        if self.program.stdout.readline() != "ready\n":
            raise Failure("nobody looks at the keys")
        return self

    def __exit__(self, *_):
        self.program.terminate()
        self.keys = json.loads(self.program.stdout.readline() or "[]")
        self.program.wait()


if __name__ == "__main__":
    look(sys.argv[1])
