/* SPDX-License-Identifier: MIT */
/*
 * The settings in force, where they came from, and how they change while the daemon runs: by a
 * reload (daemon/reload.h) or one by one (`tapstack set`). After a reload everything that can
 * change live is as a restart would make it: what was set one by one is gone. What cannot waits for
 * that restart, and is known by name.
 */
#ifndef TS_DAEMON_SETTINGS_H
#define TS_DAEMON_SETTINGS_H

#include "daemon/config.h"
#include "daemon/control.h"
#include "daemon/notices.h"
#include "daemon/policy.h"
#include "daemon/spin.h"
#include "ipc/wire.h"
#include "proto/stack.h"

#include <stdbool.h>
#include <stddef.h>

struct settings {
    struct config running; /**< in force */
    struct config given;   /**< by the command line */
    struct config wanted;  /**< as a restart would read it: the keys and their origins only */
    struct stack *stack;   /**< the first worker's: all have the same values */
    struct policy *policy;
    struct control *control;
    struct spin *spin; /**< with one worker */
};

/** `running` and `given` are filled, the pointers set: put the tunables and the rest in force that
 * starting up does not. */
void settings_start(struct settings *s);
void settings_free(struct settings *s);

/**
 * Put a file's settings in force, laid under the command line's. Takes the policy table and the
 * tunables out of `next`; the caller frees it. Adds what changed and what needs a restart.
 */
void settings_apply(struct settings *s, struct config *next, struct notices *notices);

/** Set one at run time. 0, -ENOENT, -EINVAL, -ERANGE, -EACCES (it can only be read), -EBUSY (it
 * needs a restart). */
int settings_set(struct settings *s, const char *name, const char *value);

/** The i-th setting, with `policy` those of the policy table at the end; false: no more. */
bool settings_row(const struct settings *s, size_t i, bool policy, struct wire_setting *out);

#endif
