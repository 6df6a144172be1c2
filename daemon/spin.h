/* SPDX-License-Identifier: MIT */
/*
 * Busy polling: for a moment after the last useful event the loop looks again instead of sleeping,
 * since waking up costs more than what it would wait for. Only where that pays: it stops when what
 * it waited for did not come, and begins again when something arrives so soon after falling asleep
 * that it would have been caught. Each look gives the processor to whoever else wants it; when
 * somebody did, the rest of the moment is given up.
 */
#ifndef TS_DAEMON_SPIN_H
#define TS_DAEMON_SPIN_H

#include <stdbool.h>
#include <stdint.h>

struct spin {
    uint64_t budget_us; /**< 0: never */
    uint64_t last_us;   /**< when something useful happened */
    uint64_t asleep_us; /**< since when we sleep; 0: awake */
    unsigned misses;    /**< in a row */
};

/** Something useful happened at `now`. */
void spin_useful(struct spin *s, uint64_t now);
/** There is nothing to do at `now`: look once more (true), or sleep. */
bool spin_again(struct spin *s, uint64_t now);

/** What spin_again() does between two looks; a test may put its own in place. Returns whether
 * somebody else had the processor meanwhile. */
extern bool (*spin_yield)(void);

#endif
