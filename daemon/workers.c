/* SPDX-License-Identifier: MIT */
/* Several workers; see workers.h. */
#include "daemon/workers.h"

#include "daemon/stats.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(WORKERS_MAX <= STATS_TABLES, "each worker counts in a table of its own");

/* --- life --------------------------------------------------------------------------------------
 */

static struct worker *worker_new(struct workers *all, unsigned index, unsigned n)
{
    struct worker *w = aligned_alloc(_Alignof(struct worker), sizeof(*w));
    size_t rings = n * sizeof(*w->in);

    if (!w)
        return NULL;
    memset(w, 0, sizeof(*w));
    w->in = aligned_alloc(_Alignof(struct handover), rings);
    if (!w->in) {
        free(w);
        return NULL;
    }
    memset(w->in, 0, rings);
    w->all = all;
    w->index = index;
    w->poller.fd = -1;
    pthread_mutex_init(&w->turn, NULL);
    pthread_mutex_init(&w->lock, NULL);
    return w;
}

int workers_new(unsigned n, struct workers **out)
{
    struct workers *all = calloc(1, sizeof(*all));

    if (!all)
        return -ENOMEM;
    directory_init(&all->directory);
    pthread_mutex_init(&all->answers_lock, NULL);
    TAILQ_INIT(&all->answers);
    all->common = calloc(1, sizeof(*all->common));
    for (all->n = 0; all->common && all->n < n; all->n++) {
        all->list[all->n] = worker_new(all, all->n, n);
        if (!all->list[all->n])
            break;
    }
    if (all->n < n) {
        workers_free(all);
        return -ENOMEM;
    }
    all->steer.count = n;
    *out = all;
    return 0;
}

static void worker_free(struct worker *w, unsigned n)
{
    struct frame *f;

    for (unsigned i = 0; i < n; i++)
        while ((f = handover_take(&w->in[i])) != NULL)
            free(f);
    free(w->in);
    pthread_mutex_destroy(&w->turn);
    pthread_mutex_destroy(&w->lock);
    free(w);
}

void workers_free(struct workers *all)
{
    if (!all)
        return;
    for (unsigned i = 0; i < all->n; i++)
        worker_free(all->list[i], all->n);
    directory_destroy(&all->directory);
    pthread_mutex_destroy(&all->answers_lock);
    free(all->common);
    free(all);
}

static void *worker_main(void *arg)
{
    struct worker *w = arg;

    stats_count_in(w->index);
    loop_run(&w->loop);
    __atomic_fetch_sub(&w->all->running, 1, __ATOMIC_RELEASE);
    worker_poke(w->all->list[0]);
    return NULL;
}

/* Signals are worker 0's: the filler's alarm too (filler.c), for filling is done there alone. */
int workers_start(struct workers *all)
{
    sigset_t every, old;
    int rc = 0;

    sigfillset(&every);
    pthread_sigmask(SIG_SETMASK, &every, &old);
    for (unsigned i = 1; i < all->n && rc == 0; i++) {
        struct worker *w = all->list[i];

        __atomic_fetch_add(&all->running, 1, __ATOMIC_RELAXED);
        rc = pthread_create(&w->thread, NULL, worker_main, w);
        w->started = rc == 0;
        if (rc == 0) {
            char name[24];

            snprintf(name, sizeof(name), "worker %u", i);
            (void)pthread_setname_np(w->thread, name); /* it may be filtered already */
        }
    }
    if (rc)
        __atomic_fetch_sub(&all->running, 1, __ATOMIC_RELAXED);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return -rc;
}

void workers_quit(struct workers *all)
{
    __atomic_store_n(&all->quit, true, __ATOMIC_RELAXED);
    for (unsigned i = 1; i < all->n; i++) {
        struct worker *w = all->list[i];

        if (!w->started)
            continue;
        worker_poke(w);
        pthread_join(w->thread, NULL);
        w->started = false;
    }
}

bool workers_done(struct workers *all)
{
    return __atomic_load_n(&all->running, __ATOMIC_ACQUIRE) == 0;
}

/* --- whose turn it is --------------------------------------------------------------------------
 */

/* Without the turn a busy worker would have its lock again before the other one has woken up. */
static void lock_in_turn(struct worker *w)
{
    pthread_mutex_lock(&w->turn);
    pthread_mutex_lock(&w->lock);
    pthread_mutex_unlock(&w->turn);
}

/* Nobody holds worker 0 but its own thread. */
void worker_enter(struct worker *w)
{
    if (w->index != 0)
        lock_in_turn(w);
}

void worker_leave(struct worker *w)
{
    if (w->index != 0)
        pthread_mutex_unlock(&w->lock);
}

void worker_poke(struct worker *w)
{
    if (w->loop.live) /* before the threads begin and after they have ended it is not */
        uv_async_send(&w->loop.wake);
}

unsigned workers_count(const struct streams *home)
{
    return home->workers ? home->workers->n : 1;
}

struct streams *workers_hold(struct streams *home, unsigned i)
{
    struct worker *w;

    if (!home->workers || i == 0)
        return home;
    w = home->workers->list[i];
    if (w->held++ == 0) {
        __atomic_store_n(&w->wanted, true, __ATOMIC_RELAXED);
        lock_in_turn(w);
        __atomic_store_n(&w->wanted, false, __ATOMIC_RELAXED);
        w->streams.now = loop_now();
    }
    return &w->streams;
}

void workers_release(struct streams *all)
{
    struct worker *w;

    if (!all->workers || all->index == 0)
        return;
    w = all->workers->list[all->index];
    if (--w->held > 0)
        return;
    pthread_mutex_unlock(&w->lock);
    worker_poke(w); /* what the request has changed wants a round */
}

struct streams *workers_home(struct streams *all)
{
    return all->workers ? &all->workers->list[0]->streams : all;
}

/* --- sockets -----------------------------------------------------------------------------------
 */

unsigned workers_next(struct streams *home)
{
    return home->workers ? home->workers->next++ % home->workers->n : 0;
}

int workers_note(const struct streams *all, uint64_t cookie)
{
    return all->workers ? directory_put(&all->workers->directory, cookie, all->index) : 0;
}

void workers_forget(const struct streams *all, uint64_t cookie)
{
    if (all->workers)
        directory_remove(&all->workers->directory, cookie);
}

unsigned workers_owner(struct streams *home, uint64_t cookie)
{
    int i = home->workers ? directory_find(&home->workers->directory, cookie) : 0;

    return i < 0 ? 0 : (unsigned)i;
}

bool worker_taken(struct worker *w, const struct sock *s, const struct ip_endpoint *local)
{
    struct streams *home = &w->all->list[0]->streams;
    bool taken = false;

    for (unsigned i = 0; i < w->all->n && !taken; i++) {
        struct streams *other;

        if (i == w->index)
            continue;
        other = workers_hold(home, i);
        taken = sock_conflicts(other->stack, s, local);
        workers_release(other);
    }
    return taken;
}

void workers_starve(const struct streams *all)
{
    if (all->workers)
        __atomic_fetch_or(&all->workers->starved, 1ull << all->index, __ATOMIC_RELAXED);
}

void workers_feed(const struct streams *all)
{
    uint64_t who;

    if (!all->workers || !__atomic_load_n(&all->workers->starved, __ATOMIC_RELAXED))
        return;
    who = __atomic_exchange_n(&all->workers->starved, 0, __ATOMIC_RELAXED);
    for (unsigned i = 0; i < all->workers->n; i++) {
        struct worker *w = all->workers->list[i];

        if (!(who & 1ull << i) || i == all->index)
            continue;
        __atomic_store_n(&w->room, true, __ATOMIC_RELAXED);
        worker_poke(w);
    }
}

/* --- answers -----------------------------------------------------------------------------------
 */

void workers_answer(struct stream_waiter *w, int error)
{
    struct workers *all = w->workers;

    pthread_mutex_lock(&all->answers_lock);
    w->error = error;
    w->answered = true;
    TAILQ_INSERT_TAIL(&all->answers, w, of_stream);
    pthread_mutex_unlock(&all->answers_lock);
    worker_poke(all->list[0]);
}

struct stream_waiter *workers_answered(struct streams *home)
{
    struct workers *all = home->workers;
    struct stream_waiter *w;

    if (!all)
        return NULL;
    pthread_mutex_lock(&all->answers_lock);
    w = TAILQ_FIRST(&all->answers);
    if (w)
        TAILQ_REMOVE(&all->answers, w, of_stream);
    pthread_mutex_unlock(&all->answers_lock);
    return w;
}

void workers_forget_answer(struct streams *home, struct stream_waiter *w)
{
    struct workers *all = home->workers;

    pthread_mutex_lock(&all->answers_lock);
    TAILQ_REMOVE(&all->answers, w, of_stream);
    pthread_mutex_unlock(&all->answers_lock);
}

/* --- frames ------------------------------------------------------------------------------------
 */

static void give(struct worker *w, unsigned to, const struct frame *f)
{
    struct worker *other = w->all->list[to];

    if (handover_give(&other->in[w->index], f)) {
        stats_add(STAT_handed_over, 1);
        worker_poke(other);
    } else {
        stats_add(STAT_handover_drops, 1);
    }
}

bool worker_steer(struct worker *w, const struct frame *f)
{
    uint32_t to = steer_frame(&w->all->steer, f);

    if (to == w->index)
        return true;
    if (to != STEER_ALL) {
        give(w, to, f);
        return false;
    }
    for (unsigned i = 0; i < w->all->n; i++)
        if (i != w->index)
            give(w, i, f);
    return true;
}

unsigned worker_input(struct worker *w, uint64_t now)
{
    unsigned frames = 0;

    for (unsigned i = 0; i < w->all->n; i++) {
        struct frame *f;

        for (int n = 0; n < DEVICE_BATCH && (f = handover_take(&w->in[i])) != NULL; n++) {
            stack_input(w->stack, f, now);
            free(f);
            frames++;
        }
    }
    if (__atomic_load_n(&w->room, __ATOMIC_RELAXED)) {
        __atomic_store_n(&w->room, false, __ATOMIC_RELAXED);
        streams_feed_starved(&w->streams);
    }
    return frames;
}
