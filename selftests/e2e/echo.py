# SPDX-License-Identifier: GPL-2.0-only
"""The kernel's MPTCP at either end of a conversation with build/mptcp-peer.

A server greets with its name and sends back what it gets. The client obeys orders, one a line,
and answers each with one: "open ADDRESS PORT", "send SIZE" (over every connection), "close".
"""

import json
import os
import socket
import sys
import threading

IPPROTO_MPTCP = 262
PATIENCE_S = 30
READ = 1 << 16


def answer(name, sock):
    with sock:
        sock.sendall(f"{name}\n".encode())
        while chunk := sock.recv(READ):
            sock.sendall(chunk)


def serve(name, address, port):
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, IPPROTO_MPTCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, int(port)))
        listener.listen(64)
        print("ready", flush=True)
        while True:
            threading.Thread(target=answer, args=(name, listener.accept()[0]), daemon=True).start()


def receive(sock, size):
    got = b""
    while len(got) < size:
        chunk = sock.recv(size - len(got))
        if not chunk:
            raise OSError("the server closed early")
        got += chunk
    return got


class Client:
    def __init__(self):
        self.socks = []

    def open(self, address, port):
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, IPPROTO_MPTCP)
        sock.settimeout(PATIENCE_S)
        sock.connect((address, int(port)))
        self.socks.append(sock)
        name = b""
        while not name.endswith(b"\n"):
            name += receive(sock, 1)
        return {"server": name.decode().strip(), "port": sock.getsockname()[1]}

    def send(self, size):
        for sock in self.socks:
            data = os.urandom(int(size))
            sock.sendall(data)
            if receive(sock, len(data)) != data:
                return {"equal": False}
        return {"equal": True}

    def close(self):
        for sock in self.socks:
            sock.shutdown(socket.SHUT_WR)
            rest = sock.recv(READ)
            sock.close()
            if rest:
                return {"error": "more came back than was sent"}
        self.socks = []
        return {"closed": True}

    def obey(self, line):
        word, *words = line.split()
        try:
            return getattr(self, word)(*words)
        except OSError as error:
            return {"error": str(error)}


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(*sys.argv[2:])
    client = Client()
    for order in sys.stdin:
        print(json.dumps(client.obey(order)), flush=True)
