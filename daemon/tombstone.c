/* SPDX-License-Identifier: MIT */
/* What is remembered of ended connections: a ring in order of death, and an index by cookie. */
#include "daemon/tombstone.h"

#include <errno.h>
#include <stdlib.h>

int tombstones_init(struct tombstones *t)
{
    cookies_init(&t->index);
    t->next = t->count = 0;
    t->ring = calloc(TOMBSTONE_MAX, sizeof(*t->ring));
    return t->ring ? 0 : -ENOMEM;
}

static void forget(struct tombstones *t, struct tombstone *stone, uint64_t now)
{
    if (stone->sock)
        sock_close(stone->sock, now);
    if (stone->cookie && cookies_get(&t->index, stone->cookie) == stone)
        cookies_remove(&t->index, stone->cookie);
    *stone = (struct tombstone){0};
}

void tombstones_clear(struct tombstones *t, uint64_t now)
{
    for (uint32_t i = 0; t->ring && i < TOMBSTONE_MAX; i++) {
        if (t->ring[i].sock)
            sock_close(t->ring[i].sock, now);
        t->ring[i].sock = NULL;
    }
}

void tombstones_destroy(struct tombstones *t, uint64_t now)
{
    tombstones_clear(t, now);
    cookies_destroy(&t->index);
    free(t->ring);
    t->ring = NULL;
}

static struct tombstone *oldest(struct tombstones *t)
{
    return &t->ring[(t->next - t->count) % TOMBSTONE_MAX];
}

uint64_t tombstones_expire(struct tombstones *t, uint64_t now)
{
    for (; t->count > 0; t->count--) {
        struct tombstone *stone = oldest(t);

        if (stone->cookie && stone->expires > now)
            return stone->expires;
        forget(t, stone, now);
    }
    return UINT64_MAX;
}

void tombstone_put(struct tombstones *t, uint64_t cookie, int error, struct sock *sock,
                   uint64_t now)
{
    struct tombstone *stone = &t->ring[t->next];

    if (t->count == TOMBSTONE_MAX) {
        forget(t, stone, now); /* the oldest */
        t->count--;
    }
    *stone = (struct tombstone){
        .cookie = cookie, .expires = now + TOMBSTONE_US, .error = error, .sock = sock};
    if (cookies_put(&t->index, cookie, stone) < 0) {
        stone->cookie = 0;
        forget(t, stone, now);
        return;
    }
    t->next = (t->next + 1) % TOMBSTONE_MAX;
    t->count++;
}

struct tombstone *tombstone_find(struct tombstones *t, uint64_t cookie, uint64_t now)
{
    struct tombstone *stone = cookies_get(&t->index, cookie);

    if (!stone || stone->expires > now)
        return stone;
    forget(t, stone, now);
    return NULL;
}
