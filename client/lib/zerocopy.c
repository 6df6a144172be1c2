/* SPDX-License-Identifier: MIT */
#include "client/lib/zerocopy.h"

#include <stdlib.h>

static struct zerocopy_range *at(const struct zerocopy *z, unsigned i)
{
    return &z->ranges[(z->head + i) % ZEROCOPY_CALLS];
}

static void pop(struct zerocopy *z)
{
    z->head = (z->head + 1) % ZEROCOPY_CALLS;
    z->n--;
}

/* Numbers are consecutive always; a range must not have all of them, or it would look empty. */
static bool alike(const struct zerocopy_range *a, const struct zerocopy_range *b)
{
    return a->code == b->code && (uint32_t)(b->last - a->first) >= (uint32_t)(b->last - b->first) &&
           (uint32_t)(b->last - a->first) != UINT32_MAX;
}

static bool may_be_one(const struct zerocopy_range *a, const struct zerocopy_range *b,
                       uint64_t acked)
{
    return alike(a, b) && (b->end <= acked || b->end - a->start <= ZEROCOPY_MERGE);
}

static void fold(struct zerocopy *z, uint64_t acked)
{
    unsigned kept = 0;

    for (unsigned i = 1; i < z->n; i++) {
        struct zerocopy_range *a = at(z, kept), *b = at(z, i);

        if (may_be_one(a, b, acked)) {
            a->end = b->end;
            a->last = b->last;
        } else {
            *at(z, ++kept) = *b;
        }
    }
    z->n = kept + 1;
}

bool zerocopy_make_room(struct zerocopy *z, uint64_t acked)
{
    if (!z->ranges)
        z->ranges = calloc(ZEROCOPY_CALLS, sizeof(*z->ranges));
    if (z->n == ZEROCOPY_CALLS)
        fold(z, acked);
    return z->ranges && z->n < ZEROCOPY_CALLS;
}

void zerocopy_add(struct zerocopy *z, uint64_t start, uint64_t end, uint8_t code)
{
    *at(z, z->n++) = (struct zerocopy_range){start, end, z->next, z->next, code};
    z->next++;
}

uint64_t zerocopy_due_at(const struct zerocopy *z)
{
    return z->n ? at(z, 0)->end : UINT64_MAX;
}

bool zerocopy_take(struct zerocopy *z, uint64_t acked, struct zerocopy_range *out)
{
    if (zerocopy_due_at(z) > acked || !z->n)
        return false;
    *out = *at(z, 0);
    pop(z);
    while (zerocopy_due_at(z) <= acked && z->n && alike(out, at(z, 0))) {
        out->end = at(z, 0)->end;
        out->last = at(z, 0)->last;
        pop(z);
    }
    return true;
}

void zerocopy_free(struct zerocopy *z)
{
    free(z->ranges);
}
