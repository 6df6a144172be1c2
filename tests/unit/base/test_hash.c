/* SPDX-License-Identifier: MIT */
/* The hash table with incremental growth. */
#include "proto/base/hash.h"

#include <errno.h>
#include <string.h>

#include "proto/base/list.h"
#include "proto/base/rng.h"
#include "tests/unit/base/mem_failing.h"

#define MANY 5000

struct item {
    struct hash_node node;
    uint64_t hash;
    unsigned stamp; /* order of insertion, 0 when out of the table */
    unsigned seen;
};

static struct item items[MANY];
static const uint8_t seed[16] = "hash";

static struct item *item_of(struct hash_node *node)
{
    return container_of(node, struct item, node);
}

/* Whether the chain of one hash shows each of its items once, the newest first. */
static void check_hash(const struct hash_table *t, uint64_t hash)
{
    unsigned stamp = ~0u;
    size_t found = 0, expected = 0;

    for (struct hash_node *n = hash_first(t, hash); n; n = hash_next_same(n)) {
        assert_true(item_of(n)->hash == hash);
        assert_true(item_of(n)->stamp < stamp);
        stamp = item_of(n)->stamp;
        found++;
    }
    for (size_t i = 0; i < MANY; i++)
        expected += items[i].stamp && items[i].hash == hash;
    assert_int_equal(found, expected);
}

/* Random insertions and removals over a mem; distinct: how many hashes there are. */
static void run_model(struct mem *m, uint64_t distinct, unsigned insert_percent)
{
    struct hash_table t;
    struct rng rng;
    size_t count = 0;

    rng_init(&rng, seed);
    memset(items, 0, sizeof(items));
    assert_int_equal(hash_init(&t, m, 1), 0);
    for (unsigned step = 1; step <= 30000; step++) {
        struct item *it = &items[rng_below(&rng, MANY)];

        if (it->stamp) {
            if (rng_below(&rng, 100) < insert_percent)
                continue;
            hash_remove(&t, &it->node);
            it->stamp = 0;
            count--;
        } else {
            it->hash = rng_below(&rng, distinct) * 0x9e3779b97f4a7c15;
            it->stamp = step;
            hash_insert(&t, &it->node, it->hash);
            count++;
        }
        assert_int_equal(hash_count(&t), count);
        if (step % 16 == 0)
            check_hash(&t, items[rng_below(&rng, MANY)].hash);
    }
    for (size_t i = 0; i < MANY; i += 7)
        check_hash(&t, items[i].hash);
    hash_destroy(&t);
    assert_int_equal(m->used, 0);
}

static void random_use_agrees_with_a_model(void **state)
{
    struct mem m;

    (void)state;
    mem_init(&m, 0);
    run_model(&m, UINT64_MAX, 70);
    run_model(&m, 300, 50);
    run_model(&m, 5, 90);
}

static void insertion_works_without_memory_to_grow(void **state)
{
    struct mem m;

    (void)state;
    for (uint64_t n = 2; n <= 9; n++) {
        struct failing f = {.fail_at = n};

        m = failing_mem(&f);
        run_model(&m, UINT64_MAX, 70);
        f = (struct failing){.fail_at = n, .fail_to = UINT64_MAX};
        m = failing_mem(&f);
        run_model(&m, UINT64_MAX, 70);
        assert_true(m.failures > 0);
    }
}

static void growth_without_memory_is_not_tried_at_every_insertion(void **state)
{
    struct failing f = {.fail_at = 2, .fail_to = UINT64_MAX};
    struct mem m = failing_mem(&f);
    struct hash_table t;

    (void)state;
    assert_int_equal(hash_init(&t, &m, 1024), 0);
    for (size_t i = 0; i < 2048; i++)
        hash_insert(&t, &items[i].node, i);
    assert_in_range(m.failures, 1, 8);
    f.fail_at = 0;
    for (size_t i = 2048; i < 2048 + 1024; i++)
        hash_insert(&t, &items[i].node, i);
    assert_true(t.size > 1024);
    for (size_t i = 0; i < 2048 + 1024; i++)
        assert_ptr_equal(hash_first(&t, i), &items[i].node);
    hash_destroy(&t);
    assert_int_equal(m.used, 0);
}

static void init_fails_without_memory(void **state)
{
    struct failing f = {.fail_at = 1};
    struct mem m = failing_mem(&f);
    struct hash_table t;

    (void)state;
    assert_int_equal(hash_init(&t, &m, 100), -ENOMEM);
    assert_int_equal(m.used, 0);
}

static void growth_moves_few_buckets_per_insertion(void **state)
{
    struct mem m;
    struct hash_table t;
    size_t moved = 0, size, arrays;

    (void)state;
    mem_init(&m, 0);
    assert_int_equal(hash_init(&t, &m, 8), 0);
    for (size_t i = 0; i < MANY; i++) {
        size = t.size;
        hash_insert(&t, &items[i].node, i);
        if (t.size == size) {
            assert_true(t.moved <= moved + 2);
            moved = t.moved;
        } else {
            moved = 0;
        }
        arrays = t.size * sizeof(void *) * (t.grown ? 3 : 1);
        assert_int_equal(m.used, arrays);
    }
    /* About one node a bucket. */
    assert_in_range(t.size * (t.grown ? 2 : 1), MANY, 4 * MANY);
    hash_destroy(&t);
}

static struct hash_table *each_table;

static void see_and_remove_odd(struct hash_node *node, void *ctx)
{
    item_of(node)->seen++;
    ++*(size_t *)ctx;
    if (node->hash & 1) {
        hash_remove(each_table, node);
        memset(&node->next, 0xff, sizeof(node->next));
    }
}

static void each_sees_all_once_and_may_remove(void **state)
{
    struct mem m;
    struct hash_table t;
    size_t calls = 0, n;

    (void)state;
    mem_init(&m, 0);
    /* Among these, growth is at all its stages. */
    for (n = 0; n < 200; n++) {
        assert_int_equal(hash_init(&t, &m, 8), 0);
        each_table = &t;
        memset(items, 0, sizeof(items));
        for (size_t i = 0; i < n; i++)
            hash_insert(&t, &items[i].node, i * 0x9e3779b97f4a7c15);
        calls = 0;
        hash_each(&t, see_and_remove_odd, &calls);
        assert_int_equal(calls, n);
        for (size_t i = 0; i < n; i++)
            assert_int_equal(items[i].seen, 1);
        assert_int_equal(hash_count(&t), (n + 1) / 2);
        hash_each(&t, see_and_remove_odd, &calls);
        assert_int_equal(calls, n + (n + 1) / 2);
        hash_destroy(&t);
    }
    assert_int_equal(m.used, 0);
}

/* A cursor sees each once in as many calls as there are buckets, at all stages of growth, and
 * begins anew. */
static void a_cursor_sees_all_in_parts(void **state)
{
    struct mem m;
    struct hash_table t;
    size_t calls = 0, cursor = 0;

    (void)state;
    mem_init(&m, 0);
    for (size_t n = 0; n < 200; n++) {
        assert_int_equal(hash_init(&t, &m, 8), 0);
        each_table = &t;
        memset(items, 0, sizeof(items));
        for (size_t i = 0; i < n; i++)
            hash_insert(&t, &items[i].node, i * 0x9e3779b97f4a7c15);
        calls = cursor = 0;
        for (size_t i = 0; i < t.size; i++)
            hash_each_next(&t, &cursor, see_and_remove_odd, &calls);
        assert_int_equal(calls, n);
        for (size_t i = 0; i < n; i++)
            assert_int_equal(items[i].seen, 1);
        for (size_t i = 0; i < t.size; i++)
            hash_each_next(&t, &cursor, see_and_remove_odd, &calls);
        assert_int_equal(calls, n + (n + 1) / 2);
        hash_destroy(&t);
    }
    assert_int_equal(m.used, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_use_agrees_with_a_model),
        cmocka_unit_test(insertion_works_without_memory_to_grow),
        cmocka_unit_test(growth_without_memory_is_not_tried_at_every_insertion),
        cmocka_unit_test(init_fails_without_memory),
        cmocka_unit_test(growth_moves_few_buckets_per_insertion),
        cmocka_unit_test(each_sees_all_once_and_may_remove),
        cmocka_unit_test(a_cursor_sees_all_in_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
