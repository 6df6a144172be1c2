/* SPDX-License-Identifier: MIT */
/*
 * The nested epoll instance that holds all data descriptors, the control listener and its clients.
 * What is watched embeds a struct watch. One that ends while events about it may already have been
 * fetched is retired, and freed only when the batch is over. Control requests come before data in
 * each batch.
 */
#ifndef TS_DAEMON_POLLER_H
#define TS_DAEMON_POLLER_H

#include <stdbool.h>
#include <stdint.h>

#define POLLER_BATCH 256

struct watch {
    void (*ready)(struct watch *w, uint32_t events);
    bool first; /**< handled before the others of its batch */
    bool retired;
    void (*release)(struct watch *w);
    struct watch *next_retired;
};

struct poller {
    int fd;
    struct watch *retired;
    uint64_t events; /**< handled */
};

/** Returns 0 or a negative errno value. */
int poller_init(struct poller *p);
void poller_destroy(struct poller *p);

int poller_add(struct poller *p, int fd, uint32_t events, struct watch *w);
int poller_change(struct poller *p, int fd, uint32_t events, struct watch *w);
void poller_remove(struct poller *p, int fd);

/** No callback any more; `release` frees it at the end of the round. */
void poller_retire(struct poller *p, struct watch *w, void (*release)(struct watch *w));

/** Fetch and handle up to POLLER_BATCH events without waiting. True when there may be more. */
bool poller_run(struct poller *p);
/** Free what was retired. */
void poller_bury(struct poller *p);

#endif
