# SPDX-License-Identifier: MIT
"""Rows of bulk transfer: one way with 1 and 8 connections, both ways with 64, sizes of a call, MTU 9000, no offload."""

import itertools

from measure import Contestant, Failed, Row, run
from world import PORTS, until

WAYS = ("plain", "copy", "zero")
PIECE = 256 * 1024
SIZES = (64, 1024, 16384, 1 << 20)  # beside 256 KiB, which the rows of one connection have
_runs = itertools.count(1)


def transfer(place, direction, connections, piece, way, seconds):
    """Gbit/s as the receivers saw it, all together, and what a gigabyte cost."""
    number = next(_runs)
    if place.inverted:
        direction = {"send": "receive", "receive": "send", "both": "both"}[direction]
    expected = connections if direction != "receive" else 0
    said = lambda: place.server.lines("bulk", number)

    def done():
        if not until(5, lambda: len(said()) >= expected):
            raise Failed(f"{len(said())} of {expected} streams ended at the server")
        return "".join(said())

    if place.raw:
        command = [place.server.world.program("raw"), direction, *place.raw[:2], place.address, PORTS["bulk"],
                   seconds, number, *place.raw[2:]]
    else:
        command = [place.server.world.program("bulk", "lwip" if way == "lwip" else ""), direction, place.address,
                   PORTS["bulk"], seconds, number, connections, piece, way]
    ran = run(place, "bulk", command, seconds, done)
    streams = [line.split()[2:] for line in ran.text.splitlines() if line.startswith("received ")]
    if not streams:
        raise Failed("nothing was received")
    total = sum(int(s[0]) for s in streams)
    took = max(float(s[2]) for s in streams) - min(float(s[1]) for s in streams)
    return {"gbit_s": total * 8e-9 / took, "cpu_s_per_gb": ran.cpu / (total / 1e9),
            "machine_cpu_s_per_gb": ran.machine / (total / 1e9), **ran.others()}


def contestant(who, place, direction, connections=1, piece=PIECE, way="plain"):
    return Contestant(who, way, place, lambda at, s: transfer(at, direction, connections, piece, way, s))


def row(world, name, title, direction, *, ways=WAYS, others=(), connections=1, piece=PIECE, mtu=1500, offload=True,
        scale=1.0):
    options = {"direction": direction, "connections": connections, "piece": piece}
    places = {"veth": lambda: world.veth(mtu, offload), "loopback": world.loopback,
              "raw": lambda: world.raw(mtu, offload), "lwip": world.lwip,
              "pasta": lambda: world.pasta(mtu), "slirp4netns": lambda: world.slirp4netns(mtu)}
    all_of = [contestant("ours", lambda way=way: world.ours(way, mtu, offload), way=way, **options) for way in ways]
    all_of += [contestant(who, places[who], way="lwip" if who == "lwip" else "plain", **options)
               for who in ("veth", *others)]
    return Row(name, title, "gbit_s", {"kind": "bulk", **options, "mtu": mtu, "offload": offload}, all_of, scale)


def size(n):
    return f"{n >> 20} MiB" if n >= 1 << 20 else f"{n >> 10} KiB" if n >= 1024 else f"{n} B"


def rows(world):
    verbs = (("send", "we send"), ("receive", "we receive"))
    for d, says in verbs:
        yield row(world, f"{d}-1", f"bulk, {says}, 1 connection", d, others=("loopback", "raw"))
    for d, says in verbs:
        yield row(world, f"{d}-8", f"bulk, {says}, 8 connections", d, ways=("plain", "zero"), others=("loopback",),
                  connections=8)
    yield row(world, "both-64", "bulk, both ways, 64 connections", "both", ways=("plain", "zero"), others=("loopback",),
              connections=64)
    for d, says in verbs:
        for n in SIZES:
            yield row(world, f"{d}-size-{n}", f"bulk, {says}, 1 connection, {size(n)} a call", d, piece=n, scale=0.6)
    for d, says in verbs:
        yield row(world, f"{d}-mtu9000", f"bulk, {says}, 1 connection, MTU 9000", d, ways=("plain", "zero"), mtu=9000)
    for d, says in verbs:
        yield row(world, f"{d}-frames1500", f"bulk, {says}, 1 connection, no offload, MTU 1500", d,
                  ways=("plain", "zero"), others=("raw", "lwip", "pasta", "slirp4netns"), offload=False)
    for d, says in verbs:
        yield row(world, f"{d}-frames9000", f"bulk, {says}, 1 connection, no offload, MTU 9000", d,
                  ways=("plain", "zero"), others=("raw", "pasta", "slirp4netns"), mtu=9000, offload=False, scale=0.6)
