/* SPDX-License-Identifier: MIT */
/* The pool of extents. */
#include "proto/base/extent.h"

#include <string.h>

#include "tests/unit/base/mem_failing.h"

static void every_size_comes_aligned_and_writable(void **state)
{
    struct mem m;
    struct extent_pool p;

    (void)state;
    mem_init(&m, 0);
    extent_pool_init(&p, &m, 1 << 20);
    for (uint32_t size = EXTENT_MIN; size <= EXTENT_MAX; size *= 2) {
        struct extent e = extent_get(&p, size);

        assert_non_null(e.base);
        assert_int_equal(e.size, size);
        assert_int_equal((uintptr_t)e.base % 4096, 0);
        memset(e.base, 0xaa, size);
        assert_int_equal(p.in_use, size);
        extent_put(&p, e);
        assert_int_equal(p.in_use, 0);
        assert_true(p.cached <= 1 << 20);
    }
    extent_pool_destroy(&p);
    assert_int_equal(m.used, 0);
}

static void sizes_that_are_none_are_refused(void **state)
{
    static const uint32_t sizes[] = {0, 1, 2048, 4097, 12288, EXTENT_MAX + 4096, EXTENT_MAX * 2};
    struct mem m;
    struct extent_pool p;

    (void)state;
    mem_init(&m, 0);
    extent_pool_init(&p, &m, 1 << 20);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++)
        assert_null(extent_get(&p, sizes[i]).base);
    extent_put(&p, (struct extent){0});
    assert_int_equal(m.used, 0);
}

static void idle_extents_are_used_again_and_bounded(void **state)
{
    struct mem m;
    struct extent_pool p;
    struct extent e[5], again;

    (void)state;
    mem_init(&m, 0);
    extent_pool_init(&p, &m, 3 * 8192);
    for (int i = 0; i < 5; i++)
        e[i] = extent_get(&p, 8192);
    for (int i = 0; i < 5; i++)
        extent_put(&p, e[i]);
    assert_int_equal(p.cached, 3 * 8192);
    assert_int_equal(m.used, 3 * 8192);
    again = extent_get(&p, 8192);
    assert_ptr_equal(again.base, e[2].base);
    assert_int_equal(p.cached, 2 * 8192);
    assert_int_equal(m.used, 3 * 8192);
    extent_put(&p, again);
    extent_pool_destroy(&p);
    assert_int_equal(p.cached, 0);
    assert_int_equal(m.used, 0);
}

static void idle_extents_give_way_to_another_size(void **state)
{
    struct mem m;
    struct extent_pool p;
    struct extent small, large;

    (void)state;
    mem_init(&m, 64 << 10);
    extent_pool_init(&p, &m, 64 << 10);
    small = extent_get(&p, 4096);
    extent_put(&p, small);
    assert_int_equal(m.used, 4096);
    large = extent_get(&p, 64 << 10);
    assert_non_null(large.base);
    assert_null(extent_get(&p, 4096).base);
    extent_put(&p, large);
    extent_pool_destroy(&p);
    assert_int_equal(m.used, 0);
}

static void get_fails_without_memory(void **state)
{
    struct failing f = {.fail_at = 1};
    struct mem m = failing_mem(&f);
    struct extent_pool p;
    struct extent e;

    (void)state;
    extent_pool_init(&p, &m, 0);
    e = extent_get(&p, 4096);
    assert_null(e.base);
    assert_int_equal(e.size, 0);
    assert_int_equal(p.in_use, 0);
    e = extent_get(&p, 4096);
    assert_non_null(e.base);
    extent_put(&p, e);
    assert_int_equal(m.used, 0);
    extent_pool_destroy(&p);
}

static void idle_extents_do_not_starve_other_allocations(void **state)
{
    struct extent_pool pool;
    struct mem mem;
    void *small;

    (void)state;
    mem_init(&mem, 8192);
    extent_pool_init(&pool, &mem, 1u << 20);
    mem.reclaim = extent_pool_reclaim;
    mem.reclaim_ctx = &pool;
    extent_put(&pool, extent_get(&pool, 8192));
    assert_int_equal(pool.cached, 8192);
    small = mem_alloc(&mem, 100);
    assert_non_null(small);
    assert_int_equal(pool.cached, 0);
    assert_int_equal(mem.failures, 0);
    mem_free(&mem, small, 100);
    extent_pool_destroy(&pool);
    assert_int_equal(mem.used, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_size_comes_aligned_and_writable),
        cmocka_unit_test(sizes_that_are_none_are_refused),
        cmocka_unit_test(idle_extents_are_used_again_and_bounded),
        cmocka_unit_test(idle_extents_give_way_to_another_size),
        cmocka_unit_test(get_fails_without_memory),
        cmocka_unit_test(idle_extents_do_not_starve_other_allocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
