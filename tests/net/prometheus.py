#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Read Prometheus's text format (0.0.4) as strictly as its own parser, and then some: HELP and TYPE
before each name's samples, once, samples of one name together, counters that end in _total, no
sample twice. Prints "name{labels} value" lines; exit status 1, and why, when something is wrong."""

import re
import sys

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*"'
SAMPLE = re.compile(rf"({NAME})(?:\{{({LABEL}(?:,{LABEL})*)\}})? ([0-9]+)$")
HELP = re.compile(rf"# HELP ({NAME}) ((?:[^\\]|\\\\|\\n)+)$")
TYPE = re.compile(rf"# TYPE ({NAME}) (counter|gauge)$")


def fail(number, line, why):
    sys.exit(f"line {number}: {why}: {line}")


def main():
    text = sys.stdin.read()
    if not text.endswith("\n"):
        sys.exit("the last line has no end")
    helped, typed, seen, current = {}, {}, set(), None
    for number, line in enumerate(text[:-1].split("\n"), 1):
        if m := HELP.match(line):
            if m[1] in helped or current in helped and current not in typed:
                fail(number, line, "HELP twice, or of a name without TYPE")
            helped[m[1]], current = m[2], m[1]
        elif m := TYPE.match(line):
            if m[1] != current or m[1] in typed:
                fail(number, line, "TYPE twice, or not behind its HELP")
            if (m[2] == "counter") != m[1].endswith("_total"):
                fail(number, line, "counters, and only they, end in _total")
            typed[m[1]] = m[2]
        elif m := SAMPLE.match(line):
            if m[1] != current or m[1] not in typed:
                fail(number, line, "a sample away from its HELP and TYPE")
            if (m[1], m[2]) in seen:
                fail(number, line, "a sample twice")
            if not m[1].startswith("tapstack_") or int(m[3]) >= 1 << 64:
                fail(number, line, "no name or value of ours")
            seen.add((m[1], m[2]))
            print(line)
        else:
            fail(number, line, "malformed")
    if missing := set(typed) - {name for name, _ in seen}:
        sys.exit(f"no samples: {missing}")


main()
