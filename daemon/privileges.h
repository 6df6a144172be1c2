/* SPDX-License-Identifier: MIT */
/*
 * Giving up privileges, in named stages, once everything that needs them is open. Afterwards: no
 * capability in any set, no way to get one, another user if one was named, no core dump or ptrace,
 * and a short list of system calls.
 */
#ifndef TS_DAEMON_PRIVILEGES_H
#define TS_DAEMON_PRIVILEGES_H

#include <stdbool.h>
#include <sys/types.h>

struct privileges_user {
    bool change;
    uid_t uid;
    gid_t gid;
};

/** Look the user up ("" : stay who we are). 0 or a negative errno value, logged. */
int privileges_find_user(const char *name, struct privileges_user *out);

/** All stages but the last. 0 or a negative errno value, logged. */
int privileges_drop(const struct privileges_user *user);

/** The last stage (seccomp.c): only the listed system calls from here on, the others fail with
 * EPERM. */
int privileges_filter(void);

#endif
