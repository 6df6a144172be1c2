/* SPDX-License-Identifier: MIT */
/*
 * The one source of memory for the core: a table of two functions, an account and a limit.
 * Everything in proto/ allocates through it, so the daemon can bound memory and a test can make the
 * Nth allocation fail. Whoever frees says the size again, so nothing is stored beside the blocks.
 */
#ifndef TS_PROTO_BASE_MEM_H
#define TS_PROTO_BASE_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MEM_PAGE 4096u

struct mem {
    /*
     * Give `size` (> 0) bytes or NULL. Blocks are aligned for any C type; blocks whose size is a
     * multiple of MEM_PAGE are aligned to MEM_PAGE.
     */
    void *(*alloc)(void *ctx, size_t size);
    /* Take back a block of alloc; size is what was asked for. */
    void (*release)(void *ctx, void *ptr, size_t size);
    void *ctx; /* handed to both */
    /* NULL, or: give back what is only kept for speed, before an allocation is refused; false when
     * there was nothing. */
    bool (*reclaim)(void *ctx);
    void *reclaim_ctx;
    size_t used;       /* bytes handed out now */
    size_t *shared;    /* NULL, or the same sum of all that have one limit, each in its thread */
    size_t limit;      /* most bytes at any one time, 0 for no limit */
    uint64_t failures; /* allocations refused, by the limit or by alloc */
};

/* What counts against the limit. */
static inline size_t mem_in_use(const struct mem *m)
{
    return m->shared ? __atomic_load_n(m->shared, __ATOMIC_RELAXED) : m->used;
}

/* Set m up over malloc and free. limit: bytes, 0 for no limit. alloc, release, ctx may then be
 * replaced. */
void mem_init(struct mem *m, size_t limit);

/* Count `size` bytes that somebody else allocates for us. False (and a failure counted) when the
 * limit forbids it; mem_uncharge() takes it back. */
bool mem_charge(struct mem *m, size_t size);
void mem_uncharge(struct mem *m, size_t size);

/* `size` (> 0) uninitialised bytes, owned by the caller; NULL (and a failure counted) when there
 * are none. */
void *mem_alloc(struct mem *m, size_t size);

/* As mem_alloc, all bytes zero. */
void *mem_zalloc(struct mem *m, size_t size);

/* Give back a block of mem_alloc or mem_zalloc of exactly `size` bytes; ptr may be NULL. */
void mem_free(struct mem *m, void *ptr, size_t size);

#endif
