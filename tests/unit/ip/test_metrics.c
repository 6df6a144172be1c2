/* SPDX-License-Identifier: MIT */
/* Metrics of destinations: the longest prefix holds, the table is bounded and replaced as a whole.
 */
#include "tests/unit/ip/fixture.h"

#include <errno.h>

static struct metrics_rule rules[METRICS_MAX_RULES + 1];

static struct metrics_rule rule(const char *prefix, uint32_t us)
{
    struct metrics_rule r = {.rto_min_us = us};

    assert_int_equal(ip_prefix_parse(prefix, &r.to), 0);
    return r;
}

static uint32_t to(const char *text)
{
    struct ip_addr a = fx_addr(text);

    return route_rto_min(&fx.st, &a);
}

static void the_longest_prefix_holds_in_any_order(void **state)
{
    (void)state;
    assert_int_equal(to("10.9.9.9"), 0);
    rules[0] = rule("10.0.0.0/8", 50000);
    rules[1] = rule("10.1.2.3", 7000);
    rules[2] = rule("0.0.0.0/0", 1000000);
    rules[3] = rule("10.1.0.0/16", 20000);
    for (int turn = 0; turn < 4; turn++) {
        struct metrics_rule first = rules[0];

        metrics_replace(&fx.st.ip.metrics, rules, 4);
        assert_int_equal(to("10.1.2.3"), 7000);
        assert_int_equal(to("10.1.2.4"), 20000);
        assert_int_equal(to("10.2.0.1"), 50000);
        assert_int_equal(to("192.0.2.1"), 1000000);
        memmove(rules, rules + 1, 3 * sizeof(rules[0]));
        rules[3] = first;
    }
}

static void a_rule_is_of_one_family(void **state)
{
    (void)state;
    rules[0] = rule("::/0", 5000);
    metrics_replace(&fx.st.ip.metrics, rules, 1);
    assert_int_equal(to("10.0.0.2"), 0);
    assert_int_equal(to("fd00::2"), 5000);
    rules[0] = rule("0.0.0.0/0", 5000);
    metrics_replace(&fx.st.ip.metrics, rules, 1);
    assert_int_equal(to("10.0.0.2"), 5000);
    assert_int_equal(to("fd00::2"), 0);
}

static void we_are_no_destination(void **state)
{
    (void)state;
    rules[0] = rule("10.0.0.0/8", 5000);
    metrics_replace(&fx.st.ip.metrics, rules, 1);
    assert_int_equal(to("10.0.0.1"), 0);
    assert_int_equal(to("10.0.0.2"), 5000);
}

static void a_new_table_takes_the_old_ones_place(void **state)
{
    (void)state;
    rules[0] = rule("10.0.0.0/8", 5000);
    assert_true(metrics_replace(&fx.st.ip.metrics, rules, 1));
    assert_false(metrics_replace(&fx.st.ip.metrics, rules, 1));
    rules[0].rto_min_us = 6000;
    assert_true(metrics_replace(&fx.st.ip.metrics, rules, 1));
    assert_int_equal(to("10.0.0.2"), 6000);
    assert_true(metrics_replace(&fx.st.ip.metrics, rules, 0));
    assert_int_equal(to("10.0.0.2"), 0);
}

static void what_cannot_be_a_table_is_told_with_its_rule(void **state)
{
    size_t bad = 99;

    (void)state;
    rules[0] = rule("10.0.0.0/8", 1);
    rules[1] = rule("10.0.0.0/9", 1000000);
    assert_int_equal(metrics_check(rules, 2, &bad), 0);
    rules[1] = rule("10.0.0.0/8", 2);
    assert_int_equal(metrics_check(rules, 2, &bad), -EEXIST);
    assert_int_equal(bad, 1);
    rules[1] = rule("10.0.0.1/8", 2);
    assert_int_equal(metrics_check(rules, 2, &bad), -EINVAL);
    rules[1] = rule("11.0.0.0/8", 0);
    assert_int_equal(metrics_check(rules, 2, &bad), -ERANGE);
    rules[1] = rule("11.0.0.0/8", 1000001);
    assert_int_equal(metrics_check(rules, 2, &bad), -ERANGE);
    rules[1].to.len = 129;
    assert_int_equal(metrics_check(rules, 2, &bad), -EINVAL);
    rules[1].to.len = 95; /* shorter than what makes it IPv4 */
    assert_int_equal(metrics_check(rules, 2, &bad), -EINVAL);
}

static void the_table_is_bounded(void **state)
{
    size_t bad;

    (void)state;
    for (unsigned i = 0; i <= METRICS_MAX_RULES; i++) {
        rules[i] = rule("10.0.0.0/16", 1000 + i);
        rules[i].to.addr.b[13] = (uint8_t)i;
    }
    assert_int_equal(metrics_check(rules, METRICS_MAX_RULES, &bad), 0);
    assert_int_equal(metrics_check(rules, METRICS_MAX_RULES + 1, &bad), -E2BIG);
    assert_int_equal(bad, METRICS_MAX_RULES);
    metrics_replace(&fx.st.ip.metrics, rules, METRICS_MAX_RULES);
    assert_int_equal(to("10.63.0.1"), 1063);
}

#define T(name) cmocka_unit_test_setup_teardown(name, fx_setup, fx_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(the_longest_prefix_holds_in_any_order),
        T(a_rule_is_of_one_family),
        T(we_are_no_destination),
        T(a_new_table_takes_the_old_ones_place),
        T(what_cannot_be_a_table_is_told_with_its_rule),
        T(the_table_is_bounded),
    };

    return cmocka_run_group_tests_name("metrics", tests, NULL, NULL);
}
