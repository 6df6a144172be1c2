# SPDX-License-Identifier: MIT
"""The goals, each a ratio of medians of one run (the kernel's TCP over veth is 1), and whether it is met."""

import statistics


def median(rows, row, who, way=None, metric=None):
    """The median of a contestant's figures, or None."""
    for r in rows:
        if r.name == row:
            for c in r.contestants:
                if c.who == who and way in (None, c.way) and c.values:
                    return statistics.median(c.values[metric or r.unit])
    return None


# name, at least or at most, goal, (row, who, way), the same for what it is compared with, metric
RATIOS = [
    ("bulk send, ring in place", ">=", 1.4, ("send-1", "ours", "zero"), ("send-1", "veth"), None),
    ("bulk send, ring copied", ">=", 1.25, ("send-1", "ours", "copy"), ("send-1", "veth"), None),
    ("bulk send, descriptor", ">=", 0.7, ("send-1", "ours", "plain"), ("send-1", "veth"), None),
    ("bulk send, ring in place, of the raw TAP", ">=", 0.85, ("send-1", "ours", "zero"), ("send-1", "raw"), None),
    ("bulk receive, ring in place", ">=", 1.15, ("receive-1", "ours", "zero"), ("receive-1", "veth"), None),
    ("bulk receive, ring copied", ">=", 1.0, ("receive-1", "ours", "copy"), ("receive-1", "veth"), None),
    ("bulk receive, descriptor", ">=", 0.65, ("receive-1", "ours", "plain"), ("receive-1", "veth"), None),
    ("64 connections, both ways, descriptor", ">=", 0.8, ("both-64", "ours", "plain"), ("both-64", "veth"), None),
    ("no offload, MTU 1500, send, ring in place, of raw frames", ">=", 0.9,
     ("send-frames1500", "ours", "zero"), ("send-frames1500", "raw"), None),
    ("no offload, MTU 1500, receive, ring in place, of raw frames", ">=", 0.9,
     ("receive-frames1500", "ours", "zero"), ("receive-frames1500", "raw"), None),
    ("ping-pong of 1 B, p50, spinning", "<=", 0.8, ("pingpong-1", "ours", "plain"), ("pingpong-1", "veth"), "p50_us"),
    ("ping-pong of 1 B, p99, spinning", "<=", 1.0, ("pingpong-1", "ours", "plain"), ("pingpong-1", "veth"), "p99_us"),
    ("ping-pong of 1 KiB, p50, spinning", "<=", 0.8, ("pingpong-1024", "ours", "plain"), ("pingpong-1024", "veth"),
     "p50_us"),
    ("ping-pong of 1 B, p50, no spinning", "<=", 1.25, ("pingpong-1", "ours", "plain, no spin"),
     ("pingpong-1", "veth"), "p50_us"),
    ("connect-request-response-close, 1 client, we connect", ">=", 0.8, ("connects-1", "ours", "plain, connects"),
     ("connects-1", "veth"), None),
    ("connect-request-response-close, 8 clients, we connect", ">=", 0.8, ("connects-8", "ours", "plain, connects"),
     ("connects-8", "veth"), None),
    ("connect-request-response-close, 8 clients, we accept", ">=", 0.8, ("connects-8", "ours", "plain, accepts"),
     ("connects-8", "veth"), None),
    ("busy beside idle ones, of alone, descriptor", ">=", 0.9, ("idle", "ours", "plain, beside"),
     ("idle", "ours", "plain, alone"), None),
    ("busy beside idle ones, of alone, ring in place", ">=", 0.9, ("idle", "ours", "zero, beside"),
     ("idle", "ours", "zero, alone"), None),
    ("CPU per gigabyte sent, ring in place", "<=", 0.8, ("send-1", "ours", "zero"), ("send-1", "veth"),
     "cpu_s_per_gb"),
]
OTHERS = ("lwip", "pasta", "slirp4netns")


def judge(name, op, goal, value):
    met = value >= goal if op == ">=" else value <= goal
    return {"name": name, "op": op, "goal": goal, "value": round(value, 3), "met": met}


def against_others(rows):
    for d in ("send", "receive"):
        row = f"{d}-frames1500"
        best = max((m for m in (median(rows, row, who) for who in OTHERS) if m), default=None)
        for way, text in (("zero", "ring in place"), ("plain", "descriptor")):
            ours = median(rows, row, "ours", way)
            if ours and best:
                yield judge(f"no offload, MTU 1500, {d}, {text}, of the best other stack", ">=", 1.1,
                            ours / best)


def all_goals(rows):
    """Those whose rows were measured."""
    found = []
    for name, op, goal, ours, other, metric in RATIOS:
        a, b = median(rows, *ours, metric=metric), median(rows, *other, metric=metric)
        if a and b:
            found.append(judge(name, op, goal, a / b))
    found += against_others(rows)
    drops = [c.drops for r in rows for c in r.contestants if c.who == "ours" and c.drops is not None]
    if drops:
        found.append(judge("drops of the kernel -> TAP queue, in all of our rows", "<=", 0, sum(drops)))
    return found
