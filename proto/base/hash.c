/* SPDX-License-Identifier: MIT */
/*
 * During growth from n to 2n buckets, bucket b of the old array becomes b and b + n of the new one.
 * It moves whole, in one step, which is also the first write to these two; so below the cursor only
 * the new array counts, and from it on only the old one.
 */
#include "proto/base/hash.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#define HASH_MIN 8u
#define HASH_STEP                                                                                  \
    2u /* buckets moved per insertion; one would do to be done before the next growth */

/* The head of the chain that holds `hash`. */
static struct hash_node **bucket_of(const struct hash_table *t, uint64_t hash)
{
    size_t b = hash & (t->size - 1);

    if (b < t->moved)
        return &t->grown[hash & (2 * t->size - 1)];
    return &t->buckets[b];
}

int hash_init(struct hash_table *t, struct mem *mem, size_t initial_buckets)
{
    size_t size = HASH_MIN;

    while (size < initial_buckets && size <= SIZE_MAX / 4 / sizeof(*t->buckets))
        size *= 2;
    *t = (struct hash_table){.mem = mem, .size = size, .grow_at = size};
    t->buckets = mem_zalloc(mem, size * sizeof(*t->buckets));
    return t->buckets ? 0 : -ENOMEM;
}

static void growth_begin(struct hash_table *t)
{
    t->grown = mem_alloc(t->mem, 2 * t->size * sizeof(*t->grown));
    t->moved = 0;
    /* Without memory, not at every insertion again. */
    if (!t->grown)
        t->grow_at = t->count + t->size / 8;
}

static void growth_end(struct hash_table *t)
{
    mem_free(t->mem, t->buckets, t->size * sizeof(*t->buckets));
    t->buckets = t->grown;
    t->grown = NULL;
    t->size *= 2;
    t->moved = 0;
    t->grow_at = t->size;
}

/* Move the bucket at the cursor, keeping the order of its nodes. */
static void growth_step(struct hash_table *t)
{
    struct hash_node *node = t->buckets[t->moved];
    struct hash_node **low = &t->grown[t->moved];
    struct hash_node **high = &t->grown[t->moved + t->size];

    for (; node; node = node->next) {
        if (node->hash & t->size) {
            *high = node;
            high = &node->next;
        } else {
            *low = node;
            low = &node->next;
        }
    }
    *low = NULL;
    *high = NULL;
    if (++t->moved == t->size)
        growth_end(t);
}

void hash_insert(struct hash_table *t, struct hash_node *node, uint64_t hash)
{
    struct hash_node **head;

    if (!t->grown && t->count >= t->grow_at)
        growth_begin(t);
    for (unsigned i = 0; i < HASH_STEP && t->grown; i++)
        growth_step(t);
    head = bucket_of(t, hash);
    node->hash = hash;
    node->next = *head;
    *head = node;
    t->count++;
}

void hash_remove(struct hash_table *t, struct hash_node *node)
{
    struct hash_node **at = bucket_of(t, node->hash);

    while (*at != node) {
        assert(*at);
        at = &(*at)->next;
    }
    *at = node->next;
    node->next = NULL;
    t->count--;
}

static struct hash_node *same_hash(struct hash_node *node, uint64_t hash)
{
    while (node && node->hash != hash)
        node = node->next;
    return node;
}

struct hash_node *hash_first(const struct hash_table *t, uint64_t hash)
{
    return same_hash(*bucket_of(t, hash), hash);
}

struct hash_node *hash_next_same(const struct hash_node *node)
{
    return same_hash(node->next, node->hash);
}

size_t hash_count(const struct hash_table *t)
{
    return t->count;
}

static void each_in_chain(struct hash_node *node, void (*cb)(struct hash_node *node, void *ctx),
                          void *ctx)
{
    struct hash_node *next;

    for (; node; node = next) {
        next = node->next;
        cb(node, ctx);
    }
}

/* What was in bucket b of the present array, wherever it is now. */
static void each_in_bucket(struct hash_table *t, size_t b,
                           void (*cb)(struct hash_node *node, void *ctx), void *ctx)
{
    if (b >= t->moved) {
        each_in_chain(t->buckets[b], cb, ctx);
        return;
    }
    each_in_chain(t->grown[b], cb, ctx);
    each_in_chain(t->grown[b + t->size], cb, ctx);
}

void hash_each(struct hash_table *t, void (*cb)(struct hash_node *node, void *ctx), void *ctx)
{
    for (size_t b = 0; b < t->size; b++)
        each_in_bucket(t, b, cb, ctx);
}

void hash_each_next(struct hash_table *t, size_t *cursor,
                    void (*cb)(struct hash_node *node, void *ctx), void *ctx)
{
    if (*cursor >= t->size)
        *cursor = 0;
    each_in_bucket(t, (*cursor)++, cb, ctx);
}

void hash_destroy(struct hash_table *t)
{
    mem_free(t->mem, t->buckets, t->size * sizeof(*t->buckets));
    mem_free(t->mem, t->grown, 2 * t->size * sizeof(*t->grown));
    *t = (struct hash_table){0};
}
