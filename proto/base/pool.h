/* SPDX-License-Identifier: MIT */
/*
 * Pool of objects of one size, cut from slabs of about 16 KiB (40 KiB for large ones).
 * Behind each object stands one word: its slab while the object is out, the next free object while
 * it is in. Slabs that become wholly free go back to struct mem, except for one spare. Under
 * AddressSanitizer the objects in the pool are poisoned, so a use after pool_put is caught.
 */
#ifndef TS_PROTO_BASE_POOL_H
#define TS_PROTO_BASE_POOL_H

#include <stddef.h>
#include <stdint.h>

#include "proto/base/list.h"
#include "proto/base/mem.h"

struct pool_slab;

struct pool {
    struct mem *mem;
    size_t object_size;
    size_t in_use;   /* objects handed out */
    size_t capacity; /* objects that the present slabs hold, handed out or not */

    /* private */
    size_t stride;           /* from one object to the next, bytes */
    size_t slab_size;        /* bytes asked from mem for one slab */
    uint32_t per_slab;       /* objects in one slab */
    struct list partial;     /* slabs with some objects out and some in */
    struct list full;        /* slabs with all objects out */
    struct pool_slab *spare; /* one wholly free slab, or NULL */
};

/*
 * Make an empty pool of objects of object_size (> 0) bytes; allocates nothing. Objects of 64 bytes
 * and more are aligned to 64, smaller ones to 16. mem must outlive the pool.
 */
void pool_init(struct pool *pool, struct mem *mem, size_t object_size);

/* A zeroed object, to be given back by pool_put; NULL when mem has no more. */
void *pool_get(struct pool *pool);

/* Give an object of this pool back; obj may be NULL. */
void pool_put(struct pool *pool, void *obj);

/* Give all slabs back to mem, also those whose objects are still out: these die with the pool. */
void pool_destroy(struct pool *pool);

#endif
