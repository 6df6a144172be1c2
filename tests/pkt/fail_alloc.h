/* SPDX-License-Identifier: MIT */
/* The Nth allocation of the core fails, for every N, in every script. */
#ifndef TS_TESTS_PKT_FAIL_ALLOC_H
#define TS_TESTS_PKT_FAIL_ALLOC_H

#include "tests/pkt/scripts.h"

/**
 * Play each script as often as it allocates, and let another allocation fail each time. What the
 * script expects does not count: the core must not crash, spin, break an invariant or keep
 * anything. Prints TAP; returns the number of scripts that failed.
 */
int fail_alloc_play(const struct script_list *list);

#endif
