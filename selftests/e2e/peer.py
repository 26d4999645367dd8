# SPDX-License-Identifier: GPL-2.0-only
"""The programs at both ends: an MPTCP server, and a client that takes orders as lines of JSON.

A client greets with "SEED LIMIT\n" and the server answers with its name. Then the client sends
a pseudo-random stream and the server, for each byte that it gets, a byte of another one; each
compares what it hears with what the seed says. When the client has sent its last byte, or the
server has heard LIMIT bytes (0: no limit), the server says how it went, and closes.
"""

import asyncio
import json
import os
import random
import socket
import struct
import sys

IPPROTO_MPTCP = 262
SOL_MPTCP = 284
MPTCP_INFO = 1
MPTCP_INFO_FALLBACK = 1
BLOCK = 4096
READ = 1 << 16
BURST = 10  # since the joins under way at a server share 1024 places
PATIENCE_S = 30


class Stream:
    """Pseudo-random bytes that two ends can produce alike."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.ahead = b""

    def take(self, count):
        while len(self.ahead) < count:
            self.ahead += self.random.randbytes(BLOCK)
        taken, self.ahead = self.ahead[:count], self.ahead[count:]
        return taken


def streams(seed):
    return Stream(f"to the server {seed}"), Stream(f"to the client {seed}")


async def converse(name, reader, writer):
    seed, limit = (await reader.readline()).split()
    heard, right, limit = 0, True, int(limit)
    theirs, ours = streams(seed.decode())
    writer.write(f"{name}\n".encode())
    while not limit or heard < limit:
        chunk = await reader.read(min(READ, limit - heard) if limit else READ)
        if not chunk:
            break
        heard += len(chunk)
        right = right and chunk == theirs.take(len(chunk))
        writer.write(ours.take(len(chunk)))
        await writer.drain()
    writer.write(f"{'equal' if right else 'different'} {heard}\n".encode())
    await writer.drain()


async def answer(name, reader, writer):
    try:
        await converse(name, reader, writer)
    except (OSError, ValueError):
        pass  # the client, which sees it too, is the one that reports
    finally:
        writer.close()


def family_of(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


async def serve(name, port, *addresses):
    for address in addresses:
        listener = socket.socket(family_of(address), socket.SOCK_STREAM, IPPROTO_MPTCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, int(port)))
        await asyncio.start_server(lambda r, w: answer(name, r, w), sock=listener, backlog=512)
    print("listening", flush=True)
    await asyncio.Event().wait()


class Connection:
    """One connection of the client's; orders are the words of the line that asked for it."""

    def __init__(self, client, orders):
        self.client = client
        self.orders = orders
        self.limit = orders.get("limit", 0)
        self.seed = f"{os.getpid()}.{client.opened}"
        client.opened += 1
        self.report = {"port": None, "server": None, "sent": 0, "received": 0, "equal": True,
                       "finished": False, "error": None}
        self.greeted = asyncio.Event()
        self.writer = None
        self.task = asyncio.create_task(self.live())

    async def live(self):
        protocol = 0 if self.orders.get("plain") else IPPROTO_MPTCP
        self.sock = socket.socket(family_of(self.orders["address"]), socket.SOCK_STREAM,
                                  protocol)
        try:
            await self.connect()
            await self.exchange()
        except (OSError, asyncio.TimeoutError, ValueError) as error:
            self.report["error"] = f"{type(error).__name__}: {error}"
        finally:
            self.greeted.set()
            self.close()

    def close(self):
        if self.writer:
            self.writer.transport.abort()
        else:
            self.sock.close()

    async def connect(self):
        if self.orders.get("from"):
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.sock.bind(tuple(self.orders["from"]))
        # Not the loop's sock_connect(), which would look IPPROTO_MPTCP up and not find it.
        self.sock.settimeout(PATIENCE_S)
        await asyncio.to_thread(self.sock.connect,
                                (self.orders["address"], self.orders["port"]))
        self.report["port"] = self.sock.getsockname()[1]
        self.reader, self.writer = await asyncio.open_connection(sock=self.sock)
        self.writer.write(f"{self.seed} {self.limit}\n".encode())
        name = await asyncio.wait_for(self.reader.readline(), PATIENCE_S)
        self.report["server"] = name.decode().strip() or None
        self.greeted.set()

    async def exchange(self):
        ours, theirs = streams(self.seed)
        sending = asyncio.create_task(self.send(ours))
        try:
            said = await self.hear(theirs)
        finally:
            sending.cancel()
        self.judge(said.decode().split())

    def next_size(self):
        size = self.orders["chunk"] if self.client.order == "flow" else 0
        return min(size, self.limit - self.report["sent"]) if self.limit else size

    async def send(self, ours):
        while self.client.order != "finish":
            size = self.next_size()
            self.report["sent"] += size
            self.writer.write(ours.take(size))
            await self.writer.drain()
            await asyncio.sleep(self.orders["pace_s"])
        self.writer.write_eof()

    async def hear(self, theirs):
        """Compares the server's stream, and returns what came after it."""
        while True:
            chunk = await self.reader.read(READ)
            stream = min(len(chunk), self.report["sent"] - self.report["received"])
            self.report["received"] += stream
            if chunk[:stream] != theirs.take(stream):
                self.report["equal"] = False
            if stream < len(chunk) or not chunk:
                return chunk[stream:] + await self.reader.read()

    def judge(self, said):
        if not said:
            raise ValueError("the server closed early")
        report = self.report
        report["equal"] = report["equal"] and said[0] == "equal"
        report["finished"] = int(said[1]) == report["sent"] == report["received"]

    def describe(self):
        return {**self.report, "mptcp": self.is_mptcp()}

    def is_mptcp(self):
        """None once it has ended; false if it fell back to TCP."""
        if self.task.done() or not self.report["server"]:
            return None
        try:
            info = self.sock.getsockopt(SOL_MPTCP, MPTCP_INFO, 64)
        except OSError:
            return False
        return not struct.unpack_from("=I", info, 8)[0] & MPTCP_INFO_FALLBACK


class Client:
    def __init__(self):
        self.order = "flow"  # what all connections do: flow, hold or finish
        self.connections = []
        self.opened = 0

    async def open(self, orders):
        count = orders.get("count", 1)
        fresh = []
        while len(fresh) < count:
            burst = [Connection(self, orders) for _ in range(min(BURST, count - len(fresh)))]
            fresh += burst
            await asyncio.gather(*(c.greeted.wait() for c in burst))
        self.connections += fresh
        return [c.describe() for c in fresh]

    async def forget(self):
        for connection in self.connections:
            connection.task.cancel()
        await asyncio.gather(*(c.task for c in self.connections), return_exceptions=True)
        self.connections, self.order = [], "flow"

    async def obey(self, orders):
        match orders["do"]:
            case "open":
                return await self.open(orders)
            case "hold" | "flow":
                self.order = orders["do"]
            case "finish":
                self.order = "finish"
                tasks = [c.task for c in self.connections]
                await asyncio.wait(tasks, timeout=orders["patience_s"])
            case "forget":
                await self.forget()
        return [c.describe() for c in self.connections]


async def client():
    told = Client()
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        print(json.dumps(await told.obey(json.loads(line))), flush=True)


def ping(address):
    """Waits for one ICMP echo reply; the kernel fills in identifier and checksum."""
    v6 = ":" in address
    protocol = socket.IPPROTO_ICMPV6 if v6 else socket.IPPROTO_ICMP
    with socket.socket(family_of(address), socket.SOCK_DGRAM, protocol) as sock:
        sock.settimeout(1)
        for sequence in range(PATIENCE_S):
            sock.sendto(struct.pack("!BBHHH", 128 if v6 else 8, 0, 0, 0, sequence),
                        (address, 0))
            try:
                sock.recv(READ)
                return
            except OSError:
                continue
    sys.exit(f"no echo from {address}")


if __name__ == "__main__":
    what, *words = sys.argv[1:]
    if what == "serve":
        asyncio.run(serve(*words))
    elif what == "client":
        asyncio.run(client())
    else:
        for host in words:
            ping(host)
