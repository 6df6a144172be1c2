/* SPDX-License-Identifier: MIT */
/*
 * Threads that do nothing but close descriptors; see reaper.h. The mutex is held for a walk through
 * the list at most, which is empty as a rule. The list grows by doubling: it is bounded by
 * RLIMIT_NOFILE, and the control socket stops accepting long before.
 */
#include "daemon/reaper.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#define REAPER_ROOM 256

struct item {
    int fd;
    uid_t uid;
};

struct reaper {
    pthread_mutex_t lock;
    pthread_cond_t more;
    pthread_t threads[REAPER_THREADS];
    size_t n_threads; /**< that run */
    bool stop;
    bool orphan; /**< reaper_free() has left: the last thread frees the memory */
    struct item closing[REAPER_THREADS]; /**< what close(2) is running on; fd -1: nothing */
    struct item *items;
    size_t n, room;
};

/* A thread and its place in `closing`. */
struct worker {
    struct reaper *r;
    size_t index;
};

static void reaper_release(struct reaper *r)
{
    pthread_mutex_destroy(&r->lock);
    pthread_cond_destroy(&r->more);
    free(r->items);
    free(r);
}

static bool is_busy(const struct reaper *r, uid_t uid)
{
    for (size_t i = 0; i < REAPER_THREADS; i++)
        if (r->closing[i].fd >= 0 && r->closing[i].uid == uid)
            return true;
    return false;
}

/* The newest of a user who has no thread. */
static bool next_item(struct reaper *r, struct item *out)
{
    for (size_t i = r->n; i-- > 0;) {
        if (is_busy(r, r->items[i].uid))
            continue;
        *out = r->items[i];
        r->items[i] = r->items[--r->n];
        return true;
    }
    return false;
}

static void *reaper_main(void *arg)
{
    struct worker w = *(struct worker *)arg;
    struct reaper *r = w.r;
    bool last;

    free(arg);
    pthread_mutex_lock(&r->lock);
    while (!r->stop) {
        struct item it;

        if (!next_item(r, &it)) {
            pthread_cond_wait(&r->more, &r->lock);
            continue;
        }
        r->closing[w.index] = it;
        pthread_mutex_unlock(&r->lock);
        close(it.fd);
        pthread_mutex_lock(&r->lock);
        r->closing[w.index].fd = -1;
    }
    last = --r->n_threads == 0 && r->orphan;
    pthread_mutex_unlock(&r->lock);
    if (last)
        reaper_release(r);
    return NULL;
}

static int start_thread(struct reaper *r, size_t index)
{
    struct worker *w = malloc(sizeof(*w));
    int rc;

    if (!w)
        return -ENOMEM;
    *w = (struct worker){r, index};
    rc = pthread_create(&r->threads[index], NULL, reaper_main, w);
    if (rc)
        free(w);
    return -rc;
}

int reaper_new(struct reaper **out)
{
    struct reaper *r = calloc(1, sizeof(*r));
    sigset_t all, old;
    int rc = 0;

    if (!r)
        return -ENOMEM;
    r->room = REAPER_ROOM;
    r->items = malloc(r->room * sizeof(*r->items));
    if (!r->items) {
        free(r);
        return -ENOMEM;
    }
    for (size_t i = 0; i < REAPER_THREADS; i++)
        r->closing[i].fd = -1;
    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->more, NULL);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    pthread_mutex_lock(&r->lock);
    while (rc == 0 && r->n_threads < REAPER_THREADS) {
        rc = start_thread(r, r->n_threads);
        r->n_threads += rc == 0;
    }
    pthread_mutex_unlock(&r->lock);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (rc == 0)
        *out = r;
    else if (r->n_threads)
        reaper_free(r);
    else
        reaper_release(r);
    return rc;
}

void reaper_free(struct reaper *r)
{
    pthread_t threads[REAPER_THREADS];
    bool busy = false;
    size_t n;

    if (!r)
        return;
    pthread_mutex_lock(&r->lock);
    r->stop = true;
    n = r->n_threads;
    for (size_t i = 0; i < n; i++) {
        threads[i] = r->threads[i];
        busy |= r->closing[i].fd >= 0;
    }
    r->orphan = busy;
    pthread_cond_broadcast(&r->more);
    pthread_mutex_unlock(&r->lock);
    for (size_t i = 0; i < n; i++) {
        if (busy)
            pthread_detach(threads[i]);
        else
            pthread_join(threads[i], NULL);
    }
    if (!busy)
        reaper_release(r);
}

void reaper_close(struct reaper *r, int fd, uid_t uid)
{
    pthread_mutex_lock(&r->lock);
    if (r->n == r->room) {
        struct item *more = realloc(r->items, 2 * r->room * sizeof(*more));
        if (more) {
            r->items = more;
            r->room *= 2;
        }
    }
    /* Without memory the descriptor leaks: still better than a daemon that hangs. */
    if (r->n < r->room)
        r->items[r->n++] = (struct item){fd, uid};
    pthread_cond_signal(&r->more);
    pthread_mutex_unlock(&r->lock);
}

static size_t count(struct reaper *r, bool all, uid_t uid)
{
    size_t n = 0;

    pthread_mutex_lock(&r->lock);
    for (size_t i = 0; i < REAPER_THREADS; i++)
        n += r->closing[i].fd >= 0 && (all || r->closing[i].uid == uid);
    for (size_t i = 0; i < r->n && !all; i++)
        n += r->items[i].uid == uid;
    n += all ? r->n : 0;
    pthread_mutex_unlock(&r->lock);
    return n;
}

size_t reaper_waiting(struct reaper *r)
{
    return count(r, true, 0);
}

size_t reaper_waiting_of(struct reaper *r, uid_t uid)
{
    return count(r, false, uid);
}
