#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""values.py redis|memcached ADDRESS PORT: store some thousands of values by eight connections at once, ask for all
of them, pipelined and in another order, and compare each. Prints what it did."""

import random
import socket
import sys
import threading

CONNECTIONS = 8
BATCHES = 25
BATCH = 40


def sizes(rng):
    """Mostly small; around a segment; now and then a large one."""
    kind = rng.random()
    if kind < 0.5:
        return rng.randrange(100)
    if kind < 0.8:
        return rng.randrange(1400, 1500)
    return rng.randrange(60000) if kind < 0.995 else 900000


class Redis:
    def store(self, key, value):
        return b"*3\r\n$3\r\nSET\r\n$%d\r\n%s\r\n$%d\r\n%s\r\n" % (len(key), key, len(value), value)

    def stored(self, stream):
        return stream.readline() == b"+OK\r\n"

    def ask(self, keys):
        return b"".join(b"*2\r\n$3\r\nGET\r\n$%d\r\n%s\r\n" % (len(key), key) for key in keys)

    def answers(self, stream, keys):
        for _ in keys:
            line = stream.readline()
            yield stream.read(int(line[1:]) + 2)[:-2]


class Memcached:
    def store(self, key, value):
        return b"set %s 7 0 %d\r\n%s\r\n" % (key, len(value), value)

    def stored(self, stream):
        return stream.readline() == b"STORED\r\n"

    def ask(self, keys):
        return b"get %s\r\n" % b" ".join(keys)

    def answers(self, stream, keys):
        for key in keys:
            word, name, flags, size = stream.readline().split()
            assert (word, name, flags) == (b"VALUE", key, b"7"), (word, name, flags)
            yield stream.read(int(size) + 2)[:-2]
        assert stream.readline() == b"END\r\n"


def connection(protocol, address, number, count):
    rng = random.Random(number)
    values = {}
    with socket.create_connection(address, timeout=60) as s, s.makefile("rb") as stream:
        for batch in range(BATCHES):
            fresh = {b"%d-%d-%d" % (number, batch, i): rng.randbytes(sizes(rng)) for i in range(BATCH)}
            s.sendall(b"".join(protocol.store(k, v) for k, v in fresh.items()))
            for key in fresh:
                assert protocol.stored(stream), key
            values |= fresh
        keys = list(values)
        rng.shuffle(keys)
        for at in range(0, len(keys), BATCH):
            some = keys[at:at + BATCH]
            s.sendall(protocol.ask(some))
            for value, key in zip(protocol.answers(stream, some), some, strict=True):
                assert value == values[key], f"{key}: {len(value)} bytes, {len(values[key])} were stored"
    count[number] = sum(map(len, values.values()))


def main():
    protocol = {"redis": Redis, "memcached": Memcached}[sys.argv[1]]()
    address = (sys.argv[2], int(sys.argv[3]))
    count = {}
    threads = [threading.Thread(target=connection, args=(protocol, address, n, count)) for n in range(CONNECTIONS)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    print(f"{len(count) * BATCHES * BATCH} values, {sum(count.values())} bytes")
    sys.exit(len(count) != CONNECTIONS)


if __name__ == "__main__":
    main()
