/* SPDX-License-Identifier: MIT */
/* The memory account. */
#include "proto/base/mem.h"

#include <string.h>

#include "tests/unit/base/mem_failing.h"

static void the_limit_holds_and_refusals_are_counted(void **state)
{
    struct mem m;
    void *a, *b;

    (void)state;
    mem_init(&m, 1000);
    a = mem_alloc(&m, 600);
    assert_non_null(a);
    assert_int_equal(m.used, 600);
    assert_null(mem_alloc(&m, 401));
    assert_null(mem_alloc(&m, SIZE_MAX));
    assert_int_equal(m.failures, 2);
    b = mem_alloc(&m, 400);
    assert_non_null(b);
    assert_int_equal(m.used, 1000);
    m.limit = 500;
    assert_null(mem_alloc(&m, 1));
    mem_free(&m, a, 600);
    mem_free(&m, b, 400);
    mem_free(&m, NULL, 400);
    assert_int_equal(m.used, 0);
    assert_int_equal(m.failures, 3);
}

static void no_limit_means_no_limit(void **state)
{
    struct mem m;
    void *a;

    (void)state;
    mem_init(&m, 0);
    a = mem_alloc(&m, 1 << 20);
    assert_non_null(a);
    assert_int_equal((uintptr_t)a % MEM_PAGE, 0);
    mem_free(&m, a, 1 << 20);
    assert_int_equal(m.failures, 0);
}

static void zalloc_clears(void **state)
{
    static const uint8_t zero[300];
    struct mem m;
    uint8_t *p;

    (void)state;
    mem_init(&m, 0);
    for (int i = 0; i < 10; i++) {
        p = mem_zalloc(&m, sizeof(zero));
        assert_non_null(p);
        assert_memory_equal(p, zero, sizeof(zero));
        memset(p, 0xff, sizeof(zero));
        mem_free(&m, p, sizeof(zero));
    }
}

static void a_failing_allocator_is_counted(void **state)
{
    struct failing f = {.fail_at = 2};
    struct mem m = failing_mem(&f);
    void *a = mem_alloc(&m, 10);

    (void)state;
    assert_non_null(a);
    assert_null(mem_zalloc(&m, 10));
    assert_int_equal(m.failures, 1);
    assert_int_equal(m.used, 10);
    mem_free(&m, a, 10);
}

static bool give_up(void *ctx)
{
    struct mem *m = ctx;
    bool had = m->used > 0;

    m->used = 0;
    return had;
}

static void a_charge_is_counted_and_limited_as_an_allocation_is(void **state)
{
    struct mem m;

    (void)state;
    mem_init(&m, 1000);
    assert_true(mem_charge(&m, 1000));
    assert_null(mem_alloc(&m, 1));
    assert_false(mem_charge(&m, 1));
    assert_false(mem_charge(&m, SIZE_MAX));
    assert_int_equal(m.failures, 3);
    assert_int_equal(m.used, 1000);
    mem_uncharge(&m, 400);
    assert_true(mem_charge(&m, 400));
    m.limit = 10; /* lowered below what is in use */
    assert_false(mem_charge(&m, 1));
    mem_uncharge(&m, 1000);
    assert_int_equal(m.used, 0);
    m.limit = 0;
    assert_true(mem_charge(&m, SIZE_MAX / 2));
}

static void a_charge_makes_room_from_what_is_kept_idle(void **state)
{
    struct mem m;

    (void)state;
    mem_init(&m, 1000);
    m.reclaim = give_up;
    m.reclaim_ctx = &m;
    assert_true(mem_charge(&m, 900));
    assert_true(mem_charge(&m, 900)); /* the first was given up */
    assert_int_equal(m.used, 900);
    assert_false(mem_charge(&m, 1001)); /* giving up is not enough */
    assert_int_equal(m.failures, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_limit_holds_and_refusals_are_counted),
        cmocka_unit_test(no_limit_means_no_limit),
        cmocka_unit_test(zalloc_clears),
        cmocka_unit_test(a_failing_allocator_is_counted),
        cmocka_unit_test(a_charge_is_counted_and_limited_as_an_allocation_is),
        cmocka_unit_test(a_charge_makes_room_from_what_is_kept_idle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
