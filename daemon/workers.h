/* SPDX-License-Identifier: MIT */
/*
 * `workers = N`: N threads, each with an event loop, a queue of the TAP, a stack and the
 * connections that hash to it (proto/steer.h). On the way of data nothing is shared.
 *
 * The control socket is served by worker 0's thread, which for the length of a request holds the
 * worker whose descriptor it concerns: each of the others holds itself while it works and lets go
 * when it sleeps, or when somebody wants it. So a request is the same code as with one worker, and
 * acts between two rounds of the owner. Only that thread ever holds two, so nobody waits in a
 * circle; binding, connecting and listening happen on it alone.
 *
 * With one worker there is no struct workers at all, and no lock.
 */
#ifndef TS_DAEMON_WORKERS_H
#define TS_DAEMON_WORKERS_H

#include "daemon/device.h"
#include "daemon/directory.h"
#include "daemon/handover.h"
#include "daemon/loop.h"
#include "daemon/poller.h"
#include "daemon/stream.h"
#include "proto/stack.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define WORKERS_MAX 64

struct worker {
    struct workers *all; /**< NULL: it is alone */
    struct device device;
    struct stack *stack;
    struct poller poller;
    struct streams streams;
    struct loop loop;

    unsigned index;
    pthread_t thread;
    bool started;
    pthread_mutex_t turn; /**< who waits for `lock` stands here, so that its turn comes */
    pthread_mutex_t lock; /**< all above */
    unsigned held;        /**< how often worker 0 holds it: a call may hold what its caller does */
    bool wanted;          /**< atomic: give way */
    bool room;            /**< atomic: what listeners starve for may be there */
    struct handover *in;  /**< one from each other worker */
};

struct workers {
    unsigned n;
    struct worker *list[WORKERS_MAX];
    unsigned next;    /**< for the next socket */
    unsigned running; /**< atomic: threads */
    bool quit;        /**< atomic: end now */
    uint64_t starved; /**< atomic: bits of workers with a listener that starves */
    struct steer steer;
    struct stack_common *common;
    struct directory directory;
    pthread_mutex_t answers_lock;
    struct stream_waiters answers; /**< for worker 0 to send */
};

/** N > 1 workers whose own fields are zero. 0 or -ENOMEM. */
int workers_new(unsigned n, struct workers **out);
/** After the loops have ended. NULL is allowed. */
void workers_free(struct workers *all);

/** Start the threads of 1 to n - 1. 0 or a negative errno value. */
int workers_start(struct workers *all);
/** End those that run, at once, and wait for them. */
void workers_quit(struct workers *all);
/** Have all but worker 0 ended? */
bool workers_done(struct workers *all);

/* --- a worker's own thread ---------------------------------------------------------------------
 */

/** Begin and end working. */
void worker_enter(struct worker *w);
void worker_leave(struct worker *w);
/** Does somebody wait? */
static inline bool worker_is_wanted(const struct worker *w)
{
    return __atomic_load_n(&w->wanted, __ATOMIC_RELAXED);
}
/** From any thread: a round, soon. */
void worker_poke(struct worker *w);
/** A frame that was read: give it to whom it belongs. Is it (also) ours? */
bool worker_steer(struct worker *w, const struct frame *f);
/** Take what others have read for us. Returns how many frames. */
unsigned worker_input(struct worker *w, uint64_t now);
/** stack_ops.taken */
bool worker_taken(struct worker *w, const struct sock *s, const struct ip_endpoint *local);

/* --- for what is written for one worker: `all` is its own streams ------------------------------
 */

/** Into, and out of, the directory; 0 or -ENOMEM. Nothing with one worker. */
int workers_note(const struct streams *all, uint64_t cookie);
void workers_forget(const struct streams *all, uint64_t cookie);
/** A listener starves here. */
void workers_starve(const struct streams *all);
/** A descriptor or a place came free: tell the others. */
void workers_feed(const struct streams *all);

/* --- worker 0's thread -------------------------------------------------------------------------
 */

/** How many there are; `home` is worker 0's streams in all that follows. */
unsigned workers_count(const struct streams *home);
/** Hold worker i: its streams, until workers_release(). */
struct streams *workers_hold(struct streams *home, unsigned i);
void workers_release(struct streams *all);
/** Where a new socket shall live. */
unsigned workers_next(struct streams *home);
/** Who has the descriptor with this cookie; worker 0 when nobody has. */
unsigned workers_owner(struct streams *home, uint64_t cookie);
/** Any worker of the lot to home. */
struct streams *workers_home(struct streams *all);

/** streams.answer of the others: worker 0 will send it. */
void workers_answer(struct stream_waiter *w, int error);
/** The next of those, or NULL. */
struct stream_waiter *workers_answered(struct streams *home);
/** Its client has gone. */
void workers_forget_answer(struct streams *home, struct stream_waiter *w);

#endif
