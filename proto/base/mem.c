/* SPDX-License-Identifier: MIT */
/*
 * The account over the two functions of struct mem, and malloc as their default.
 */
#include "proto/base/mem.h"

#include <stdlib.h>
#include <string.h>

static void *malloc_alloc(void *ctx, size_t size)
{
    (void)ctx;
    if (size % MEM_PAGE == 0)
        return aligned_alloc(MEM_PAGE, size);
    return malloc(size);
}

static void malloc_release(void *ctx, void *ptr, size_t size)
{
    (void)ctx;
    (void)size;
    free(ptr);
}

void mem_init(struct mem *m, size_t limit)
{
    *m = (struct mem){.alloc = malloc_alloc, .release = malloc_release, .limit = limit};
}

static void count(struct mem *m, size_t by)
{
    m->used += by;
    if (m->shared)
        __atomic_fetch_add(m->shared, by, __ATOMIC_RELAXED);
}

static bool has_room(const struct mem *m, size_t size)
{
    size_t limit = m->limit ? m->limit : SIZE_MAX, used = mem_in_use(m);

    /* The limit may have been lowered below what is in use. */
    return used <= limit && size <= limit - used;
}

static void *within_limit(struct mem *m, size_t size)
{
    return has_room(m, size) ? m->alloc(m->ctx, size) : NULL;
}

bool mem_charge(struct mem *m, size_t size)
{
    if (!has_room(m, size) && !(m->reclaim && m->reclaim(m->reclaim_ctx) && has_room(m, size))) {
        m->failures++;
        return false;
    }
    count(m, size);
    return true;
}

void mem_uncharge(struct mem *m, size_t size)
{
    count(m, 0 - size);
}

void *mem_alloc(struct mem *m, size_t size)
{
    void *ptr = within_limit(m, size);

    if (!ptr && m->reclaim && m->reclaim(m->reclaim_ctx))
        ptr = within_limit(m, size);
    if (!ptr) {
        m->failures++;
        return NULL;
    }
    count(m, size);
    return ptr;
}

void *mem_zalloc(struct mem *m, size_t size)
{
    void *ptr = mem_alloc(m, size);

    if (ptr)
        memset(ptr, 0, size);
    return ptr;
}

void mem_free(struct mem *m, void *ptr, size_t size)
{
    if (!ptr)
        return;
    count(m, 0 - size);
    m->release(m->ctx, ptr, size);
}
