/* SPDX-License-Identifier: MIT */
/*
 * What is remembered of a connection that has ended while a program may still hold its descriptor:
 * the error that getsockopt(SO_ERROR) answers; of one whose connect failed, which may
 * try again, the core's socket with its options. Bounded and expiring: the oldest makes room, and
 * after TOMBSTONE_US it is gone.
 */
#ifndef TS_DAEMON_TOMBSTONE_H
#define TS_DAEMON_TOMBSTONE_H

#include "daemon/cookies.h"
#include "proto/stack.h"

#include <stdint.h>

#define TOMBSTONE_MAX 4096u
#define TOMBSTONE_US  60000000ull

struct tombstone {
    uint64_t cookie; /**< of the program's end; 0: the place is free */
    uint64_t expires;
    int error;         /**< positive errno value, 0 once taken */
    struct sock *sock; /**< retired, or NULL */
};

struct tombstones {
    struct cookies index;
    struct tombstone *ring;
    uint32_t next;  /**< where the next one goes */
    uint32_t count; /**< places in use before it, those of what was forgotten early included */
};

/** Returns 0 or -ENOMEM. */
int tombstones_init(struct tombstones *t);
/** Give up the sockets that are kept: the stack stops. */
void tombstones_clear(struct tombstones *t, uint64_t now);
void tombstones_destroy(struct tombstones *t, uint64_t now);

/** Remember; without memory for it, it is forgotten at once. `sock` is NULL, or the stone's from
 * now on. */
void tombstone_put(struct tombstones *t, uint64_t cookie, int error, struct sock *sock,
                   uint64_t now);
/** Forget what has expired. Returns when the next one does, or UINT64_MAX when none is left. */
uint64_t tombstones_expire(struct tombstones *t, uint64_t now);
/** NULL when there is none or it has expired. */
struct tombstone *tombstone_find(struct tombstones *t, uint64_t cookie, uint64_t now);

#endif
