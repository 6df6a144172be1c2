/* SPDX-License-Identifier: MIT */
/* What the rooms of a ringport share: ringport.c (words ⇄ core) and ringport_life.c. Nobody else
 * includes this. */
#ifndef TS_DAEMON_RINGPORT_INTERNAL_H
#define TS_DAEMON_RINGPORT_INTERNAL_H

#include "daemon/ringport.h"
#include "daemon/stream.h"

struct ringport {
    struct watch bell;     /**< first */
    struct stream *stream; /**< NULL: it has ended, the core still has bytes to send */
    struct ring_words *words;
    uint8_t *map;
    int file, bell_fd;
    bool stored;       /**< the core has storage of ours */
    bool open;         /**< what had been written to the descriptor is with the core */
    bool shut;         /**< no more can be written to it */
    bool awake;        /**< on the list of those that are looked at in every round */
    bool resting;      /**< on the list of those that may be idle */
    uint64_t granted;  /**< the program may write below this offset */
    uint64_t shown;    /**< and read below this one */
    uint32_t answered; /**< the last ticket */
    uint32_t room_for; /**< the last ticket that asked for room: what came before it is told */
    uint32_t acks_for; /**< the last ticket that asked for acknowledgements: the core will tell */
    /* our own words, as we have published them: the program can write there */
    struct ring_way ways[2];
    uint32_t state;
    uint64_t tell_at;
    uint64_t rest_since;
    TAILQ_ENTRY(ringport) link;
};

#define LOAD(word)     __atomic_load_n(&(word), __ATOMIC_ACQUIRE)
#define STORE(word, v) __atomic_store_n(&(word), v, __ATOMIC_RELEASE)
#define FULL_FENCE()   __atomic_thread_fence(__ATOMIC_SEQ_CST)

/* --- ringport.c --------------------------------------------------------------------------------
 */

/** What has changed about one way. The limit alone needs no new generation while it grows. */
void ringport_publish(struct ringport *r, enum sock_way which, uint64_t limit_now);
/** One of RING_EOF and RING_ERROR, with which `error` goes. */
void ringport_set_state(struct ringport *r, uint32_t what, int error);
/** The program waits for one of these: a byte in its descriptor, once for each ticket. */
void ringport_wake(struct ringport *r, uint32_t what);
/** Somebody waits for acknowledgements, and we have not looked for how many yet. */
bool ringport_asks_for_acks(const struct ringport *r);
/** What the program has consumed is the core's again. False: the stream has ended. */
bool ringport_take_back(struct ringport *r);

/* --- ringport_life.c ---------------------------------------------------------------------------
 */

/** On, or off, the list of those that may be idle. */
void ringport_rest(struct ringport *r, bool resting);
/** Off the list of those that are looked at, and at rest. */
void ringport_fall_asleep(struct ringport *r);

#endif
