/* SPDX-License-Identifier: MIT */
/*
 * A thread that does nothing but close descriptors; see reaper.h. The mutex is held for a few
 * instructions only. The list grows by doubling: it is bounded by RLIMIT_NOFILE, and the control
 * socket stops accepting long before.
 */
#include "daemon/reaper.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#define REAPER_ROOM 256

struct reaper {
    pthread_mutex_t lock;
    pthread_cond_t more;
    pthread_t thread;
    bool stop;
    bool busy;   /**< close(2) is running */
    bool orphan; /**< reaper_free() has left: the thread frees the memory */
    int *fds;
    size_t n, room;
};

static void reaper_release(struct reaper *r)
{
    pthread_mutex_destroy(&r->lock);
    pthread_cond_destroy(&r->more);
    free(r->fds);
    free(r);
}

static void *reaper_main(void *arg)
{
    struct reaper *r = arg;
    bool orphan;

    pthread_mutex_lock(&r->lock);
    for (;;) {
        while (!r->n && !r->stop)
            pthread_cond_wait(&r->more, &r->lock);
        if (r->stop)
            break;
        int fd = r->fds[--r->n];
        r->busy = true;
        pthread_mutex_unlock(&r->lock);
        close(fd);
        pthread_mutex_lock(&r->lock);
        r->busy = false;
    }
    orphan = r->orphan;
    pthread_mutex_unlock(&r->lock);
    if (orphan)
        reaper_release(r);
    return NULL;
}

int reaper_new(struct reaper **out)
{
    struct reaper *r = calloc(1, sizeof(*r));
    sigset_t all, old;
    int rc;

    if (!r)
        return -ENOMEM;
    r->room = REAPER_ROOM;
    r->fds = malloc(r->room * sizeof(*r->fds));
    if (!r->fds) {
        free(r);
        return -ENOMEM;
    }
    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->more, NULL);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    rc = pthread_create(&r->thread, NULL, reaper_main, r);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (rc) {
        reaper_release(r);
        return -rc;
    }
    *out = r;
    return 0;
}

void reaper_free(struct reaper *r)
{
    bool busy;

    if (!r)
        return;
    pthread_mutex_lock(&r->lock);
    r->stop = true;
    busy = r->busy;
    r->orphan = busy;
    pthread_cond_signal(&r->more);
    pthread_mutex_unlock(&r->lock);
    if (busy) {
        pthread_detach(r->thread);
        return;
    }
    pthread_join(r->thread, NULL);
    reaper_release(r);
}

void reaper_close(struct reaper *r, int fd)
{
    pthread_mutex_lock(&r->lock);
    if (r->n == r->room) {
        int *more = realloc(r->fds, 2 * r->room * sizeof(*more));
        if (more) {
            r->fds = more;
            r->room *= 2;
        }
    }
    /* Without memory the descriptor leaks: still better than a daemon that hangs. */
    if (r->n < r->room)
        r->fds[r->n++] = fd;
    pthread_cond_signal(&r->more);
    pthread_mutex_unlock(&r->lock);
}

size_t reaper_waiting(struct reaper *r)
{
    size_t n;

    pthread_mutex_lock(&r->lock);
    n = r->n + r->busy;
    pthread_mutex_unlock(&r->lock);
    return n;
}
