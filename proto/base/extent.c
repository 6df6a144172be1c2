/* SPDX-License-Identifier: MIT */
/*
 * One list of idle extents per size, last in first out: the most recently used is the warmest.
 */
#include "proto/base/extent.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

static bool size_valid(uint32_t size)
{
    return size >= EXTENT_MIN && size <= EXTENT_MAX && (size & (size - 1)) == 0;
}

static unsigned class_of(uint32_t size)
{
    return (unsigned)(__builtin_ctz(size) - __builtin_ctz(EXTENT_MIN));
}

static void *idle_pop(struct extent_pool *p, unsigned class)
{
    void *base = p->idle[class];

    if (base) {
        memcpy(&p->idle[class], base, sizeof(void *));
        p->cached -= (size_t)EXTENT_MIN << class;
    }
    return base;
}

static void idle_flush(struct extent_pool *p)
{
    void *base;

    for (unsigned class = 0; class < EXTENT_CLASSES; class ++)
        while ((base = idle_pop(p, class)))
            mem_free(p->mem, base, (size_t)EXTENT_MIN << class);
}

void extent_pool_init(struct extent_pool *p, struct mem *mem, size_t cache_limit_bytes)
{
    *p = (struct extent_pool){.mem = mem, .cache_limit = cache_limit_bytes};
}

bool extent_pool_reclaim(void *pool)
{
    struct extent_pool *p = pool;

    if (!p->cached)
        return false;
    idle_flush(p);
    return true;
}

struct extent extent_get(struct extent_pool *p, uint32_t size)
{
    struct extent e = {0};

    if (!size_valid(size))
        return e;
    e.base = idle_pop(p, class_of(size));
    if (!e.base)
        e.base = mem_alloc(p->mem, size);
    if (!e.base && p->cached) {
        idle_flush(p);
        e.base = mem_alloc(p->mem, size);
    }
    if (e.base) {
        e.size = size;
        p->in_use += size;
    }
    return e;
}

void extent_put(struct extent_pool *p, struct extent e)
{
    unsigned class;

    if (!e.base)
        return;
    assert(size_valid(e.size));
    p->in_use -= e.size;
    if (p->cached > p->cache_limit || e.size > p->cache_limit - p->cached) {
        mem_free(p->mem, e.base, e.size);
        return;
    }
    class = class_of(e.size);
    memcpy(e.base, &p->idle[class], sizeof(p->idle[class]));
    p->idle[class] = e.base;
    p->cached += e.size;
}

void extent_pool_destroy(struct extent_pool *p)
{
    idle_flush(p);
}
