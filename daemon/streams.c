/* SPDX-License-Identifier: MIT */
/* All streams of one core: their life, their turns, their stop; see stream.h. */
#include "daemon/stream.h"

#include "daemon/workers.h"

#include <errno.h>
#include <stdlib.h>

int streams_init(struct streams *all, struct stack *stack, struct poller *poller,
                 struct reaper *reaper, struct policy *policy)
{
    int rc;

    *all = (struct streams){
        .stack = stack, .poller = poller, .reaper = reaper, .policy = policy, .filler.file = -1};
    TAILQ_INIT(&all->list);
    TAILQ_INIT(&all->ready);
    TAILQ_INIT(&all->listeners);
    TAILQ_INIT(&all->awake);
    TAILQ_INIT(&all->resting);
    cookies_init(&all->cookies);
    all->scrap = malloc(STREAM_SCRAP);
    rc = all->scrap ? tombstones_init(&all->tombs) : -ENOMEM;
    if (rc == 0)
        rc = filler_init(&all->filler);
    if (rc == 0)
        rc = stream_probe(all);
    if (rc < 0)
        streams_destroy(all);
    return rc;
}

void streams_destroy(struct streams *all)
{
    streams_abort(all);
    if (all->poller)
        poller_bury(all->poller);
    filler_destroy(&all->filler);
    tombstones_destroy(&all->tombs, all->now);
    cookies_destroy(&all->cookies);
    free(all->scrap);
    all->scrap = NULL;
}

struct stream *stream_find(struct streams *all, uint64_t cookie)
{
    return cookies_get(&all->cookies, cookie);
}

void stream_again(struct stream *s)
{
    if (s->ready || s->state == STREAM_ENDED)
        return;
    s->ready = true;
    TAILQ_INSERT_TAIL(&s->all->ready, s, ready_link);
}

bool streams_run(struct streams *all)
{
    struct stream *s;

    for (int i = 0; i < POLLER_BATCH && (s = TAILQ_FIRST(&all->ready)) != NULL; i++) {
        TAILQ_REMOVE(&all->ready, s, ready_link);
        s->ready = false;
        stream_work(s);
    }
    return !TAILQ_EMPTY(&all->ready);
}

void streams_stop(struct streams *all)
{
    struct stream *s, *next;

    all->stopping = true;
    tombstones_clear(&all->tombs, all->now);
    for (s = TAILQ_FIRST(&all->list); s; s = next) {
        next = TAILQ_NEXT(s, link);
        if (s->state == STREAM_LISTENING)
            stream_listen_remember(s);
        s->closing = s->news = true;
        stream_again(s);
    }
}

void streams_policy_changed(struct streams *all)
{
    for (struct stream *s = TAILQ_FIRST(&all->list); s; s = TAILQ_NEXT(s, link)) {
        struct policy_owner *o = &s->owner;

        o->rights = rights_again(all->policy->rights, o->uid, o->rights);
        if (s->sock)
            (void)sock_change_quota(s->sock, o->uid, rights_memory(o->rights));
    }
}

void streams_abort(struct streams *all)
{
    struct stream *s;

    while ((s = TAILQ_FIRST(&all->list)) != NULL) {
        s->closing = true;
        stream_reset(s);
    }
}
