/* SPDX-License-Identifier: MIT */
/* What is said about a run: TAP (a script is one test), and a capture of what failed. */
#ifndef TS_TESTS_PKT_REPORT_H
#define TS_TESTS_PKT_REPORT_H

#include "tests/pkt/runner.h"

#include <stdio.h>

/** One TAP line, and for a failure the lines below it; prints what the script printed. */
void report_tap(int number, const char *path, const struct outcome *o);
/** The failure alone, without a prefix on the first line: "script.pkt:12: reason" and the detail
 * indented by `indent`. */
void report_failure(FILE *f, const char *indent, const char *path, const struct outcome *o);
/** Leave FOLDER/NAME.pcap for a failed run and say so. */
void report_capture(const struct target *t, const struct script *s, const char *folder);

#endif
