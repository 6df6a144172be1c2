/* SPDX-License-Identifier: MIT */
/* The windowed minimum and maximum: the best three of a window, and none that is too old. */
#include "proto/base/minmax.h"

#include "tests/unit/base/mem_failing.h"

#define WINDOW 100u

static void the_best_of_the_window_is_said(void **state)
{
    struct minmax m;

    (void)state;
    assert_int_equal(minmax_reset(&m, 0, 50), 50);
    assert_int_equal(minmax_running_min(&m, WINDOW, 10, 60), 50);
    assert_int_equal(minmax_running_min(&m, WINDOW, 20, 40), 40);
    assert_int_equal(minmax_running_min(&m, WINDOW, 120, 70), 40);
    assert_int_equal(minmax_running_min(&m, WINDOW, 121, 70), 70);
    minmax_reset(&m, 0, 50);
    assert_int_equal(minmax_running_max(&m, WINDOW, 10, 40), 50);
    assert_int_equal(minmax_running_max(&m, WINDOW, 20, 60), 60);
}

/* When the best has grown too old, the second best takes its place, not the newest. */
static void the_second_best_follows(void **state)
{
    struct minmax m;

    (void)state;
    minmax_reset(&m, 0, 10);
    minmax_running_min(&m, WINDOW, 30, 20);
    minmax_running_min(&m, WINDOW, 40, 25);
    assert_int_equal(minmax_running_min(&m, WINDOW, 101, 30), 20);
    minmax_reset(&m, 0, 30);
    minmax_running_max(&m, WINDOW, 30, 20);
    minmax_running_max(&m, WINDOW, 40, 15);
    assert_int_equal(minmax_running_max(&m, WINDOW, 101, 10), 20);
}

/* And then the third, which is from the second half of the window. */
static void the_third_best_follows(void **state)
{
    struct minmax m;

    (void)state;
    minmax_reset(&m, 0, 10);
    minmax_running_min(&m, WINDOW, 30, 20);
    minmax_running_min(&m, WINDOW, 60, 25);
    assert_int_equal(minmax_running_min(&m, WINDOW, 101, 30), 20);
    assert_int_equal(minmax_running_min(&m, WINDOW, 131, 40), 25);
}

static void after_silence_the_newest_is_all_there_is(void **state)
{
    struct minmax m;

    (void)state;
    minmax_reset(&m, 0, 10);
    assert_int_equal(minmax_running_min(&m, WINDOW, WINDOW, 30), 10);
    minmax_reset(&m, 0, 10);
    assert_int_equal(minmax_running_min(&m, WINDOW, WINDOW + 1, 30), 30);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_best_of_the_window_is_said),
        cmocka_unit_test(the_second_best_follows),
        cmocka_unit_test(the_third_best_follows),
        cmocka_unit_test(after_silence_the_newest_is_all_there_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
