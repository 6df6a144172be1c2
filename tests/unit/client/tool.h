/* SPDX-License-Identifier: MIT */
/*
 * Running build/tapstack as a person does.
 */
#ifndef TS_TESTS_UNIT_CLIENT_TOOL_H
#define TS_TESTS_UNIT_CLIENT_TOOL_H

/* What the last run printed, both streams. */
extern char tool_output[65536];

/* Run it with these arguments, ended by NULL, and this standard input. Returns the exit status;
 * skips the test when there is no such program. */
int tool_run(char *const args[], const char *input);

#endif
