/* SPDX-License-Identifier: MIT */
/*
 * Whose memory it is: what the connections of one owner take of the stack's memory, and how much
 * that may be. A connection's streams lead to its account, so it needs no field of its own. Up to
 * three quarters of the limit may be taken by what the owner does (connections, bytes to send); the
 * rest is for what peers were promised, as in the stack as a whole. The smallest extent is never
 * refused (Linux: tcp_wmem[0], tcp_rmem[0]): each connection can go on, however much the others
 * hold.
 */
#ifndef TS_PROTO_BASE_ACCOUNT_H
#define TS_PROTO_BASE_ACCOUNT_H

#include "proto/base/extent.h"
#include "proto/base/hash.h"

#include <stdbool.h>
#include <stdint.h>

struct account {
    struct extent_pool *extents;
    struct account *payer; /**< NULL, or: extents come from here, and are charged there */
    uint64_t used;         /**< bytes charged now */
    uint64_t *shared;      /**< NULL, or the owner's sum in all stacks on one address */
    uint64_t limit;        /**< 0: none but the stack's */
    uint32_t members;      /**< connections */
    struct hash_node node; /**< the owner's, by his number */
};

/** What counts against the limit. */
static inline uint64_t account_used(const struct account *a)
{
    return a->shared ? __atomic_load_n(a->shared, __ATOMIC_RELAXED) : a->used;
}

static inline void account_charge(struct account *a, uint64_t bytes)
{
    a->used += bytes;
    if (a->shared)
        __atomic_fetch_add(a->shared, bytes, __ATOMIC_RELAXED);
}

static inline void account_refund(struct account *a, uint64_t bytes)
{
    account_charge(a, 0 - bytes);
}

void account_init(struct account *a, struct extent_pool *extents, uint64_t limit);

/** May the owner take `bytes` more by what he does himself? */
static inline bool account_may_take(const struct account *a, uint64_t bytes)
{
    return !a->limit || account_used(a) + bytes <= a->limit - a->limit / 4;
}

/** Above a half, buffers and windows stop growing. */
static inline bool account_is_short(const struct account *a)
{
    return a->limit && account_used(a) > a->limit / 2;
}

/** Is there room for `bytes` that a peer was promised? */
static inline bool account_has_room(const struct account *a, uint64_t bytes)
{
    return !a->limit || account_used(a) + bytes <= a->limit;
}

static inline struct account *account_payer(struct account *a)
{
    return a->payer ? a->payer : a;
}

/** As extent_get() and extent_put(), on the account. */
struct extent account_extent_get(struct account *a, uint32_t size);
void account_extent_put(struct account *a, struct extent e);

#endif
