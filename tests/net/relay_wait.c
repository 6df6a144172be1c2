/* SPDX-License-Identifier: MIT */
/* Frames under way; see relay_wait.h. */
#include "tests/net/relay_wait.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static bool before(const struct relay_frame *a, const struct relay_frame *b)
{
    return a->at != b->at ? a->at < b->at : a->order < b->order;
}

static int grow(struct relay_wait *w)
{
    size_t room = w->room ? 2 * w->room : 256;
    struct relay_frame **heap = realloc(w->heap, room * sizeof(*heap));

    if (!heap)
        return -ENOMEM;
    w->heap = heap;
    w->room = room;
    return 0;
}

int relay_wait_push(struct relay_wait *w, uint64_t at, int side, const void *data, uint32_t len)
{
    struct relay_frame *f;
    size_t i;

    if (w->count == w->room && grow(w) < 0)
        return -ENOMEM;
    f = malloc(sizeof(*f) + len);
    if (!f)
        return -ENOMEM;
    f->at = at;
    f->order = w->order++;
    f->side = side;
    f->len = len;
    memcpy(f->data, data, len);
    for (i = w->count++; i > 0 && before(f, w->heap[(i - 1) / 2]); i = (i - 1) / 2)
        w->heap[i] = w->heap[(i - 1) / 2];
    w->heap[i] = f;
    return 0;
}

const struct relay_frame *relay_wait_first(const struct relay_wait *w)
{
    return w->count ? w->heap[0] : NULL;
}

struct relay_frame *relay_wait_pop(struct relay_wait *w)
{
    struct relay_frame *first, *last;
    size_t i = 0;

    if (!w->count)
        return NULL;
    first = w->heap[0];
    last = w->heap[--w->count];
    for (;;) {
        size_t child = 2 * i + 1;
        if (child + 1 < w->count && before(w->heap[child + 1], w->heap[child]))
            child++;
        if (child >= w->count || !before(w->heap[child], last))
            break;
        w->heap[i] = w->heap[child];
        i = child;
    }
    w->heap[i] = last;
    return first;
}

void relay_wait_clear(struct relay_wait *w)
{
    for (size_t i = 0; i < w->count; i++)
        free(w->heap[i]);
    free(w->heap);
    memset(w, 0, sizeof(*w));
}
