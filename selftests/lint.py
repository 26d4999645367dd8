#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""What clang-format does not see: SPDX lines, function length, names and modes of files."""
import os
import re
import sys

LONGEST_FUNCTION = 60
FORBIDDEN_NAMES = re.compile(r"(^|/)(util|utils|common|helpers?|misc)(\.|/)")


def files():
    yield "Makefile"
    for place in ("bpf", "etc", "handshake", "include", "lab", "loader", "selftests", "docs"):
        for folder, _, names in os.walk(place):
            yield from (os.path.join(folder, name) for name in sorted(names))


def lacks_spdx(path, lines):
    wanted = "GPL-2.0-only"
    if path.startswith(("include/", "handshake/")):
        wanted = "GPL-2.0-only OR BSD-2-Clause"
    return not any(f"SPDX-License-Identifier: {wanted}" in line for line in lines[:2])


def long_functions(lines):
    """A function's body opens and closes with a brace in column 0."""
    start = None
    for number, line in enumerate(lines, 1):
        if line == "{":
            start = number
        elif line == "}" and start:
            if number - start - 1 > LONGEST_FUNCTION:
                yield start, number - start - 1
            start = None


def findings():
    for path in files():
        if FORBIDDEN_NAMES.search(path):
            yield f"{path}: the name says nothing of what is inside"
        if re.search(r"/test_\w+\.(py|sh)$", path) and not os.access(path, os.X_OK):
            yield f"{path}: a test that can't be executed, and so not be run by prove"
        if not path.endswith((".c", ".h", ".py", "Makefile", ".sh")):
            continue
        lines = open(path, encoding="utf-8").read().splitlines()
        if lacks_spdx(path, lines):
            yield f"{path}:1: no SPDX line, or another licence than this folder's"
        for start, length in long_functions(lines):
            yield f"{path}:{start}: {length} lines in one function, {LONGEST_FUNCTION} at most"


found = list(findings())
print("\n".join(found), end="\n" if found else "")
sys.exit(bool(found))
