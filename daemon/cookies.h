/* SPDX-License-Identifier: MIT */
/*
 * A table from socket cookies (SO_COOKIE: 64 bits, unique while the machine runs) to pointers.
 * Open addressing, linear probing, deletion by shifting back; it doubles at three quarters full.
 */
#ifndef TS_DAEMON_COOKIES_H
#define TS_DAEMON_COOKIES_H

#include <stddef.h>
#include <stdint.h>

struct cookies_slot {
    uint64_t cookie;
    void *value; /**< NULL: the slot is free */
};

struct cookies {
    struct cookies_slot *slots;
    size_t size; /**< a power of two, or 0 */
    size_t used;
};

void cookies_init(struct cookies *t);
void cookies_destroy(struct cookies *t);

/** Add, or replace the value of, a cookie; value is not NULL. Returns 0 or -ENOMEM. */
int cookies_put(struct cookies *t, uint64_t cookie, void *value);
/** NULL when it is not there. */
void *cookies_get(const struct cookies *t, uint64_t cookie);
/** Returns the value that was removed, or NULL. */
void *cookies_remove(struct cookies *t, uint64_t cookie);

#endif
