#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""compare.py KERNEL HERE DIFFERENCES.md [MODE]: the outputs of the suite, line by line, as "ok<TAB>name<TAB>why".

A line that differs is good when its row stands in the document with both values; a row whose values
are not what was seen is not. "`name` (MODE)" is a row of that mode only, and goes before one without;
"`group.*` (MODE)" is for all checks of a group, whatever the kernel says.
"""

import re
import sys

ROW = re.compile(r"^\| `([^`]+)`(?: \((\w+)\))? \| (.*?) \| (.*?) \| (\w+) \|$")
CAUSE = re.compile(r"^- \*\*(\w+)\*\*:")
LEAST = 250


def lines(path):
    out = {}
    with open(path, encoding="utf-8", errors="replace") as f:
        for line in f:
            name, _, value = line.rstrip("\n").partition("\t")
            if name in out:
                name += " (twice)"
            out[name] = value.strip()
    return out


def rows(path, mode):
    found, causes = {}, set()
    with open(path, encoding="utf-8") as f:
        for line in f:
            cause = CAUSE.match(line)
            if cause:
                causes.add(cause[1])
            row = ROW.match(line.rstrip("\n"))
            if not row or (row[2] and row[2] != mode) or (row[1] in found and not row[2]):
                continue
            found[row[1]] = (row[3].strip(), row[4].strip(), row[5])
    return found, causes


def result(good, name, why=""):
    print("ok" if good else "not ok", name, why, sep="\t")


def main():
    kernel, here = lines(sys.argv[1]), lines(sys.argv[2])
    listed, causes = rows(sys.argv[3], sys.argv[4] if len(sys.argv) > 4 else None)
    groups = {n[:-1]: listed.pop(n) for n in list(listed) if n.endswith(".*")}
    for name in list(kernel) + [n for n in here if n not in kernel]:
        group = next((g for g in groups if name.startswith(g)), None)
        k, h = kernel.get(name, "(no such line)"), here.get(name, "(no such line)")
        if group:
            result(groups[group][1] == h, name, f"here {h}; docs/differences.md says {groups[group][1]}")
        elif name in listed:
            result(listed[name][:2] == (k, h), name,
                   f"kernel {k}, here {h}; docs/differences.md says {listed[name][:2]}")
        else:
            result(k == h, name, f"kernel {k}, here {h}, and docs/differences.md does not have it")
    missing = [n for n in listed if n not in kernel and n not in here and not n.startswith(tuple(groups))]
    result(not missing, "every row of docs/differences.md is a check", f"not these: {missing}")
    unknown = {r[2] for r in listed.values()} - causes
    result(not unknown, "every row of docs/differences.md has a cause", f"unknown: {unknown}")
    result(len(here) >= LEAST, f"there are at least {LEAST} checks", f"{len(here)}")


if __name__ == "__main__":
    main()
