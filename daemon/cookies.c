/* SPDX-License-Identifier: MIT */
/* A table from socket cookies to pointers; see cookies.h. The kernel chooses the keys: a
 * multiplicative hash will do. */
#include "daemon/cookies.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#define COOKIES_MIN 64

void cookies_init(struct cookies *t)
{
    *t = (struct cookies){0};
}

void cookies_destroy(struct cookies *t)
{
    free(t->slots);
    cookies_init(t);
}

static size_t home(const struct cookies *t, uint64_t cookie)
{
    return (size_t)((cookie * 0x9e3779b97f4a7c15ull) >> 32) & (t->size - 1);
}

/* The slot of the cookie, or the free one where it would go. The table has a free slot. */
static struct cookies_slot *find(const struct cookies *t, uint64_t cookie)
{
    size_t i = home(t, cookie);

    while (t->slots[i].value && t->slots[i].cookie != cookie)
        i = (i + 1) & (t->size - 1);
    return &t->slots[i];
}

static int grow(struct cookies *t)
{
    struct cookies old = *t;
    size_t size = old.size ? 2 * old.size : COOKIES_MIN;
    struct cookies_slot *slots = calloc(size, sizeof(*slots));

    if (!slots)
        return -ENOMEM;
    t->slots = slots;
    t->size = size;
    for (size_t i = 0; i < old.size; i++)
        if (old.slots[i].value)
            *find(t, old.slots[i].cookie) = old.slots[i];
    free(old.slots);
    return 0;
}

int cookies_put(struct cookies *t, uint64_t cookie, void *value)
{
    struct cookies_slot *slot;

    if (4 * (t->used + 1) > 3 * t->size) {
        int rc = grow(t);
        if (rc < 0)
            return rc;
    }
    slot = find(t, cookie);
    t->used += !slot->value;
    *slot = (struct cookies_slot){.cookie = cookie, .value = value};
    return 0;
}

void *cookies_get(const struct cookies *t, uint64_t cookie)
{
    return t->size ? find(t, cookie)->value : NULL;
}

void *cookies_remove(struct cookies *t, uint64_t cookie)
{
    struct cookies_slot *slot = t->size ? find(t, cookie) : NULL;
    size_t hole, i, mask = t->size - 1;
    void *value;

    if (!slot || !slot->value)
        return NULL;
    value = slot->value;
    t->used--;
    hole = i = (size_t)(slot - t->slots);
    for (;;) {
        i = (i + 1) & mask;
        if (!t->slots[i].value)
            break;
        /* An entry may move into the hole unless its home lies after the hole, cyclically. */
        if (((i - home(t, t->slots[i].cookie)) & mask) >= ((i - hole) & mask)) {
            t->slots[hole] = t->slots[i];
            hole = i;
        }
    }
    t->slots[hole] = (struct cookies_slot){0};
    return value;
}
