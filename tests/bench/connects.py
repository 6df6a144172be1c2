# SPDX-License-Identifier: MIT
"""Rows of connect, request, response, close: one client, and eight at once; we connect, and we accept."""

from measure import Contestant, Row, run
from world import PORTS


def rate(place, clients, way, seconds):
    command = [place.server.world.program("connects", "lwip" if way == "lwip" else ""), "measure", place.address,
               PORTS["connects"], seconds, clients, way]
    ran = run(place, "connects", command, seconds)
    return {"per_s": float(ran.text), **ran.others()}


def contestant(who, place, clients, way="plain", label=None):
    return Contestant(who, label or way, place, lambda at, s: rate(at, clients, way, s))


def rows(world):
    for clients in (1, 8):
        all_of = [contestant("ours", world.ours, clients, label="plain, connects"),
                  contestant("ours", world.ours_serving, clients, label="plain, accepts"),
                  contestant("veth", world.veth, clients), contestant("loopback", world.loopback, clients),
                  contestant("lwip", world.lwip, clients, "lwip"), contestant("pasta", world.pasta, clients),
                  contestant("slirp4netns", world.slirp4netns, clients)]
        yield Row(f"connects-{clients}", f"connect, request, response, close; clients: {clients}", "per_s",
                  {"kind": "connects", "clients": clients, "message": 64}, all_of)
