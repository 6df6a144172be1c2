/* SPDX-License-Identifier: MIT */
/*
 * Which worker has the descriptor with this cookie. Only requests ask, and only making, moving and
 * ending a descriptor change it; a lock.
 */
#ifndef TS_DAEMON_DIRECTORY_H
#define TS_DAEMON_DIRECTORY_H

#include "daemon/cookies.h"

#include <pthread.h>
#include <stdint.h>

struct directory {
    pthread_mutex_t lock;
    struct cookies table;
};

void directory_init(struct directory *d);
void directory_destroy(struct directory *d);

/** It is `worker`'s from now on. 0 or -ENOMEM. */
int directory_put(struct directory *d, uint64_t cookie, unsigned worker);
void directory_remove(struct directory *d, uint64_t cookie);
/** The worker, or -1: nobody's. */
int directory_find(struct directory *d, uint64_t cookie);

#endif
