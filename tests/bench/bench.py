#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The whole bench; tests/bench/run starts it in a namespace of its own. docs/bench.md has the variables."""

import os
import signal
import sys
import time

sys.dont_write_bytecode = True
import bulk  # noqa: E402 (beside this file)
import connects  # noqa: E402
import idle  # noqa: E402
import pingpong  # noqa: E402
import plot  # noqa: E402
import report  # noqa: E402
import requests  # noqa: E402
from measure import Failed, measure_row, warm_up  # noqa: E402
from world import World  # noqa: E402

# One row of each kind, and each place.
SMOKE = ["send-1", "receive-1", "both-64", "send-size-64", "send-mtu9000", "send-frames1500", "pingpong-1", "requests",
         "connects-8", "idle", "simulator"]


def variable(name, default, kind=str):
    text = os.environ.get(f"BENCH_{name}", "")
    try:
        return kind(text) if text else default
    except ValueError:
        sys.exit(f"bench: BENCH_{name}={text}: not a number")


def all_rows(world, idle_count, simulated):
    for kind in (bulk, pingpong, requests, connects):
        yield from kind.rows(world)
    yield from idle.rows(world, idle_count)
    yield from idle.simulator(world, simulated)


def chosen(rows, words):
    """Those whose name is a word, or begins with it and a hyphen."""
    if words == ["smoke"]:
        words = SMOKE
    if not words:
        return rows
    for word in words:
        if not any(r.name == word or r.name.startswith(word + "-") for r in rows):
            sys.exit(f"bench: BENCH_WHAT: there is no {word}; there are: {' '.join(r.name for r in rows)}")
    return [r for r in rows if any(r.name == w or r.name.startswith(w + "-") for w in words)]


def only(rows, who):
    for row in rows:
        row.contestants = [c for c in row.contestants if not who or c.who in who]
    return [row for row in rows if row.contestants]


def say(text):
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def measure_all(world, rows, settings):
    begin = time.monotonic()
    if rows and not rows[0].prepare:
        warm_up(rows[0], settings["seconds"])
    for row in rows:
        measure_row(row, settings["rounds"], settings["seconds"], say)
    say("")
    return time.monotonic() - begin


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    smoke = os.environ.get("BENCH_WHAT") == "smoke"
    settings = {"rounds": variable("ROUNDS", 1 if smoke else 5, int),
                "seconds": variable("SECONDS", 0.1 if smoke else 0.5, float),
                "what": variable("WHAT", "").split(), "who": variable("WHO", "").split(),
                "daemon_options": variable("DAEMON", "").split()}
    build = os.environ["BUILD"]
    world = World(build, os.environ["TS_DIR"], os.environ.get("TS_NS", f"ts-bench-{os.getpid()}"),
                  settings["daemon_options"])
    try:
        rows = list(all_rows(world, variable("IDLE", 400 if smoke else 18000, int),
                             variable("SIMULATED", 2000 if smoke else 100000, int)))
        rows = only(chosen(rows, settings["what"]), settings["who"])
        took = measure_all(world, rows, settings)
    finally:
        faults = world.close()
    report.print_table(rows, settings, took)
    report.write_json(f"{build}/bench.json", rows, settings, took)
    try:
        plot.all_plots(f"{build}/bench", rows)
        print(f"\n{build}/bench.json, {build}/bench/*.svg")
    except Failed as e:
        faults.append(str(e))
    for fault in faults:
        print(f"bench: {fault}", file=sys.stderr)
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
