/* SPDX-License-Identifier: MIT */
/* The same seed gives the same packets at the same microseconds; another seed gives others. */
#include "tests/sim/transfer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define SEEDS 40

static struct transfer transfer;

static uint64_t trace_of(uint64_t seed, uint64_t *steps)
{
    uint64_t trace;

    assert_true(transfer_run(&transfer, seed, false));
    trace = transfer.sim.trace;
    *steps = transfer.sim.steps;
    transfer_free(&transfer);
    return trace;
}

static void a_seed_gives_the_same_trace_twice(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        uint64_t steps[2], first = trace_of(seed, &steps[0]), second = trace_of(seed, &steps[1]);

        assert_int_equal(first, second);
        assert_int_equal(steps[0], steps[1]);
    }
}

static void another_seed_gives_another_trace(void **state)
{
    uint64_t steps, seen[SEEDS];

    (void)state;
    for (uint64_t i = 0; i < SEEDS; i++) {
        seen[i] = trace_of(1000 + i, &steps);
        for (uint64_t j = 0; j < i; j++)
            assert_int_not_equal(seen[i], seen[j]);
    }
}

static void a_capture_changes_nothing(void **state)
{
    uint64_t steps, plain = trace_of(77, &steps);

    (void)state;
    assert_true(transfer_run(&transfer, 77, true));
    assert_int_equal(transfer.sim.trace, plain);
    transfer_free(&transfer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_seed_gives_the_same_trace_twice),
        cmocka_unit_test(another_seed_gives_another_trace),
        cmocka_unit_test(a_capture_changes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
