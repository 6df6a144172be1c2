#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The comparison's figures.

report.py row RUNS.TSV WHO GROUP POINT CC WAY WORK DATA ACKS PAIR SEED MEASURED RELAY: add a run.
report.py report RUNS.TSV FOLDER: a table (also FOLDER/table.md) and plots of all runs of the file.

A ratio is ours over the kernel's within a pair, for times the other way round: above 1 we are better.
What is shown is the geometric mean of the pairs' ratios and its 95 % interval by Student's t on their
logarithms. A short flow's time is the median of its run; the 90th percentile of all runs' flows stands beside it.
"""

import csv
import json
import math
import os
import re
import statistics
import sys

sys.dont_write_bytecode = True
import plot  # noqa: E402 (beside this file)

FIELDS = ["group", "point", "cc", "way", "work", "data", "acks", "pair", "seed", "who",
          "value", "unit", "count", "payload", "unique", "retransmitted", "data_segments", "ack_segments",
          "sacks", "lost", "queue_drops", "policer_drops", "outage_drops", "gaps", "strays",
          "queue_max_bytes", "late_p99_us", "late_max_us", "each"]
# Student's t, two-sided 95 %, by degrees of freedom.
T95 = [None, 12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160,
       2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086]


def row(path, who, group, point, cc, way, work, data, acks, pair, seed, measured, relay):
    with open(measured, encoding="ascii") as f:
        flows = [[int(x) for x in line.split()] for line in f]
    with open(relay, encoding="ascii") as f:
        link = json.loads(f.read().splitlines()[-1])
    there, back = link["forward"], link["backward"]
    if way == "put":
        there, back = back, there
    if "-m" in work:
        value, unit = flows[0][0] * 8 / flows[0][1], "Mbit/s"
    else:
        value, unit = statistics.median(took for _, took, _ in flows) / 1000, "ms"
    # Whoever measures zero measures nothing; a logarithm wants a number.
    values = [group, point, cc, way, work, data, acks, pair, seed, who, f"{max(value, 0.001):.4f}", unit,
              len(flows), there["payload"], there["unique"], there["retransmitted"],
              there["data_segments"], back["segments"], back["sacks"], there["dropped_loss"],
              there["dropped_queue"], there["dropped_policer"],
              there["dropped_outage"] + back["dropped_outage"], there["gaps"] + back["gaps"],
              there["strays"] + back["strays"], there["queue_max_bytes"],
              link["late_us"]["p99"], link["late_us"]["max"],
              ",".join(f"{took / 1000:.2f}" for _, took, _ in flows)]
    new = not os.path.exists(path)
    with open(path, "a", encoding="ascii") as f:
        if new:
            print(*FIELDS, sep="\t", file=f)
        print(*values, sep="\t", file=f)
    print(f"{point:20}{cc:7}pair {pair:>2} {who:7}{value:10.2f} {unit:7}"
          f"{100 * there['retransmitted'] / max(1, there['unique']):6.2f} % retransmitted", flush=True)


def interval(ratios):
    """Geometric mean and its 95 % interval (None with one ratio only)."""
    logs = [math.log(r) for r in ratios]
    mean = statistics.fmean(logs)
    if len(logs) < 2:
        return math.exp(mean), None, None
    n = len(logs) - 1
    half = (T95[n] if n < len(T95) else 1.96 + 2.4 / n) * statistics.stdev(logs) / math.sqrt(len(logs))
    return math.exp(mean), math.exp(mean - half), math.exp(mean + half)


def percentile90(values):
    values = sorted(values)
    return values[min(len(values) - 1, int(0.9 * len(values)))]


def collect(runs):
    """The points in the order of their first run, each with its pairs."""
    points = {}
    for run in runs:
        key = (run["point"], run["cc"])
        point = points.setdefault(key, {"group": run["group"], "name": run["point"], "cc": run["cc"],
                                        "unit": run["unit"], "data": run["data"], "acks": run["acks"],
                                        "pairs": {}})
        # Seeds tell pairs apart also over several sessions; a repeated one replaces the older.
        point["pairs"].setdefault(run["seed"], {})[run["who"]] = run
    out = []
    for p in points.values():
        p["pairs"] = [x for x in p["pairs"].values() if len(x) == 2]
        if not p["pairs"]:
            continue
        for who in "ours", "kernel":
            p[who] = [float(x[who]["value"]) for x in p["pairs"]]
            p[who + "_p90"] = percentile90([float(t) for x in p["pairs"] for t in x[who]["each"].split(",")])
            p[who + "_retransmitted"] = 100 * (sum(int(x[who]["retransmitted"]) for x in p["pairs"]) /
                                               max(1, sum(int(x[who]["unique"]) for x in p["pairs"])))
        p["ratios"] = [k / o if p["unit"] == "ms" else o / k for o, k in zip(p["ours"], p["kernel"])]
        p["ratio"], p["low"], p["high"] = interval(p["ratios"])
        p["rtt"] = sum(float(re.search(r"delay=(\d+)ms", p[x])[1]) for x in ("data", "acks"))
        loss = re.search(r"loss=(\d+)", p["data"])
        p["loss"] = int(loss[1]) / 10 if loss else 0.0
        p["late"] = max(int(r["late_p99_us"]) for x in p["pairs"] for r in x.values())
        out.append(p)
    return out


def table(points):
    lines = ["| point | control | pairs | ours | kernel | ratio (95 %) | retransmitted: ours | kernel | "
             "p90 of all flows: ours | kernel |",
             "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"]
    for p in points:
        span = f" ({p['low']:.2f}–{p['high']:.2f})" if p["low"] else ""
        lines.append(f"| {p['name']} | {p['cc']} | {len(p['pairs'])} | {statistics.median(p['ours']):.4g} {p['unit']} | "
                     f"{statistics.median(p['kernel']):.4g} {p['unit']} | {p['ratio']:.2f}{span} | "
                     f"{p['ours_retransmitted']:.2f} % | {p['kernel_retransmitted']:.2f} % | "
                     + (f"{p['ours_p90']:.4g} ms | {p['kernel_p90']:.4g} ms |" if p["unit"] == "ms" else " | |"))
    return "\n".join(lines) + "\n"


def warnings(points):
    """What makes a figure worth less."""
    for p in points:
        runs = [r for x in p["pairs"] for r in x.values()]
        if p["late"] > 500:
            yield f"{p['name']}: the link itself was late by {p['late']} us (p99)"
        for what in "gaps", "strays":
            if any(int(r[what]) for r in runs):
                yield f"{p['name']}: {what} on the link in {sum(int(r[what]) > 0 for r in runs)} runs"


def report(path, folder):
    if not os.path.exists(path):
        sys.exit("compare: no runs")
    with open(path, encoding="ascii", newline="") as f:
        points = collect(csv.DictReader(f, delimiter="\t"))
    if not points:
        sys.exit("compare: no pair of runs")
    text = table(points)
    with open(os.path.join(folder, "table.md"), "w", encoding="utf-8") as f:
        f.write(text)
    plot.ratios(points, os.path.join(folder, "ratio.svg"))
    plot.goodput_over_loss(points, os.path.join(folder, "goodput.svg"))
    print(text)
    for w in warnings(points):
        print("note:", w)
    print(f"{path}, table.md, ratio.svg, goodput.svg")


if sys.argv[1:2] == ["row"] and len(sys.argv) == 15:
    row(*sys.argv[2:])
elif sys.argv[1:2] == ["report"] and len(sys.argv) == 4:
    report(*sys.argv[2:])
else:
    sys.exit(__doc__)
