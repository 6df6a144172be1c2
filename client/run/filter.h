/* SPDX-License-Identifier: MIT */
/*
 * The seccomp filter: which calls stop and are served by the supervisor.
 *
 * socket(2) only for TCP, by its arguments; data calls only with the flags and addresses that need
 * care; all other calls that concern a socket, because a filter sees only a number. What is not
 * listed costs nothing but the filter itself.
 */
#ifndef TS_CLIENT_RUN_FILTER_H
#define TS_CLIENT_RUN_FILTER_H

#include <stdbool.h>

/**
 * Install it for this process and what it starts. Returns the listener, close-on-exec, or a
 * negative errno value; -EBUSY: this process is supervised already. Without CAP_SYS_ADMIN
 * no_new_privs is set as well.
 */
int filter_install(void);

/** Do the calls that it serves sleep through all signals but deadly ones (Linux 5.19)? Of the
 * filter that was installed. */
bool filter_waits_killable(void);

#endif
