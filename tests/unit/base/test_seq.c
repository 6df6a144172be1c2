/* SPDX-License-Identifier: MIT */
/* Sequence number arithmetic (RFC 9293 section 3.4). */
#include "proto/base/seq.h"

#include "tests/unit/base/mem_failing.h"

static void order_holds_around_the_wrap(void **state)
{
    static const uint32_t start[] = {0, 1, 0x7fffffff, 0x80000000, 0xfffffff0, 0xffffffff};

    (void)state;
    for (size_t i = 0; i < sizeof(start) / sizeof(*start); i++) {
        uint32_t a = start[i];
        uint32_t b = a + 17;

        assert_true(seq_lt(a, b) && seq_leq(a, b) && !seq_gt(a, b) && !seq_geq(a, b));
        assert_true(seq_gt(b, a) && seq_geq(b, a) && !seq_lt(b, a) && !seq_leq(b, a));
        assert_true(seq_leq(a, a) && seq_geq(a, a) && !seq_lt(a, a) && !seq_gt(a, a));
        assert_int_equal(seq_diff(b, a), 17);
        assert_int_equal(seq_diff(a, b), -17);
        assert_true(seq_max(a, b) == b && seq_max(b, a) == b);
        assert_true(seq_min(a, b) == a && seq_min(b, a) == a);
    }
}

static void order_holds_up_to_half_the_space(void **state)
{
    (void)state;
    assert_true(seq_lt(5, 5 + 0x7fffffffu));
    assert_false(seq_lt(5 + 0x7fffffffu, 5));
    assert_true(seq_gt(4, 5 + 0x80000000u));
}

static void between_includes_both_ends(void **state)
{
    (void)state;
    assert_true(seq_between(10, 10, 20));
    assert_true(seq_between(10, 20, 20));
    assert_true(seq_between(10, 10, 10));
    assert_false(seq_between(10, 9, 20));
    assert_false(seq_between(10, 21, 20));
    assert_true(seq_between(0xfffffff0, 5, 10));
    assert_true(seq_between(0xfffffff0, 0xffffffff, 10));
    assert_false(seq_between(0xfffffff0, 11, 10));
    assert_false(seq_between(0xfffffff0, 0xffffffef, 10));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order_holds_around_the_wrap),
        cmocka_unit_test(order_holds_up_to_half_the_space),
        cmocka_unit_test(between_includes_both_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
