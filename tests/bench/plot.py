# SPDX-License-Identifier: MIT
"""Plots of a run as SVG, by gnuplot: bars with their spread, and throughput over the size of a call."""

import os
import shutil
import statistics
import subprocess

from measure import Failed
from report import UNITS, label

HEAD = """set terminal svg size {width},{height} font 'sans-serif,12' background '#ffffff'
set output '{path}'
set grid ytics lc '#dddddd'
set title '{title}'
"""
COLORS = {"ours": "#0b6bcb", "veth": "#c2410c", "loopback": "#e08a5a", "raw": "#777777"}


def quoted(text):
    return text.replace("'", "''")


def gnuplot(script):
    if not shutil.which("gnuplot"):
        raise Failed("gnuplot is not installed: no plots")
    done = subprocess.run(["gnuplot"], input=script, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Failed(f"gnuplot: {done.stderr.strip()}")


def bars(path, title, row_list, metric=None):
    """A group of bars for each row, one for each contestant; the line is least to most."""
    data, tics, names, x = [], [], [], 0
    for row in row_list:
        first = x
        for c in row.contestants:
            v = c.values.get(metric or row.unit)
            if not v:
                continue
            color = int(COLORS.get(c.who, "#5b8c5a")[1:], 16)
            data.append(f"{x} {statistics.median(v)} {min(v)} {max(v)} {color}")
            tics.append(f"'{quoted(label(c))}' {x}")
            x += 1
        if x > first:
            names.append(f"set label '{quoted(row.name)}' at first {(first + x - 1) / 2}, graph 1.04 center\n")
            x += 1
    if not data:
        return
    gnuplot(HEAD.format(width=max(480, 220 + 46 * x), height=480, path=path, title=quoted(title))
            + f"set ylabel '{UNITS.get(metric or row_list[0].unit, metric)}'\nset yrange [0:*]\nset xrange [-1:{x - 1}]\n"
            + "set title offset 0,0.5\nset rmargin 10\nset boxwidth 0.8\nset style fill solid\nunset key\n"
            + "".join(names) + "set xtics nomirror rotate by -40 (" + ", ".join(tics) + ")\n"
            + "$data << EOD\n" + "\n".join(data) + "\nEOD\n"
            + "plot $data using 1:2:5 with boxes lc rgb variable, "
              "$data using 1:2:3:4 with yerrorbars lc '#222222' pt 0 ps 0\n")


def sizes(path, title, row_list):
    """Throughput over the bytes of a call, a line for each contestant that has more than one."""
    lines = {}
    for row in sorted(row_list, key=lambda r: r.about["piece"]):
        for c in row.contestants:
            v = c.values.get("gbit_s")
            if v:
                lines.setdefault(label(c), []).append(
                    f"{row.about['piece']} {statistics.median(v)} {min(v)} {max(v)}")
    lines = {name: points for name, points in lines.items() if len(points) > 1}
    if not lines:
        return
    script = HEAD.format(width=720, height=460, path=path, title=quoted(title))
    script += "set logscale x 2\nset format x '%.0f'\nset xlabel 'bytes in a call'\nset ylabel 'Gbit/s'\n"
    script += "set yrange [0:*]\nset key outside right\n"
    for i, points in enumerate(lines.values()):
        script += f"$d{i} << EOD\n" + "\n".join(points) + "\nEOD\n"
    script += "plot " + ", ".join(f"$d{i} using 1:2:3:4 with yerrorlines title '{quoted(name)}'"
                                  for i, name in enumerate(lines)) + "\n"
    gnuplot(script)


def all_plots(folder, rows):
    os.makedirs(folder, exist_ok=True)
    for d, says in (("send", "we send"), ("receive", "we receive")):
        some = [r for r in rows if r.about.get("direction") == d]
        bars(f"{folder}/{d}.svg", f"One connection, 256 KiB a call: {says}", [r for r in some if r.name == f"{d}-1"])
        bars(f"{folder}/{d}-no-offload.svg", f"No offload: {says}", [r for r in some if not r.about["offload"]])
        sizes(f"{folder}/{d}-sizes.svg", f"One connection: {says}",
              [r for r in some if r.name == f"{d}-1" or "-size-" in r.name])
    bars(f"{folder}/connections.svg", "8 connections one way, 64 both ways",
         [r for r in rows if r.about.get("connections") in (8, 64) and r.about["kind"] == "bulk"])
    for metric, text in (("p50_us", "median"), ("p99_us", "99th percentile")):
        bars(f"{folder}/pingpong-{metric[:-3]}.svg", f"Ping-pong: {text}, us",
             [r for r in rows if r.about["kind"] == "pingpong"], metric)
    bars(f"{folder}/cpu.svg", "CPU seconds of all processes for a gigabyte, one connection",
         [r for r in rows if r.name in ("send-1", "receive-1")], "cpu_s_per_gb")
    for kind in ("requests", "connects", "idle"):
        bars(f"{folder}/{kind}.svg", {"requests": "Pipelined requests a second", "idle": "Beside idle connections, Gbit/s",
                                      "connects": "Connections made and closed a second"}[kind],
             [r for r in rows if r.about["kind"] == kind])
