/* SPDX-License-Identifier: MIT */
/* When the loop looks again instead of sleeping, and when it stops to. */
#include "daemon/spin.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static bool contended;
static unsigned yields;

static bool yield(void)
{
    yields++;
    return contended;
}

static int setup(void **state)
{
    (void)state;
    spin_yield = yield;
    contended = false;
    yields = 0;
    return 0;
}

/* Looks from `now` on, a microsecond each, until it sleeps. Returns when that is. */
static uint64_t look(struct spin *s, uint64_t now)
{
    while (spin_again(s, now))
        now++;
    return now;
}

static void it_looks_for_as_long_as_it_may(void **state)
{
    struct spin s = {.budget_us = 50};

    (void)state;
    spin_useful(&s, 1000);
    assert_int_equal(look(&s, 1010), 1050);
    assert_int_equal(yields, 40);
}

static void something_useful_begins_it_anew(void **state)
{
    struct spin s = {.budget_us = 50};

    (void)state;
    spin_useful(&s, 1000);
    assert_true(spin_again(&s, 1049));
    spin_useful(&s, 1049);
    assert_int_equal(look(&s, 1049), 1099);
}

static void without_a_budget_it_sleeps_at_once(void **state)
{
    struct spin s = {0};

    (void)state;
    spin_useful(&s, 1000);
    assert_false(spin_again(&s, 1000));
    assert_int_equal(yields, 0);
}

static void waiting_in_vain_ends_it(void **state)
{
    struct spin s = {.budget_us = 50};
    uint64_t now = 1000;

    (void)state;
    spin_useful(&s, now);
    for (int i = 0; i < 3; i++) {
        now = look(&s, now) + 500; /* long after it fell asleep */
        spin_useful(&s, now);
    }
    assert_int_equal(look(&s, now), now);
}

static void what_comes_soon_after_falling_asleep_begins_it_again(void **state)
{
    struct spin s = {.budget_us = 50, .misses = 3};

    (void)state;
    s.last_us = 1000;
    assert_false(spin_again(&s, 1000));
    spin_useful(&s, 1040);
    assert_true(spin_again(&s, 1041));
}

static void it_gives_way_to_who_wants_the_processor(void **state)
{
    struct spin s = {.budget_us = 50};

    (void)state;
    spin_useful(&s, 1000);
    contended = true;
    assert_false(spin_again(&s, 1001));
    assert_int_equal(yields, 1);
    assert_false(spin_again(&s, 1002));
    assert_int_equal(yields, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(it_looks_for_as_long_as_it_may, setup),
        cmocka_unit_test_setup(something_useful_begins_it_anew, setup),
        cmocka_unit_test_setup(without_a_budget_it_sleeps_at_once, setup),
        cmocka_unit_test_setup(waiting_in_vain_ends_it, setup),
        cmocka_unit_test_setup(what_comes_soon_after_falling_asleep_begins_it_again, setup),
        cmocka_unit_test_setup(it_gives_way_to_who_wants_the_processor, setup),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
