# SPDX-License-Identifier: MIT
"""The row of pipelined small requests: one connection, 16 of them under way at a time, each in a call of its own."""

from measure import Contestant, Row, run
from world import PORTS

SIZE, DEPTH = 64, 16


def rate(place, way, seconds):
    command = [place.server.world.program("requests", "lwip" if way == "lwip" else ""), "measure", place.address,
               PORTS["requests"], seconds, SIZE, DEPTH, way]
    ran = run(place, "requests", command, seconds)
    return {"per_s": float(ran.text), **ran.others()}


def contestant(who, place, way="plain"):
    return Contestant(who, way, place, lambda at, s: rate(at, way, s))


def rows(world):
    yield Row("requests", f"pipelined requests of {SIZE} B, {DEPTH} under way", "per_s",
              {"kind": "requests", "message": SIZE, "depth": DEPTH},
              [contestant("ours", world.ours), contestant("ours", lambda: world.ours("copy"), "copy"),
               contestant("veth", world.veth), contestant("loopback", world.loopback),
               contestant("lwip", world.lwip, "lwip"), contestant("pasta", world.pasta),
               contestant("slirp4netns", world.slirp4netns)])
