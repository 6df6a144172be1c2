/* SPDX-License-Identifier: MIT */
/* What is remembered of ended connections: a ring in order of death, and an index by cookie. */
#include "daemon/tombstone.h"

#include <errno.h>
#include <stdlib.h>

int tombstones_init(struct tombstones *t)
{
    cookies_init(&t->index);
    t->next = 0;
    t->ring = calloc(TOMBSTONE_MAX, sizeof(*t->ring));
    return t->ring ? 0 : -ENOMEM;
}

void tombstones_destroy(struct tombstones *t)
{
    cookies_destroy(&t->index);
    free(t->ring);
    t->ring = NULL;
}

void tombstone_put(struct tombstones *t, uint64_t cookie, int error, uint64_t now)
{
    struct tombstone *stone = &t->ring[t->next];

    if (stone->cookie && cookies_get(&t->index, stone->cookie) == stone)
        cookies_remove(&t->index, stone->cookie);
    *stone = (struct tombstone){.cookie = cookie, .expires = now + TOMBSTONE_US, .error = error};
    if (cookies_put(&t->index, cookie, stone) < 0)
        return;
    t->next = (t->next + 1) % TOMBSTONE_MAX;
}

struct tombstone *tombstone_find(struct tombstones *t, uint64_t cookie, uint64_t now)
{
    struct tombstone *stone = cookies_get(&t->index, cookie);

    if (!stone || stone->expires > now)
        return stone;
    cookies_remove(&t->index, cookie);
    stone->cookie = 0;
    return NULL;
}
