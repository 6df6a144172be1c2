/* SPDX-License-Identifier: MIT */
/* The timing wheel against a naive list of deadlines. */
#include "proto/base/wheel.h"

#include <string.h>

#include "proto/base/rng.h"
#include "tests/unit/base/mem_failing.h"

#define MANY  64
#define STEPS 100000
#define YEAR  (UINT64_C(365) * 86400 * 1000000)

static struct wheel wheel;
static struct wheel_node nodes[MANY];
static const uint8_t seed[16] = "wheel";

static uint64_t model_earliest(void)
{
    uint64_t earliest = UINT64_MAX;

    for (int i = 0; i < MANY; i++)
        if (wheel_armed(&nodes[i]) && nodes[i].deadline < earliest)
            earliest = nodes[i].deadline;
    return earliest;
}

/* A number with a random count of bits, so that all levels are met. */
static uint64_t any_distance(struct rng *rng, unsigned bits)
{
    return rng_u64(rng) >> (63 - rng_below(rng, bits));
}

/* Expire all up to now: they come in order and none stays. last_now: the wheel's now before. */
static void expire_all(uint64_t now, uint64_t last_now)
{
    uint64_t last = 0;
    struct wheel_node *node;

    for (;;) {
        uint64_t earliest = model_earliest();
        uint64_t effective;

        node = wheel_expire(&wheel, now);
        if (!node)
            break;
        assert_false(wheel_armed(node));
        assert_true(node->deadline <= now);
        /* Deadlines already past at the last expiry count as that moment. */
        effective = node->deadline > last_now ? node->deadline : last_now;
        assert_true(effective >= last);
        assert_true(node->deadline == earliest || effective == last_now);
        last = effective;
    }
    assert_true(model_earliest() > now || model_earliest() == UINT64_MAX);
}

static void random_use_agrees_with_a_model(void **state)
{
    static const uint64_t starts[] = {0, 63, 1700000000000000, UINT64_C(1) << 60};
    struct rng rng;

    (void)state;
    rng_init(&rng, seed);
    for (size_t s = 0; s < sizeof(starts) / sizeof(*starts); s++) {
        uint64_t now = starts[s];

        wheel_init(&wheel, now);
        memset(nodes, 0, sizeof(nodes));
        for (int step = 0; step < STEPS; step++) {
            struct wheel_node *node = &nodes[rng_below(&rng, MANY)];
            uint64_t last_now = now, distance, next;

            switch (rng_below(&rng, 8)) {
            case 0:
                distance = any_distance(&rng, 20);
                wheel_arm(&wheel, node, now > distance ? now - distance : 0);
                break;
            case 1:
            case 2:
            case 3:
                wheel_arm(&wheel, node, now + any_distance(&rng, 50));
                assert_true(wheel_armed(node));
                break;
            case 4:
                wheel_disarm(&wheel, node);
                assert_false(wheel_armed(node));
                break;
            case 5:
                now += any_distance(&rng, step % 50 ? 16 : 44);
                expire_all(now, last_now);
                break;
            default:
                next = wheel_next(&wheel);
                now = next > now && next != UINT64_MAX ? next : now;
                expire_all(now, last_now);
                break;
            }
            assert_true(wheel_next(&wheel) <= model_earliest());
        }
    }
}

static void next_leads_to_each_deadline_in_few_steps(void **state)
{
    static const uint64_t deadlines[] = {0,    1,       63,       64,   65,         4095,
                                         4096, 1000000, 60000000, YEAR, 100 * YEAR, UINT64_MAX - 1};

    (void)state;
    for (size_t i = 0; i < sizeof(deadlines) / sizeof(*deadlines); i++) {
        struct wheel_node node = {0};
        int steps = 0;

        wheel_init(&wheel, 0);
        assert_true(wheel_next(&wheel) == UINT64_MAX);
        wheel_arm(&wheel, &node, deadlines[i]);
        while (wheel_armed(&node)) {
            uint64_t next = wheel_next(&wheel);

            assert_true(next <= deadlines[i]);
            assert_true(wheel_expire(&wheel, next) == (next == deadlines[i] ? &node : NULL));
            assert_in_range(++steps, 1, WHEEL_LEVELS);
        }
        assert_true(wheel_next(&wheel) == UINT64_MAX);
    }
}

static void next_is_exact_within_one_slot_group(void **state)
{
    struct wheel_node node = {0};

    (void)state;
    wheel_init(&wheel, 640);
    for (uint64_t at = 640; at < 704; at++) {
        wheel_arm(&wheel, &node, at);
        assert_true(wheel_next(&wheel) == at);
    }
}

static void a_jump_of_years_fires_all_in_order(void **state)
{
    uint64_t last = 0;

    (void)state;
    wheel_init(&wheel, 12345);
    memset(nodes, 0, sizeof(nodes));
    for (unsigned i = 0; i < MANY; i++)
        wheel_arm(&wheel, &nodes[i], 12345 + (i * 37 % MANY) * YEAR / 3);
    for (unsigned i = 0; i < MANY; i++) {
        struct wheel_node *node = wheel_expire(&wheel, 1000 * YEAR);

        assert_non_null(node);
        assert_true(node->deadline >= last);
        last = node->deadline;
    }
    assert_null(wheel_expire(&wheel, 1000 * YEAR));
}

static void a_past_deadline_fires_at_the_next_expiry(void **state)
{
    struct wheel_node a = {0}, b = {0};

    (void)state;
    wheel_init(&wheel, 1000);
    wheel_arm(&wheel, &a, 10);
    wheel_arm(&wheel, &b, 1000);
    assert_true(wheel_next(&wheel) == 10);
    assert_ptr_equal(wheel_expire(&wheel, 1000), &a);
    assert_true(a.deadline == 10);
    assert_ptr_equal(wheel_expire(&wheel, 1000), &b);
    wheel_arm(&wheel, &b, 1005);
    assert_true(wheel_next(&wheel) == 1005);
}

static void time_that_goes_back_stands_still(void **state)
{
    struct wheel_node a = {0};

    (void)state;
    wheel_init(&wheel, 0);
    assert_null(wheel_expire(&wheel, 5000));
    wheel_arm(&wheel, &a, 4000);
    assert_ptr_equal(wheel_expire(&wheel, 100), &a);
    wheel_arm(&wheel, &a, 5001);
    assert_null(wheel_expire(&wheel, 4999));
    assert_ptr_equal(wheel_expire(&wheel, 5001), &a);
}

static void arming_again_moves_and_disarming_twice_is_harmless(void **state)
{
    struct wheel_node a = {0};

    (void)state;
    wheel_init(&wheel, 0);
    wheel_disarm(&wheel, &a);
    assert_false(wheel_armed(&a));
    wheel_arm(&wheel, &a, 50);
    wheel_arm(&wheel, &a, 5000000);
    assert_null(wheel_expire(&wheel, 100));
    wheel_arm(&wheel, &a, 200);
    assert_ptr_equal(wheel_expire(&wheel, 300), &a);
    wheel_arm(&wheel, &a, 400);
    wheel_disarm(&wheel, &a);
    wheel_disarm(&wheel, &a);
    assert_null(wheel_expire(&wheel, 500));
    assert_true(wheel_next(&wheel) == UINT64_MAX);
}

static void a_timer_may_be_armed_again_as_it_fires(void **state)
{
    struct wheel_node a = {0};

    (void)state;
    wheel_init(&wheel, 7);
    wheel_arm(&wheel, &a, 1000);
    for (uint64_t at = 1000; at < 1000000; at += 1000) {
        assert_ptr_equal(wheel_expire(&wheel, 1000000), &a);
        assert_true(a.deadline == at);
        wheel_arm(&wheel, &a, at + 1000);
    }
    assert_ptr_equal(wheel_expire(&wheel, 1000000), &a);
    assert_null(wheel_expire(&wheel, 1000000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_use_agrees_with_a_model),
        cmocka_unit_test(next_leads_to_each_deadline_in_few_steps),
        cmocka_unit_test(next_is_exact_within_one_slot_group),
        cmocka_unit_test(a_jump_of_years_fires_all_in_order),
        cmocka_unit_test(a_past_deadline_fires_at_the_next_expiry),
        cmocka_unit_test(time_that_goes_back_stands_still),
        cmocka_unit_test(arming_again_moves_and_disarming_twice_is_harmless),
        cmocka_unit_test(a_timer_may_be_armed_again_as_it_fires),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
