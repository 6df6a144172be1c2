/* SPDX-License-Identifier: MIT */
/*
 * A slab: its header, then objects, each followed by its word (see pool.h). Objects that have never
 * been handed out are counted, not listed, so a new slab costs no walk over its memory.
 */
#include "proto/base/pool.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(ptr, size)   ((void)(ptr), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(ptr, size) ((void)(ptr), (void)(size))
#endif

#define SLAB_SIZE    (16u << 10)
#define SLAB_MOST    (40u << 10) /* if it wastes less */
#define SLAB_OBJECTS 8u          /* at least */
#define LARGE        1024u
#define CACHE_LINE   64u /* alignment of objects that are no smaller */
#define SMALL_ALIGN  16u

struct pool_slab {
    struct list link; /* in partial or full; unlinked when spare */
    uint8_t *objects;
    void *free;     /* first free object that has been out before */
    uint32_t fresh; /* objects [fresh, per_slab) have never been out */
    uint32_t out;
};

static size_t round_up(size_t n, size_t to)
{
    return (n + to - 1) / to * to;
}

static size_t pool_align(const struct pool *pool)
{
    return pool->object_size >= CACHE_LINE ? CACHE_LINE : SMALL_ALIGN;
}

/* The word behind an object: struct pool_slab * while out, the next free object while in. */
static void **object_word(const struct pool *pool, void *obj)
{
    return (void **)(void *)((uint8_t *)obj + pool->stride - sizeof(void *));
}

/* Of large objects few fit into a slab: let little be left over. */
static void choose_slab(struct pool *pool, size_t head)
{
    for (size_t size = pool->slab_size + MEM_PAGE; size <= SLAB_MOST; size += MEM_PAGE) {
        size_t n = (size - head) / pool->stride;

        if (size * pool->per_slab < pool->slab_size * n) {
            pool->slab_size = size;
            pool->per_slab = (uint32_t)n;
        }
    }
}

void pool_init(struct pool *pool, struct mem *mem, size_t object_size)
{
    size_t head;

    assert(object_size > 0);
    *pool = (struct pool){.mem = mem, .object_size = object_size};
    list_init(&pool->partial);
    list_init(&pool->full);
    pool->stride = round_up(object_size + sizeof(void *), pool_align(pool));
    /* mem may align to as little as 16: leave room to align the first object. */
    head = sizeof(struct pool_slab) + pool_align(pool);
    pool->slab_size = SLAB_SIZE;
    if (head + SLAB_OBJECTS * pool->stride > SLAB_SIZE)
        pool->slab_size = round_up(head + SLAB_OBJECTS * pool->stride, MEM_PAGE);
    pool->per_slab = (uint32_t)((pool->slab_size - head) / pool->stride);
    if (object_size >= LARGE)
        choose_slab(pool, head);
}

static struct pool_slab *slab_new(struct pool *pool)
{
    struct pool_slab *slab = mem_alloc(pool->mem, pool->slab_size);

    if (!slab)
        return NULL;
    *slab = (struct pool_slab){0};
    slab->objects = (uint8_t *)round_up((uintptr_t)(slab + 1), pool_align(pool));
    ASAN_POISON_MEMORY_REGION(slab->objects, pool->per_slab * pool->stride);
    pool->capacity += pool->per_slab;
    return slab;
}

static void slab_free(struct pool *pool, struct pool_slab *slab)
{
    list_del(&slab->link);
    pool->capacity -= pool->per_slab;
    ASAN_UNPOISON_MEMORY_REGION(slab->objects, pool->per_slab * pool->stride);
    mem_free(pool->mem, slab, pool->slab_size);
}

/* A slab, in the list partial, that has an object to give. */
static struct pool_slab *slab_with_room(struct pool *pool)
{
    struct list *first = list_first(&pool->partial);
    struct pool_slab *slab;

    if (first)
        return container_of(first, struct pool_slab, link);
    slab = pool->spare;
    pool->spare = NULL;
    if (!slab)
        slab = slab_new(pool);
    if (slab)
        list_add_head(&pool->partial, &slab->link);
    return slab;
}

void *pool_get(struct pool *pool)
{
    struct pool_slab *slab = slab_with_room(pool);
    void *obj;

    if (!slab)
        return NULL;
    obj = slab->free;
    if (!obj)
        obj = slab->objects + slab->fresh++ * pool->stride;
    ASAN_UNPOISON_MEMORY_REGION(obj, pool->object_size);
    ASAN_UNPOISON_MEMORY_REGION(object_word(pool, obj), sizeof(void *));
    if (slab->free)
        slab->free = *object_word(pool, obj);
    *object_word(pool, obj) = slab;
    if (++slab->out == pool->per_slab) {
        list_del(&slab->link);
        list_add_head(&pool->full, &slab->link);
    }
    pool->in_use++;
    memset(obj, 0, pool->object_size);
    return obj;
}

void pool_put(struct pool *pool, void *obj)
{
    struct pool_slab *slab;

    if (!obj)
        return;
    slab = *object_word(pool, obj);
    assert(slab->out > 0);
    *object_word(pool, obj) = slab->free;
    slab->free = obj;
    ASAN_POISON_MEMORY_REGION(obj, pool->stride);
    pool->in_use--;
    slab->out--;
    list_del(&slab->link);
    if (slab->out > 0)
        list_add_head(&pool->partial, &slab->link);
    else if (pool->spare)
        slab_free(pool, slab);
    else
        pool->spare = slab;
}

void pool_destroy(struct pool *pool)
{
    struct list *n;

    list_splice_tail(&pool->partial, &pool->full);
    while ((n = list_first(&pool->partial)))
        slab_free(pool, container_of(n, struct pool_slab, link));
    if (pool->spare)
        slab_free(pool, pool->spare);
    pool->spare = NULL;
    pool->in_use = 0;
}
