/* SPDX-License-Identifier: MIT */
/* Frames from one worker to another; see handover.h. */
#include "daemon/handover.h"

#include <stdlib.h>
#include <string.h>

/* Behind it and fourteen bytes of Ethernet's, IP's header is aligned. */
#define PAD 2

static struct frame *copy(const struct frame *f)
{
    struct frame *c = malloc(sizeof(*c) + PAD + f->len);

    if (!c)
        return NULL;
    memcpy(c, f, offsetof(struct frame, spans));
    c->data = (uint8_t *)(c + 1) + PAD;
    memcpy(c->data, f->data, f->len);
    return c;
}

bool handover_give(struct handover *h, const struct frame *f)
{
    uint32_t given = h->given; /* nobody else writes it */
    struct frame *c;

    if (given - __atomic_load_n(&h->taken, __ATOMIC_ACQUIRE) == HANDOVER_SLOTS)
        return false;
    c = copy(f);
    if (!c)
        return false;
    h->slots[given % HANDOVER_SLOTS] = c;
    __atomic_store_n(&h->given, given + 1, __ATOMIC_RELEASE);
    return true;
}

struct frame *handover_take(struct handover *h)
{
    uint32_t taken = h->taken;
    struct frame *f;

    if (taken == __atomic_load_n(&h->given, __ATOMIC_ACQUIRE))
        return NULL;
    f = h->slots[taken % HANDOVER_SLOTS];
    __atomic_store_n(&h->taken, taken + 1, __ATOMIC_RELEASE);
    return f;
}
