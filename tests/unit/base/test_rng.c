/* SPDX-License-Identifier: MIT */
/* The deterministic random numbers. */
#include "proto/base/rng.h"

#include "tests/unit/base/mem_failing.h"

static const uint8_t seed_a[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
static const uint8_t seed_b[16] = {1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

static void the_seed_decides(void **state)
{
    struct rng a, again, b;
    int differ = 0;

    (void)state;
    rng_init(&a, seed_a);
    rng_init(&again, seed_a);
    rng_init(&b, seed_b);
    for (int i = 0; i < 100; i++) {
        uint64_t x = rng_u64(&a);

        assert_true(x == rng_u64(&again));
        differ += x != rng_u64(&b);
    }
    assert_int_equal(differ, 100);
    assert_true(a.counter == 100);
}

static void numbers_are_siphash_of_the_counter(void **state)
{
    const uint8_t counter[8] = {0};
    struct rng a;

    (void)state;
    rng_init(&a, seed_a);
    assert_true(a.key.k[0] == 0x0706050403020100 && a.key.k[1] == 0x0f0e0d0c0b0a0908);
    assert_true(rng_u64(&a) == siphash24(&a.key, counter, 8));
}

static void below_stays_below_and_is_even(void **state)
{
    struct rng a;
    unsigned count[7] = {0};

    (void)state;
    rng_init(&a, seed_a);
    for (int i = 0; i < 70000; i++) {
        uint64_t x = rng_below(&a, 7);

        assert_true(x < 7);
        count[x]++;
    }
    for (int i = 0; i < 7; i++)
        assert_in_range(count[i], 9500, 10500);
    for (int i = 0; i < 100; i++) {
        assert_true(rng_below(&a, 1) == 0);
        assert_true(rng_below(&a, UINT64_MAX) < UINT64_MAX);
        assert_true(rng_below(&a, (UINT64_C(1) << 63) + 1) <= UINT64_C(1) << 63);
    }
}

static void below_is_even_for_a_large_range(void **state)
{
    struct rng a;
    unsigned low = 0;

    (void)state;
    rng_init(&a, seed_a);
    /* A bare remainder would give the lowest third half of the numbers. */
    for (int i = 0; i < 9000; i++)
        low += rng_below(&a, UINT64_C(3) << 62) < UINT64_C(1) << 62;
    assert_in_range(low, 2700, 3300);
}

static void between_reaches_both_ends(void **state)
{
    struct rng a;
    unsigned seen = 0;

    (void)state;
    rng_init(&a, seed_a);
    for (int i = 0; i < 1000; i++) {
        uint64_t x = rng_between(&a, 10, 14);

        assert_in_range(x, 10, 14);
        seen |= 1u << (x - 10);
    }
    assert_int_equal(seen, 31);
    assert_true(rng_between(&a, 9, 9) == 9);
    assert_true(rng_between(&a, 0, UINT64_MAX) != rng_between(&a, 0, UINT64_MAX));
}

static void bits_of_u32_are_even(void **state)
{
    struct rng a;
    unsigned ones[32] = {0};

    (void)state;
    rng_init(&a, seed_b);
    for (int i = 0; i < 10000; i++) {
        uint32_t x = rng_u32(&a);

        for (int bit = 0; bit < 32; bit++)
            ones[bit] += x >> bit & 1;
    }
    for (int bit = 0; bit < 32; bit++)
        assert_in_range(ones[bit], 4750, 5250);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_seed_decides),
        cmocka_unit_test(numbers_are_siphash_of_the_counter),
        cmocka_unit_test(below_stays_below_and_is_even),
        cmocka_unit_test(below_is_even_for_a_large_range),
        cmocka_unit_test(between_reaches_both_ends),
        cmocka_unit_test(bits_of_u32_are_even),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
