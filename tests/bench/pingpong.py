# SPDX-License-Identifier: MIT
"""Rows of ping-pong: a message and its answer, one at a time; our daemon spinning (busy-poll) and not."""

from measure import Contestant, Row, run
from world import PORTS


def trips(place, size, way, seconds):
    command = [place.server.world.program("pingpong", "lwip" if way == "lwip" else ""), "measure", place.address,
               PORTS["pingpong"], seconds, size, way]
    ran = run(place, "pingpong", command, seconds)
    return {**dict(zip(("p50_us", "p99_us", "p999_us", "trips_s"), map(float, ran.text.split()))), **ran.others()}


def contestant(who, place, size, way="plain", label=None):
    return Contestant(who, label or way, place, lambda at, s: trips(at, size, way, s))


def rows(world):
    for size, others in ((1, True), (1024, False)):
        all_of = [contestant("ours", world.ours, size),
                  contestant("ours", lambda: world.ours("copy"), size, "copy"),
                  contestant("ours", lambda: world.ours(spin=False), size, label="plain, no spin"),
                  contestant("veth", world.veth, size),
                  contestant("loopback", world.loopback, size)]
        if others:
            all_of += [contestant("lwip", world.lwip, size, "lwip"), contestant("pasta", world.pasta, size),
                       contestant("slirp4netns", world.slirp4netns, size)]
        yield Row(f"pingpong-{size}", f"ping-pong, {size} B", "p50_us", {"kind": "pingpong", "message": size}, all_of)
