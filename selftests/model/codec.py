#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""A second model of the token and stamp codecs, written from the design and not from include/.

    codec.py check FILE...    recomputes every line of vector files; exit 1 if one differs
    codec.py generate         prints vectors-more.txt
"""
import sys

MASK64 = (1 << 64) - 1
MASK32 = (1 << 32) - 1


def rotl(x, bits):
    return (x << bits | x >> (64 - bits)) & MASK64


def siphash(c, d, key, message):
    k0, k1 = (int.from_bytes(key[i:i + 8], "little") for i in (0, 8))
    v = [k0 ^ 0x736F6D6570736575, k1 ^ 0x646F72616E646F6D,
         k0 ^ 0x6C7967656E657261, k1 ^ 0x7465646279746573]

    def rounds(count):
        for _ in range(count):
            v[0] = (v[0] + v[1]) & MASK64
            v[1] = rotl(v[1], 13) ^ v[0]
            v[0] = rotl(v[0], 32)
            v[2] = (v[2] + v[3]) & MASK64
            v[3] = rotl(v[3], 16) ^ v[2]
            v[0] = (v[0] + v[3]) & MASK64
            v[3] = rotl(v[3], 21) ^ v[0]
            v[2] = (v[2] + v[1]) & MASK64
            v[1] = rotl(v[1], 17) ^ v[2]
            v[2] = rotl(v[2], 32)

    padded = message + bytes(7 - len(message) % 8) + bytes([len(message) % 256])
    for at in range(0, len(padded), 8):
        word = int.from_bytes(padded[at:at + 8], "little")
        v[3] ^= word
        rounds(c)
        v[0] ^= word
    v[2] ^= 0xFF
    rounds(d)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


def feistel(secret, epoch, i, x):
    return siphash(2, 4, secret, bytes([x & 0xFF, x >> 8, i, epoch])) & 0x7FFF


def token_encode(secret, k, epoch, index, nonce):
    body = index << (30 - k) | nonce
    left, right = body >> 15, body & 0x7FFF
    for i in range(4):
        left, right = right, left ^ feistel(secret, epoch, i, right)
    return epoch << 30 | left << 15 | right


def token_decode(secret, k, token):
    """Epoch, index and nonce."""
    epoch, left, right = token >> 30, token >> 15 & 0x7FFF, token & 0x7FFF
    for i in (3, 2, 1, 0):
        left, right = right ^ feistel(secret, epoch, i, left), left
    body = left << 15 | right
    return epoch, body >> (30 - k), body & ((1 << (30 - k)) - 1)


def stamp_encode(k, index, offset, tsval):
    return (tsval + offset + index * 2 ** (32 - k)) & MASK32


def stamp_slot(k, wall, tsecr):
    s = 2 ** (32 - k)
    return ((tsecr - wall + s - 1 - s // 16) & MASK32) >> (32 - k)


def slot_owner(k, assigned, slot):
    """The assigned index at or next above the slot, cyclic."""
    return min(assigned, key=lambda index: (index - slot) % 2 ** k)


def list_of(text):
    return [int(item) for item in text.split(",")]


def verdict(secrets, k, backends, token):
    """What `token decode` prints. secrets: by epoch; backends: state by index, or nothing."""
    name = f"{token:08x}"
    if token >> 30 not in secrets:
        return f"{name} unroutable: no secret for epoch {token >> 30}"
    epoch, index, nonce = token_decode(secrets[token >> 30], k, token)
    if backends and index not in backends:
        return f"{name} unroutable: index {index} is not a backend"
    if backends and backends[index] == "down":
        return f"{name} unroutable: backend {index} is down"
    return f"{name} epoch {epoch} index {index} nonce {nonce:#x}"


# One for each kind of section: takes a line's fields, says whether the model agrees.

def check_token(secret, k, epoch, index, nonce, token):
    secret, k, token = bytes.fromhex(secret), int(k), int(token, 16)
    fields = int(epoch), int(index), int(nonce, 16)
    return token_encode(secret, k, *fields) == token and token_decode(secret, k, token) == fields


def check_stamp_decode(k, wall, tsecr, index):
    return stamp_slot(int(k), int(wall), int(tsecr, 16)) == int(index)


def check_slot_owner(k, assigned, slot, index):
    return slot_owner(int(k), list_of(assigned), int(slot)) == int(index)


def check_stamp_encode(k, index, offset, tsval, stamped):
    return stamp_encode(int(k), int(index), int(offset), int(tsval, 16)) == int(stamped, 16)


def check_stamp_age(k, assigned, sent, age, wall, tsecr, index):
    k, age, wall, tsecr = int(k), int(age), int(wall), int(tsecr, 16)
    return (stamp_encode(k, int(sent), wall - age, 0) == tsecr
            and slot_owner(k, list_of(assigned), stamp_slot(k, wall, tsecr)) == int(index))


def check_verdict(k, secrets, backends, token, *words):
    secrets = {int(s.split(":")[0]): bytes.fromhex(s.split(":")[1]) for s in secrets.split(",")}
    pairs = [] if backends == "-" else [b.split(":") for b in backends.split(",")]
    return verdict(secrets, int(k), {int(i): state for i, state in pairs},
                   int(token, 16)) == " ".join(words)


SECTIONS = {
    "token": check_token,
    "stamp decode": check_stamp_decode,
    "slot owner": check_slot_owner,
    "stamp encode": check_stamp_encode,
    "stamp age": check_stamp_age,
    "token decode": check_verdict,
}


def check(name):
    section, lines, wrong = None, 0, 0
    with open(name, encoding="ascii") as file:
        for number, line in enumerate(file, 1):
            if line.startswith("# "):
                section = SECTIONS.get(line[2:].split(":")[0])
            elif line.strip():
                lines += 1
                if not section or not section(*line.split()):
                    print(f"{name}:{number}: the model differs: {line.strip()}")
                    wrong += 1
    print(f"{name}: {lines} vectors, {wrong} wrong")
    return lines > 0 and not wrong


SECRETS = [bytes.fromhex(text) for text in (
    "000102030405060708090a0b0c0d0e0f", "8f95f09245765f80256934e50c66207f",
    "ffffffffffffffffffffffffffffffff", "80000000000000000000000000000001")]


def generate_tokens():
    print("# token: secret(hex) index_bits epoch index nonce(hex) token(hex)")
    for k in range(4, 13):
        last, most = 2 ** k - 1, 2 ** (30 - k) - 1
        for epoch, index, nonce in ((0, 0, 0), (1, 1, most), (2, last, 0), (3, last, most),
                                    (k % 4, last // 3, most // 5), (0, last // 2, 0x1ABC)):
            secret = SECRETS[(k + epoch) % 4]
            token = token_encode(secret, k, epoch, index, nonce)
            print(secret.hex(), k, epoch, index, f"{nonce:x} {token:08x}")


def generate_ages():
    """Both ends of what decodes right, and the first age beyond each."""
    print("# stamp age: index_bits assigned sent age_ms wall_ms tsecr(hex) index")
    for k, assigned, sent in ((4, [0, 8], 8), (4, [9], 9), (8, [0, 64, 128, 192], 0),
                              (8, [0, 64, 128, 192], 64), (8, [3, 4, 200], 4),
                              (8, [3, 4, 200], 200), (8, [255], 255), (10, [1, 1023], 1),
                              (12, [0, 1, 4095], 1), (12, [0, 1, 4095], 4095)):
        s = 2 ** (32 - k)
        lower = max((i for i in assigned if i != sent), default=sent,
                    key=lambda i: (i - sent) % 2 ** k)
        gap = (sent - lower) % 2 ** k or 2 ** k
        for age in (-s // 16 - 1, -s // 16, 0, gap * s - s // 16 - 1, gap * s - s // 16):
            for wall in (1790000000000, 5):
                tsecr = stamp_encode(k, sent, wall - age, 0)
                index = slot_owner(k, assigned, stamp_slot(k, wall, tsecr))
                inside = -s // 16 <= age < gap * s - s // 16
                assert (index == sent) == (inside or len(assigned) == 1)
                print(k, ",".join(map(str, assigned)), sent, age, wall, f"{tsecr:08x} {index}")


def generate_verdicts():
    print("# token decode: index_bits epoch:secret,... index:state,...|- token(hex) words")
    backends = {1: "up", 7: "drain", 200: "down", 255: "up"}
    for k, epochs, named in ((8, (0, 1), backends), (8, (2,), backends), (8, (0, 3), {}),
                             (12, (1,), {4095: "up", 0: "down"})):
        secrets = {epoch: SECRETS[epoch] for epoch in epochs}
        for epoch in range(4):
            for index in (0, 1, 7, 8, 200, 255, 4095):
                if index >= 2 ** k:
                    continue
                token = token_encode(SECRETS[epoch], k, epoch, index, 0x15555)
                print(k, ",".join(f"{e}:{s.hex()}" for e, s in secrets.items()),
                      ",".join(f"{i}:{state}" for i, state in named.items()) or "-",
                      f"{token:08x}", verdict(secrets, k, named, token))


def main():
    if sys.argv[1:] == ["generate"]:
        generate_tokens()
        generate_ages()
        generate_verdicts()
    elif sys.argv[1:2] == ["check"] and sys.argv[2:]:
        sys.exit(not all([check(name) for name in sys.argv[2:]]))
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
