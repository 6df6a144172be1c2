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
    *c = (struct captures){.copy = NULL};
    TAILQ_INIT(&c->sinks);
}

void captures_destroy(struct captures *c)
{
    free(c->copy);
    c->copy = NULL;
}

int captures_add(struct captures *c, struct capture_sink *s)
{
    if (!c->copy)
        c->copy = malloc(CAPTURE_FRAME_MAX);
    if (!c->copy)
        return -ENOMEM;
    TAILQ_INSERT_TAIL(&c->sinks, s, link);
    return 0;
}

void captures_remove(struct captures *c, struct capture_sink *s)
{
    TAILQ_REMOVE(&c->sinks, s, link);
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

void captures_frame(struct captures *c, const struct frame *f, uint32_t direction)
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
    c->news = true;
}

void captures_round(struct captures *c)
{
    struct capture_sink *s, *next;

    if (!c->news)
        return;
    c->news = false;
    for (s = TAILQ_FIRST(&c->sinks); s; s = next) {
        next = TAILQ_NEXT(s, link);
        if (s->round)
            s->round(s);
    }
}

bool captures_flush(struct captures *c)
{
    bool regular = false;

    for (struct capture_sink *s = TAILQ_FIRST(&c->sinks); s; s = TAILQ_NEXT(s, link)) {
        if (!s->flush)
            continue;
        s->flush(s);
        regular = true;
    }
    return regular;
}
