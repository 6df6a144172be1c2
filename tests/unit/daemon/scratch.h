/* SPDX-License-Identifier: MIT */
/* A directory of the test's own, and a path in it for one file. */
#ifndef TS_TESTS_SCRATCH_H
#define TS_TESTS_SCRATCH_H

extern char scratch_path[64];

/** cmocka's set-up and tear-down of a group; the file must be gone by then. */
int scratch_make(void **state);
int scratch_remove(void **state);

#endif
