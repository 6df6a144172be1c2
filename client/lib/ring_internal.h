/* SPDX-License-Identifier: MIT */
/* What the files of a ring's program side share; ring.c says how it works. */
#ifndef TS_CLIENT_LIB_RING_INTERNAL_H
#define TS_CLIENT_LIB_RING_INTERNAL_H

#include "client/lib/zerocopy.h"
#include "ipc/ring.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOAD(word)     __atomic_load_n(&(word), __ATOMIC_ACQUIRE)
#define STORE(word, v) __atomic_store_n(&(word), v, __ATOMIC_RELEASE)
#define FULL_FENCE()   __atomic_thread_fence(__ATOMIC_SEQ_CST)

struct ts_ring {
    int fd, bell;
    uint8_t *map;
    struct ring_words *words;
    /* sending: */
    uint64_t committed;
    size_t reserved; /**< of the span that was given */
    bool shut;       /**< for sending */
    struct zerocopy zerocopy;
    uint64_t due_at; /**< zerocopy_due_at(); the other thread may wait for it as well */
    /* receiving: */
    uint64_t consumed;
    size_t peeked;
    uint8_t *early; /**< what had come by the descriptor before */
    size_t early_at, early_len;
    bool deaf;
    /* waiting: */
    uint32_t wanted; /**< RING_FOR_: what our tickets ask for */
    bool asked;      /**< there may be a wake-up in the descriptor */
    bool ended;      /**< no wake-up can come by it: the peer's end came before the ring */
    bool gone;       /**< the daemon has let go of it */
    bool torn;       /**< in the middle of saying something */
    unsigned forks;  /**< of the process whose threads the following are about */
    uint32_t watched, turn, waiting;
};

static inline int ring_fail(int error)
{
    errno = error;
    return -1;
}

/** For who polls the descriptor by himself: it is readable from here on only by what is to come
 * (RING_FOR_). */
void ring_ask(struct ts_ring *r, uint32_t what);
/** It is here. */
void ring_satisfied(struct ts_ring *r, uint32_t what);
/** There is something to read. */
bool ring_has_bytes(const struct ts_ring *r);
/** The first n bytes of what is reserved are sent, without a number. 0, or -1: EPIPE. */
int ring_commit(struct ts_ring *r, size_t n, int flags);
/** The program has all bytes below this offset again; all there are when the connection is dead. */
uint64_t ring_acked_or_dead(const struct ts_ring *r);

#endif
