# SPDX-License-Identifier: GPL-2.0-only
"""An HTTP client that knows only TCP: asks over COUNT connections in turn until its input ends."""

import collections
import http.client
import json
import select
import sys

PACE_S = 0.25  # between rounds
PATIENCE_S = 30


def connect(address, port):
    connection = http.client.HTTPConnection(address, port, timeout=PATIENCE_S)
    connection.connect()
    connection.auto_open = 0  # one that is lost is lost
    return connection


def ask(connection, path):
    connection.request("GET", path)
    return connection.getresponse().read().decode()


def main(address, port, path, count):
    """Prints, as JSON, how often which answer came by each connection."""
    connections = [connect(address, int(port)) for _ in range(int(count))]
    answers = [collections.Counter() for _ in connections]
    while not select.select([sys.stdin], [], [], PACE_S)[0]:
        for connection, heard in zip(connections, answers):
            heard[ask(connection, path)] += 1
    print(json.dumps(answers))


if __name__ == "__main__":
    main(*sys.argv[1:])
