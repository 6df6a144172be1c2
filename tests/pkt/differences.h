/* SPDX-License-Identifier: MIT */
/*
 * Scripts against the kernel, and the table of differences: a script that passes on one side only
 * needs a reason
 * (--kernel_differs in the script), else it is UNEXPLAINED and the run fails.
 */
#ifndef TS_TESTS_PKT_DIFFERENCES_H
#define TS_TESTS_PKT_DIFFERENCES_H

#include "tests/pkt/scripts.h"

/** Play the scripts against the kernel and print TAP. Returns the exit status. */
int differences_kernel_only(const struct script_list *list);
/** Play them against both and write the table into `path`. Returns the exit status. */
int differences_write(const struct script_list *list, const char *path);

#endif
