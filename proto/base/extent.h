/* SPDX-License-Identifier: MIT */
/*
 * Extents: the large blocks that stream buffers are made of, pooled by size.
 * Sizes are powers of two from 4 KiB to 16 MiB, so an extent is a ring addressed by
 * stream offset & (size - 1). Freed extents wait in a list per size, bounded in bytes, and are
 * given up when mem runs out of memory for another size.
 */
#ifndef TS_PROTO_BASE_EXTENT_H
#define TS_PROTO_BASE_EXTENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/mem.h"

#define EXTENT_MIN     4096u
#define EXTENT_MAX     (16u << 20)
#define EXTENT_CLASSES 13 /* 4 KiB, 8 KiB, ... 16 MiB */

/* Without padding: two of them lie in each of the two streams of every connection. */
struct extent {
    uint8_t *base; /* NULL: no extent */
    uint32_t size; /* bytes, a power of two */
} __attribute__((packed, aligned(4)));

struct extent_pool {
    size_t in_use; /* bytes of extents handed out */
    size_t cached; /* bytes of idle extents in the lists */

    /* private */
    struct mem *mem;
    size_t cache_limit;
    void
        *idle[EXTENT_CLASSES]; /* first idle extent per size, which holds the pointer to the next */
};

/* Make an empty pool that keeps at most cache_limit_bytes idle. mem must outlive it. */
void extent_pool_init(struct extent_pool *p, struct mem *mem, size_t cache_limit_bytes);

/*
 * An extent of `size` bytes (a power of two, EXTENT_MIN to EXTENT_MAX), aligned to 4096, its
 * content undefined; to be given back by extent_put. base is NULL (and size 0) when there is no
 * memory or the size is not valid.
 */
struct extent extent_get(struct extent_pool *p, uint32_t size);

/* Give an extent of this pool back; nothing happens when its base is NULL. */
void extent_put(struct extent_pool *p, struct extent e);

/* The idle extents go back to mem (struct mem.reclaim; pool: a struct extent_pool). False when
 * there were none. */
bool extent_pool_reclaim(void *pool);

/* Give the idle extents back to mem; those handed out must have come back before. */
void extent_pool_destroy(struct extent_pool *p);

#endif
