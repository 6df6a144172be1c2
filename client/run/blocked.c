/* SPDX-License-Identifier: MIT */
/*
 * The thread that watches; client/run/blocked.h has the theory.
 */
#include "client/run/blocked.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#define TICK_NS 10000000
/* The kernel's own: restart the call, or EINTR, as the handler says. Only for a thread that has a
 * signal. */
#define ERESTARTSYS 512

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t some = PTHREAD_COND_INITIALIZER;
static LIST_HEAD(blocked_list, blocked) all = LIST_HEAD_INITIALIZER(all);

static void on_kick(int sig)
{
    (void)sig; /* only to interrupt */
}

/*
 * A signal to a process is taken by the first of its threads that may: by the one that we look at
 * only if it is the first, or alone, and if it was there the last time as well. In doubt the answer
 * is EINTR: ERESTARTSYS would reach a program that has nothing to handle.
 */
static int64_t judge(struct blocked *b)
{
    struct target_status st;
    uint64_t before = b->seen;

    if (!target_valid(b->target) || !target_status(b->target->tid, &st))
        return -ESRCH;
    b->seen = st.shared;
    if (st.own)
        return -ERESTARTSYS;
    if (st.shared && st.threads == 1)
        return -ERESTARTSYS;
    if (st.shared & before)
        return st.tgid == b->target->tid ? -ERESTARTSYS : -EINTR;
    return 0;
}

static void *watch(void *arg)
{
    struct timespec tick = {.tv_nsec = TICK_NS};

    (void)arg;
    for (;;) {
        struct blocked *b;

        pthread_mutex_lock(&lock);
        while (LIST_EMPTY(&all))
            pthread_cond_wait(&some, &lock);
        LIST_FOREACH(b, &all, link)
        {
            // cppcheck-suppress uninitvar ; LIST_FOREACH has set it
            if (b->verdict == 0)
                b->verdict = judge(b);
            if (b->verdict != 0) /* again: it may have come just before the wait began */
                pthread_kill(b->thread, SIGUSR1);
        }
        pthread_mutex_unlock(&lock);
        nanosleep(&tick, NULL);
    }
    return NULL;
}

int blocked_init(void)
{
    struct sigaction sa = {.sa_handler = on_kick};
    pthread_t thread;

    if (sigaction(SIGUSR1, &sa, NULL) < 0)
        return -errno;
    return -pthread_create(&thread, NULL, watch, NULL);
}

void blocked_begin(struct blocked *b, const struct target *t)
{
    *b = (struct blocked){.target = t, .thread = pthread_self()};
    pthread_mutex_lock(&lock);
    if (LIST_EMPTY(&all))
        pthread_cond_signal(&some);
    LIST_INSERT_HEAD(&all, b, link);
    pthread_mutex_unlock(&lock);
}

int64_t blocked_end(struct blocked *b)
{
    pthread_mutex_lock(&lock);
    LIST_REMOVE(b, link);
    pthread_mutex_unlock(&lock);
    return b->verdict;
}
