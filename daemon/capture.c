/* SPDX-License-Identifier: MIT */
/* Frames to all who capture; see capture.h. */
#include "daemon/capture.h"

#include "daemon/netdev/netdev.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

/* The largest of both directions, with its headers. */
#define CAPTURE_FRAME_MAX (FRAME_ROOM + FRAME_MAX_BURST)

void captures_init(struct captures *c)
{
    pthread_mutexattr_t recursive;

    *c = (struct captures){.copy = NULL};
    pthread_mutexattr_init(&recursive);
    pthread_mutexattr_settype(&recursive, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&c->lock, &recursive);
    pthread_mutexattr_destroy(&recursive);
    TAILQ_INIT(&c->sinks);
}

void captures_destroy(struct captures *c)
{
    free(c->copy);
    c->copy = NULL;
    pthread_mutex_destroy(&c->lock);
}

int captures_add(struct captures *c, struct capture_sink *s)
{
    int rc = 0;

    pthread_mutex_lock(&c->lock);
    if (!c->copy)
        c->copy = malloc(CAPTURE_FRAME_MAX);
    if (c->copy)
        TAILQ_INSERT_TAIL(&c->sinks, s, link);
    else
        rc = -ENOMEM;
    __atomic_store_n(&c->any, !TAILQ_EMPTY(&c->sinks), __ATOMIC_RELAXED);
    pthread_mutex_unlock(&c->lock);
    return rc;
}

void captures_remove(struct captures *c, struct capture_sink *s)
{
    pthread_mutex_lock(&c->lock);
    TAILQ_REMOVE(&c->sinks, s, link);
    __atomic_store_n(&c->any, !TAILQ_EMPTY(&c->sinks), __ATOMIC_RELAXED);
    pthread_mutex_unlock(&c->lock);
}

void capture_complete(struct capture_packet *p)
{
    const struct frame *f = p->frame;
    struct frame whole;

    p->frame = NULL;
    if (!f || f->csum != FRAME_CSUM_PARTIAL)
        return;
    frame_init(&whole);
    whole.data = p->data;
    whole.len = p->len;
    whole.csum = FRAME_CSUM_PARTIAL;
    whole.csum_start = f->csum_start;
    whole.csum_offset = f->csum_offset;
    frame_complete_csum(&whole, NULL);
}

static void give(struct captures *c, const struct frame *f, uint32_t direction)
{
    struct capture_packet p = {
        .data = c->copy, .len = frame_total(f), .direction = direction, .frame = f};
    struct capture_sink *s;
    struct timespec t;

    if (p.len > CAPTURE_FRAME_MAX)
        return;
    frame_flatten(f, c->copy);
    clock_gettime(CLOCK_REALTIME, &t);
    p.ns = (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
    TAILQ_FOREACH(s, &c->sinks, link)
    {
        s->packet(s, &p);
    }
    __atomic_store_n(&c->news, true, __ATOMIC_RELAXED);
}

void captures_frame(struct captures *c, const struct frame *f, uint32_t direction)
{
    pthread_mutex_lock(&c->lock);
    give(c, f, direction);
    pthread_mutex_unlock(&c->lock);
}

bool captures_have_news(struct captures *c)
{
    return __atomic_load_n(&c->news, __ATOMIC_RELAXED);
}

static void end_round(struct captures *c)
{
    struct capture_sink *s, *next;

    __atomic_store_n(&c->news, false, __ATOMIC_RELAXED);
    for (s = TAILQ_FIRST(&c->sinks); s; s = next) {
        next = TAILQ_NEXT(s, link);
        if (s->round)
            s->round(s);
    }
}

void captures_round(struct captures *c)
{
    if (!captures_have_news(c))
        return;
    pthread_mutex_lock(&c->lock);
    end_round(c);
    pthread_mutex_unlock(&c->lock);
}

bool captures_flush(struct captures *c)
{
    bool regular = false;

    pthread_mutex_lock(&c->lock);
    for (struct capture_sink *s = TAILQ_FIRST(&c->sinks); s; s = TAILQ_NEXT(s, link)) {
        if (!s->flush)
            continue;
        s->flush(s);
        regular = true;
    }
    pthread_mutex_unlock(&c->lock);
    return regular;
}
