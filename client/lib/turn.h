/* SPDX-License-Identifier: MIT */
/*
 * Threads that wait at the same listener take turns: one waits in the kernel, the others for it.
 * An AF_UNIX stream wakes all who wait for it, where accept(2) wakes one.
 */
#ifndef TS_CLIENT_LIB_TURN_H
#define TS_CLIENT_LIB_TURN_H

#include <stdbool.h>

struct turn_gate;

/** Zeroed: none is held. */
struct turn {
    struct turn_gate *gate;
};

/**
 * Wait for the turn at descriptor fd; at once when it is held already. A signal ends the wait, or
 * does not, as SA_RESTART says. Returns 0, also when there can be no turns (no cookie, too many
 * listeners, a signal handler that waits inside a wait): then all wait at once, which is no fault.
 * -EINTR: a signal. Safe in signal handlers and after fork and vfork; errno is not preserved. A
 * cancellation point where it waits.
 */
int turn_take(struct turn *t, int fd);

/** Let the next one wait, a moment later when a signal has ended the wait of this one. Nothing when
 * none is held. */
void turn_give(struct turn *t, bool interrupted);

/** turn_give for pthread_cleanup_push: the turn of a thread that is cancelled while it waits. */
void turn_drop(void *turn);

#endif
