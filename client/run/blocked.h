/* SPDX-License-Identifier: MIT */
/*
 * Served calls that block: ended when their thread has a signal to handle, or is gone.
 *
 * A thread whose call is being served sleeps where only a deadly signal wakes it, so that no call
 * is done twice. For those that may wait long (accept, connect, send) the supervisor looks every
 * 10 ms whether a signal is pending, and then ends the call as the kernel would: it is restarted,
 * or EINTR, as the handler's SA_RESTART says (ERESTARTSYS).
 */
#ifndef TS_CLIENT_RUN_BLOCKED_H
#define TS_CLIENT_RUN_BLOCKED_H

#include "client/run/target.h"

#include <pthread.h>
#include <sys/queue.h>

struct blocked {
    LIST_ENTRY(blocked) link;
    const struct target *target;
    pthread_t thread;
    uint64_t seen;   /**< shared signals that were pending the last time */
    int64_t verdict; /**< 0, or what the call is to be answered */
};

/** Once, before any thread is made. Returns 0 or a negative errno value. */
int blocked_init(void);

/** From here to blocked_end this thread's system calls are interrupted (EINTR) when the target's
 * call has to end. */
void blocked_begin(struct blocked *b, const struct target *t);

/** Returns the verdict: 0, or an errno value to answer, which may be one of the kernel's own. */
int64_t blocked_end(struct blocked *b);

#endif
