/* SPDX-License-Identifier: MIT */
/*
 * Intrusive chained hash table that grows a little at every insertion.
 * Growth allocates an array of twice the size and moves a few buckets per insertion; a cursor tells
 * whether a hash's bucket is in the old array or already in the new one, so a lookup reads one
 * chain. A bucket of the new array is written first when its old one moves, so not even clearing it
 * costs a pause. Nodes belong to the caller; the hash must be well mixed in its low bits
 * (siphash13).
 */
#ifndef TS_PROTO_BASE_HASH_H
#define TS_PROTO_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#include "proto/base/mem.h"

struct hash_node {
    struct hash_node *next;
    uint64_t hash;
};

struct hash_table {
    /* private */
    struct mem *mem;
    struct hash_node **buckets; /* the present array, the old one during growth */
    struct hash_node **grown;   /* the array of twice the size during growth, else NULL */
    size_t size;                /* buckets in `buckets`, a power of two */
    size_t moved;               /* buckets [0, moved) have moved to `grown` */
    size_t count;
    size_t grow_at; /* count at which growth is tried (again) */
};

/*
 * Make an empty table of at least initial_buckets (rounded up to a power of two, at least 8).
 * Returns 0 or -ENOMEM. mem must outlive the table.
 */
int hash_init(struct hash_table *t, struct mem *mem, size_t initial_buckets);

/*
 * Put in a node, which is in no table, under hash; equal hashes may be there already, and are then
 * found behind this one. Never fails: without memory to grow the table keeps its size.
 */
void hash_insert(struct hash_table *t, struct hash_node *node, uint64_t hash);

/* Take out a node, which must be in this table. */
void hash_remove(struct hash_table *t, struct hash_node *node);

/* The newest node with exactly this hash, NULL when there is none. */
struct hash_node *hash_first(const struct hash_table *t, uint64_t hash);

/* The next older node with the same hash as node, NULL when there is none. */
struct hash_node *hash_next_same(const struct hash_node *node);

/* The number of nodes in the table. */
size_t hash_count(const struct hash_table *t);

/*
 * Call cb for every node, in no particular order. cb may remove (and free) the node that it is
 * given; it may not change the table otherwise.
 */
void hash_each(struct hash_table *t, void (*cb)(struct hash_node *node, void *ctx), void *ctx);

/*
 * As hash_each, for the nodes of one part of the table only; *cursor, 0 at first, is moved on to
 * the next. So many calls as there are buckets see each node that stays in the table once; growth
 * in between may show some twice.
 */
void hash_each_next(struct hash_table *t, size_t *cursor,
                    void (*cb)(struct hash_node *node, void *ctx), void *ctx);

/* Free the arrays. Nodes still in the table are forgotten, not freed. */
void hash_destroy(struct hash_table *t);

#endif
