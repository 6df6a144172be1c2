/* SPDX-License-Identifier: MIT */
/*
 * When memory is given back, and that it is.
 */
#include "daemon/trim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MIB ((uint64_t)1 << 20)

static void a_small_fall_is_nothing(void **state)
{
    struct trim t = {0};

    (void)state;
    assert_false(trim_due(&t, 0));
    assert_false(trim_due(&t, TRIM_BYTES - 1));
    assert_false(trim_due(&t, 0));
    assert_false(trim_due(&t, 100 * MIB));
    assert_false(trim_due(&t, 60 * MIB));
}

static void less_than_half_is_due_once(void **state)
{
    struct trim t = {0};

    (void)state;
    assert_false(trim_due(&t, 100 * MIB));
    assert_true(trim_due(&t, 49 * MIB));
    assert_false(trim_due(&t, 51 * MIB));
    assert_true(trim_due(&t, 2 * MIB));
    trim_now(&t, 2 * MIB);
    assert_false(trim_due(&t, 2 * MIB));
    assert_false(trim_due(&t, 1 * MIB));
    assert_false(trim_due(&t, 20 * MIB));
    assert_true(trim_due(&t, 2 * MIB));
}

#ifndef __SANITIZE_ADDRESS__
static uint64_t resident(void)
{
    FILE *f = fopen("/proc/self/statm", "re");
    unsigned long long pages = 0;

    assert_non_null(f);
    assert_int_equal(fscanf(f, "%*u %llu", &pages), 1);
    fclose(f);
    return pages * 4096;
}

/* As the core's slabs: freed all but one in a hundred, at the end of the heap too. */
static void what_is_free_between_others_goes_back(void **state)
{
    enum { N = 4000, SLAB = 16384 };
    static char *slabs[N];
    struct trim t = {0};
    uint64_t all, some;

    (void)state;
    for (int i = 0; i < N; i++) {
        slabs[i] = aligned_alloc(4096, SLAB);
        assert_non_null(slabs[i]);
        memset(slabs[i], 1, SLAB);
    }
    all = resident();
    for (int i = 0; i < N; i++) {
        if (i % 100 != 99) {
            free(slabs[i]);
            slabs[i] = NULL;
        }
    }
    trim_now(&t, 0);
    some = resident();
    assert_true(all - some > (uint64_t)N * SLAB * 9 / 10);
    for (int i = 0; i < N; i++)
        free(slabs[i]);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_small_fall_is_nothing),
        cmocka_unit_test(less_than_half_is_due_once),
#ifndef __SANITIZE_ADDRESS__
        cmocka_unit_test(what_is_free_between_others_goes_back),
#endif
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
