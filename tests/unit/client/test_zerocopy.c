/* SPDX-License-Identifier: MIT */
/* Numbers and ranges of calls with MSG_ZEROCOPY. */
#include "client/lib/zerocopy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void add(struct zerocopy *z, uint64_t *at, uint64_t n, uint8_t code)
{
    assert_true(zerocopy_make_room(z, 0));
    zerocopy_add(z, *at, *at + n, code);
    *at += n;
}

static void numbers_wrap_as_linux_does(void **state)
{
    struct zerocopy z = {.next = UINT32_MAX};
    struct zerocopy_range got;
    uint64_t at = 0;

    (void)state;
    add(&z, &at, 10, 0);
    add(&z, &at, 10, 0);
    assert_true(zerocopy_take(&z, 20, &got));
    assert_true(got.first == UINT32_MAX && got.last == 0);
    assert_false(zerocopy_take(&z, UINT64_MAX, &got));
    assert_true(zerocopy_due_at(&z) == UINT64_MAX);
    zerocopy_free(&z);
}

/* What is merged completes together; more than so many bytes do not. */
static void unfinished_calls_merge_up_to_a_limit_only(void **state)
{
    struct zerocopy z = {0};
    struct zerocopy_range got;
    uint64_t at = 0;

    (void)state;
    for (int i = 0; i < ZEROCOPY_CALLS; i++)
        add(&z, &at, ZEROCOPY_MERGE / 4, 0);
    assert_int_equal(zerocopy_due_at(&z), ZEROCOPY_MERGE / 4);
    add(&z, &at, ZEROCOPY_MERGE, 0);
    assert_int_equal(zerocopy_due_at(&z), ZEROCOPY_MERGE);
    assert_int_equal(z.n, ZEROCOPY_CALLS / 4 + 1);
    assert_false(zerocopy_take(&z, ZEROCOPY_MERGE - 1, &got));
    assert_true(zerocopy_take(&z, 2 * ZEROCOPY_MERGE - 1, &got));
    assert_true(got.first == 0 && got.last == 3);
    assert_true(zerocopy_take(&z, UINT64_MAX, &got));
    assert_true(got.first == 4 && got.last == ZEROCOPY_CALLS);
    zerocopy_free(&z);
}

static void finished_calls_merge_without_a_limit(void **state)
{
    struct zerocopy z = {0};
    struct zerocopy_range got;
    uint64_t at = 0;

    (void)state;
    for (int i = 0; i < 20 * ZEROCOPY_CALLS; i++) {
        assert_true(zerocopy_make_room(&z, at));
        zerocopy_add(&z, at, at + (1 << 20), 0);
        at += 1 << 20;
    }
    assert_true(zerocopy_take(&z, at, &got));
    assert_true(got.first == 0 && got.last == 20 * ZEROCOPY_CALLS - 1);
    zerocopy_free(&z);
}

/* As many as there are numbers: first and last would look like none. */
static void a_range_never_has_all_numbers(void **state)
{
    struct zerocopy z = {0};
    struct zerocopy_range got;
    uint64_t at = 0;

    (void)state;
    add(&z, &at, 1, 0);
    z.ranges[0].last = UINT32_MAX - 1;
    z.next = UINT32_MAX;
    add(&z, &at, 1, 0);
    assert_true(zerocopy_take(&z, at, &got));
    assert_true(got.first == 0 && got.last == UINT32_MAX - 1);
    assert_true(zerocopy_take(&z, at, &got));
    assert_true(got.first == UINT32_MAX && got.last == UINT32_MAX);
    zerocopy_free(&z);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_wrap_as_linux_does),
        cmocka_unit_test(unfinished_calls_merge_up_to_a_limit_only),
        cmocka_unit_test(finished_calls_merge_without_a_limit),
        cmocka_unit_test(a_range_never_has_all_numbers),
    };

    return cmocka_run_group_tests_name("zerocopy", tests, NULL, NULL);
}
