#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What tests/conformance/report says about small ledgers: TAP."""

import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
HEADER = "id\tlevel\thow\tsource\tsection\ttext\n"
FAKE = """#!/bin/sh
printf '%b' '{}'
"""


class Tree:
    """A source tree with a ledger of three ids and programs that print what a test wants."""

    def __init__(self, root):
        self.root = root
        for folder in ("tests/conformance", "tests/scripts/conformance", "docs",
                       "build/tests/pkt", "build/tests/conformance"):
            os.makedirs(os.path.join(root, folder))
        ids = ["rfc1_1_one", "rfc1_2_two", "rfc2e_1_three", "rfc3_1_out_of_scope"]
        self.write("tests/conformance/requirements.tsv",
                   HEADER + "".join(f"{i}\tMUST\tpkt\tV\t§1\tText of {i}\n" for i in ids))
        self.write("tests/conformance/groups", "# comment\n1\n2e\n")
        self.write("tests/conformance/waivers.tsv", "# comment\n")

    def write(self, path, text):
        with open(os.path.join(self.root, path), "w", encoding="utf-8") as f:
            f.write(text)

    def program(self, path, tap, exit_status=0):
        self.write(path, FAKE.format(tap) + f"exit {exit_status}\n")
        os.chmod(os.path.join(self.root, path), 0o755)

    def cmocka(self, tap, exit_status=0):
        self.write("tests/conformance/test_x.c", "")
        self.program("build/tests/conformance/test_x", tap, exit_status)

    def scripts(self, tap, *names):
        for name in names:
            self.write(f"tests/scripts/conformance/{name}.pkt", "")
        self.program("build/tests/pkt/pkt", tap)

    def waive(self, text):
        self.write("tests/conformance/waivers.tsv", text)

    def report(self, *flags):
        done = subprocess.run([os.path.join(HERE, "report"), "-r", self.root, *flags,
                               os.path.join(self.root, "build")],
                              capture_output=True, text=True, check=False)
        with open(os.path.join(self.root, "docs/conformance.md"), encoding="utf-8") as f:
            return done.returncode, done.stdout + done.stderr, f.read()


def without_tests_everything_is_missing(t):
    status, text, _ = t.report()
    assert status == 0 and text == "covered 0, waived 0, missing 3\n", text


def passing_test_covers_its_id(t):
    t.cmocka("1..1\\nok 1 - rfc1_1_one\\n")
    status, text, doc = t.report()
    assert status == 0 and text == "covered 1, waived 0, missing 2\n", text
    assert "| `rfc1_1_one` | MUST | §1 | Text of rfc1\\_1\\_one | " \
           "[test_x.c](../tests/conformance/test_x.c) |" in doc, doc


def output_before_the_result_does_not_hide_it(t):
    t.cmocka("1..2\\nsome text ok 1 - rfc1_1_one\\nok 2 - rfc1_2_two\\n")
    assert "covered 2" in t.report()[1]


def passing_script_covers_its_id(t):
    t.scripts("1..1\\nok 1 - tests/scripts/conformance/rfc2e_1_three.pkt\\n", "rfc2e_1_three")
    status, text, doc = t.report()
    assert status == 0 and "covered 1" in text, text
    assert "(../tests/scripts/conformance/rfc2e_1_three.pkt)" in doc, doc


def failing_test_does_not_count(t):
    t.cmocka("1..2\\nok 1 - rfc1_1_one\\nnot ok 2 - rfc1_2_two\\n", 1)
    status, text, doc = t.report()
    assert status == 1 and "covered 1, waived 0, missing 2" in text, text
    assert "rfc1_2_two does not pass" in text, text
    assert "| **missing** |" in doc, doc


def skipped_script_does_not_count(t):
    t.scripts("ok 1 - tests/scripts/conformance/rfc1_1_one.pkt # SKIP the core lacks it\\n",
              "rfc1_1_one")
    assert "covered 0" in t.report()[1]


def variant_must_pass_and_covers_nothing_alone(t):
    t.scripts("ok 1 - a/rfc1_1_one-ipv4.pkt\\nok 2 - a/rfc1_2_two.pkt\\n"
              "not ok 3 - a/rfc1_2_two-wrap.pkt\\n", "rfc1_1_one-ipv4")
    status, text, _ = t.report()
    assert status == 1 and "covered 0" in text and "rfc1_2_two does not pass" in text, text


def crashed_program_is_an_error(t):
    t.cmocka("ok 1 - rfc1_1_one\\n", 3)
    status, text, _ = t.report()
    assert status == 1 and "exit status 3" in text, text


def unknown_id_is_an_error(t):
    t.cmocka("ok 1 - rfc1_9_nothing\\n")
    status, text, _ = t.report()
    assert status == 1 and "rfc1_9_nothing is no id" in text, text


def waiver_with_a_reason_counts_as_waived(t):
    t.waive("rfc1_1_one\tnobody needs it\n")
    status, text, doc = t.report()
    assert status == 0 and text == "covered 0, waived 1, missing 2\n", text
    assert "waived: nobody needs it" in doc, doc


def waiver_without_reason_or_id_is_an_error(t):
    t.waive("rfc1_1_one\t\nrfc1_9_nothing\tbecause\n")
    status, text, _ = t.report()
    assert status == 1 and "without a reason" in text and "no such id" in text, text


def waiver_of_something_tested_is_an_error(t):
    t.waive("rfc1_1_one\tnobody needs it\n")
    t.cmocka("ok 1 - rfc1_1_one\\n")
    status, text, _ = t.report()
    assert status == 1 and "waived, but a test shows it" in text, text


def verbose_says_each_rfc_and_what_is_missing(t):
    t.cmocka("ok 1 - rfc1_1_one\\n")
    text = t.report("-v")[1]
    assert "RFC 1        covered 1, waived 0, missing 1" in text, text
    assert "RFC 2e       covered 0, waived 0, missing 1" in text, text
    assert "missing rfc1_2_two" in text and "out_of_scope" not in text, text


TESTS = [without_tests_everything_is_missing, passing_test_covers_its_id,
         output_before_the_result_does_not_hide_it, passing_script_covers_its_id,
         failing_test_does_not_count, skipped_script_does_not_count,
         variant_must_pass_and_covers_nothing_alone, crashed_program_is_an_error,
         unknown_id_is_an_error, waiver_with_a_reason_counts_as_waived,
         waiver_without_reason_or_id_is_an_error, waiver_of_something_tested_is_an_error,
         verbose_says_each_rfc_and_what_is_missing]


def main():
    failed = 0
    print(f"1..{len(TESTS)}")
    for number, test in enumerate(TESTS, 1):
        with tempfile.TemporaryDirectory() as root:
            try:
                test(Tree(root))
                print(f"ok {number} - {test.__name__}")
            except AssertionError as e:
                failed += 1
                print(f"not ok {number} - {test.__name__}")
                print("".join(f"#   {line}\n" for line in str(e).splitlines()), end="")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
