/* SPDX-License-Identifier: MIT */
/* Extents on an account: what is counted, and where it stops. */
#include "proto/base/account.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct mem m;
static struct extent_pool pool;
static struct account a;

static int begin(void **state)
{
    (void)state;
    mem_init(&m, 0);
    extent_pool_init(&pool, &m, 1 << 20);
    account_init(&a, &pool, 64 << 10);
    return 0;
}

static int end(void **state)
{
    (void)state;
    extent_pool_destroy(&pool);
    return a.used || m.used ? -1 : 0;
}

static void what_is_out_is_counted(void **state)
{
    struct extent one = account_extent_get(&a, 4096), two = account_extent_get(&a, 8192);

    (void)state;
    assert_int_equal(a.used, 12288);
    account_extent_put(&a, one);
    assert_int_equal(a.used, 8192);
    account_extent_put(&a, two);
    account_extent_put(&a, (struct extent){0});
    assert_int_equal(a.used, 0);
}

static void the_limit_holds_for_all_but_the_smallest(void **state)
{
    struct extent big = account_extent_get(&a, 64 << 10), none, small;

    (void)state;
    assert_non_null(big.base);
    none = account_extent_get(&a, 8192);
    assert_null(none.base);
    assert_int_equal(a.used, 64 << 10);
    small = account_extent_get(&a, EXTENT_MIN);
    assert_non_null(small.base);
    account_extent_put(&a, small);
    account_extent_put(&a, big);
}

static void a_quarter_is_kept_for_what_peers_were_promised(void **state)
{
    (void)state;
    assert_true(account_may_take(&a, 48 << 10));
    assert_false(account_may_take(&a, (48 << 10) + 1));
    assert_true(account_has_room(&a, 64 << 10));
    assert_false(account_has_room(&a, (64 << 10) + 1));
    a.used = 32 << 10;
    assert_false(account_is_short(&a));
    a.used++;
    assert_true(account_is_short(&a));
    a.used = 0;
}

static void without_a_limit_there_is_none(void **state)
{
    (void)state;
    a.limit = 0;
    a.used = UINT64_MAX / 2;
    assert_true(account_may_take(&a, 1 << 30));
    assert_true(account_has_room(&a, 1 << 30));
    assert_false(account_is_short(&a));
    a.used = 0;
}

static void memory_that_is_not_there_is_not_counted(void **state)
{
    (void)state;
    m.limit = 4096;
    assert_null(account_extent_get(&a, 8192).base);
    assert_int_equal(a.used, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_out_is_counted, begin, end),
        cmocka_unit_test_setup_teardown(the_limit_holds_for_all_but_the_smallest, begin, end),
        cmocka_unit_test_setup_teardown(a_quarter_is_kept_for_what_peers_were_promised, begin, end),
        cmocka_unit_test_setup_teardown(without_a_limit_there_is_none, begin, end),
        cmocka_unit_test_setup_teardown(memory_that_is_not_there_is_not_counted, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
