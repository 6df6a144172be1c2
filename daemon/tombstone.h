/* SPDX-License-Identifier: MIT */
/*
 * What is remembered of a connection that has ended while a program may still hold its descriptor:
 * the error that getsockopt(SO_ERROR) answers. Bounded and expiring: the oldest makes room, and
 * after TOMBSTONE_US it is gone.
 */
#ifndef TS_DAEMON_TOMBSTONE_H
#define TS_DAEMON_TOMBSTONE_H

#include "daemon/cookies.h"

#include <stdint.h>

#define TOMBSTONE_MAX 4096
#define TOMBSTONE_US  60000000ull

struct tombstone {
    uint64_t cookie; /**< of the program's end; 0: the place is free */
    uint64_t expires;
    int error; /**< positive errno value, 0 once taken */
};

struct tombstones {
    struct cookies index;
    struct tombstone *ring;
    uint32_t next; /**< where the next one goes */
};

/** Returns 0 or -ENOMEM. */
int tombstones_init(struct tombstones *t);
void tombstones_destroy(struct tombstones *t);

/** Remember; without memory for it, it is forgotten at once. */
void tombstone_put(struct tombstones *t, uint64_t cookie, int error, uint64_t now);
/** NULL when there is none or it has expired. */
struct tombstone *tombstone_find(struct tombstones *t, uint64_t cookie, uint64_t now);

#endif
