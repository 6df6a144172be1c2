# SPDX-License-Identifier: MIT
"""The table for people, and build/bench.json (docs/bench.md)."""

import json
import os
import statistics
import time

import goals

WAYS = {"plain": "descriptor", "copy": "ring, copied", "zero": "ring, in place", "lwip": "its own sockets"}
UNITS = {"gbit_s": "Gbit/s", "p50_us": "p50 us", "per_s": "a second", "bytes_each": "bytes each"}
NAMES = {"veth": "kernel over veth", "loopback": "kernel over loopback", "raw": "raw TAP, no stack", "lwip": "lwIP"}

DISTURBED = 0.1  # of the processors' time: by then ratios say as much about somebody else


def way_name(way):
    first, comma, rest = way.partition(",")
    return WAYS.get(first, first) + comma + rest


def label(c):
    if c.who == "ours":
        return "ours, " + way_name(c.way)
    return NAMES.get(c.who, c.who)


def number(value):
    return f"{value:.2f}" if value < 100 else f"{value:.0f}"


def spread(values):
    return f"{number(statistics.median(values))} ({number(min(values))}-{number(max(values))})"


def ratio_to_veth(row, c):
    base = [v for v in row.contestants if v.who == "veth" and v.values]
    if not base or not c.values:
        return None
    return statistics.median(c.values[row.unit]) / statistics.median(base[0].values[row.unit])


def details(c):
    """What is not the row's own figure."""
    median = {name: statistics.median(v) for name, v in c.values.items()}
    texts = []
    if "cpu_s_per_gb" in median:
        texts.append(f"{median['cpu_s_per_gb']:.3f} ({median['machine_cpu_s_per_gb']:.3f}) CPU s/GB")
    if "p99_us" in median:
        texts.append(f"p99 {number(median['p99_us'])}, p99.9 {number(median['p999_us'])}")
    if "resident_bytes_each" in median:
        texts.append(f"{number(median['resident_bytes_each'])} resident, with both ends' tables")
    if c.drops is not None:
        texts.append(f"drops {c.drops}")
    if median.get("others_share", 0) > DISTURBED:
        texts.append(f"others had {100 * median['others_share']:.0f} %")
    return "; ".join(texts)


def print_row(row):
    print(f"\n{row.title} [{row.name}]" + f"{UNITS[row.unit]:>{max(1, 74 - len(row.title) - len(row.name))}}")
    if row.error:
        print(f"  FAILED: {row.error}")
    if row.memory:
        m = row.memory
        print(f"  memory of an idle connection, of {m['connections']}: ours {m['ours_all_bytes_each']} B "
              f"(daemon {m['ours_daemon_bytes_each']}, kernel {m['ours_kernel_bytes_each']}); "
              f"a TCP socket of the kernel's {m['kernel_tcp_bytes_each']} B\n"
              f"  made at {m['ours_connects_per_s']} a second, the kernel's at {m['kernel_connects_per_s']}")
    for c in row.contestants:
        if c.error:
            print(f"  {label(c):34} FAILED: {c.error}")
        elif c.values:
            ratio = ratio_to_veth(row, c)
            print(f"  {label(c):34}{spread(c.values[row.unit]):>32}{f'{ratio:.2f}' if ratio else '':>8}   {details(c)}")


def print_goals(found):
    if not found:
        return
    print("\nGoals (medians of this run; the kernel's TCP over veth is 1 unless said)")
    for g in found:
        print(f"  {g['name']:84}{g['op']} {g['goal']:<6}{g['value']:8.2f}   {'met' if g['met'] else 'NOT MET'}")


def print_table(rows, settings, took):
    print(f"Medians (least-most) of {settings['rounds']} rounds of {settings['seconds']} s in turns; the ratio is to the "
          f"kernel's TCP over veth.\nCPU: of all processes, and of the whole machine in brackets. {took:.0f} s in all.")
    all_of = [c for row in rows for c in row.contestants if "others_share" in c.values]
    disturbed = [c for c in all_of if statistics.median(c.values["others_share"]) > DISTURBED]
    if disturbed:
        print(f"NOT A QUIET MACHINE: beside {len(disturbed)} of {len(all_of)} of these something else ran "
              f"(\"others had\": of the processors' time, if more than {100 * DISTURBED:.0f} %).")
    for row in rows:
        print_row(row)
    print_goals(goals.all_goals(rows))


def figures(values):
    return {name: {"median": round(statistics.median(v), 4), "min": round(min(v), 4), "max": round(max(v), 4),
                   "values": [round(x, 4) for x in v]} for name, v in values.items()}


def result(row, c):
    found = {"who": c.who, "way": c.way, "figures": figures(c.values), "tap_drops": c.drops}
    ratio = ratio_to_veth(row, c)
    if ratio:
        found["ratio_to_veth"] = round(ratio, 4)
    if c.error:
        found["error"] = c.error
    return found


def as_json(rows, settings, took):
    report = {"version": 1, "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "kernel": os.uname().release,
              "cpus": os.cpu_count(), "seconds_in_all": round(took, 1), **settings, "rows": [],
              "goals": goals.all_goals(rows)}
    for row in rows:
        entry = {"name": row.name, "title": row.title, "unit": row.unit, **row.about,
                 "results": [result(row, c) for c in row.contestants]}
        if row.memory:
            entry["memory"] = row.memory
        if row.error:
            entry["error"] = row.error
        report["rows"].append(entry)
    return report


def write_json(path, rows, settings, took):
    with open(path, "w", encoding="utf-8") as f:
        json.dump(as_json(rows, settings, took), f, indent=1)
        f.write("\n")
