/* SPDX-License-Identifier: MIT */
/* Plays a script against a target, event by event, and says where they part. */
#ifndef TS_TESTS_PKT_RUNNER_H
#define TS_TESTS_PKT_RUNNER_H

#include "tests/pkt/target.h"

struct outcome {
    bool passed;
    int line;           /**< of the event that failed, 0: none in particular */
    const char *reason; /**< one sentence */
    const char *detail; /**< more lines: the script's, what was expected, what came; NULL: none */
    const char *printed;
};

/** Play it. The target is opened and closed here; its capture stays until the arena is reset. */
void runner_play(struct target *t, const struct script *s, struct outcome *out);

#endif
