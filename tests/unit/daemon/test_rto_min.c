/* SPDX-License-Identifier: MIT */
/* The setting rto-min: text to rules, its bounds, lines of a file that add up, what the core gets.
 */
#include "daemon/config_file.h"
#include "proto/stack_internal.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct metrics_rule rules[METRICS_MAX_RULES];
static char error[FAULT_TEXT];

static void times_have_a_unit_and_prefixes_a_length(void **state)
{
    static const uint32_t us[] = {50000, 7, 1000000, 20000};
    static const int len[] = {96 + 8, 128, 96, 64};

    (void)state;
    assert_int_equal(rto_min_parse("10.0.0.0/8 50ms,10.1.1.1 7us ,\t0.0.0.0/0 1s, fd00::/64  20ms",
                                   rules, error, sizeof(error)),
                     4);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(rules[i].rto_min_us, us[i]);
        assert_int_equal(rules[i].to.len, len[i]);
    }
}

static void more_networks_than_the_core_takes_are_refused(void **state)
{
    char list[4096] = "";
    size_t n = 0;

    (void)state;
    for (unsigned i = 0; i < METRICS_MAX_RULES; i++)
        n += (size_t)snprintf(list + n, sizeof(list) - n, "%s10.%u.0.0/16 1ms", i ? "," : "", i);
    assert_int_equal(rto_min_parse(list, rules, error, sizeof(error)), METRICS_MAX_RULES);
    snprintf(list + n, sizeof(list) - n, ",11.0.0.0/8 1ms");
    assert_int_equal(rto_min_parse(list, rules, error, sizeof(error)), -EINVAL);
    assert_string_equal(error, "rto-min: more than 64 networks");
}

static void lines_of_a_file_add_up_and_keep_the_first_line(void **state)
{
    static const char text[] = "[tapstack]\ntap = t\naddress = 10.0.0.1/24\n"
                               "rto-min = 10.0.0.0/8 50ms\nrto-min = 10.1.0.0/16 20ms\n";
    char value[CONFIG_VALUE];
    struct faults faults = {0};
    struct config c;

    (void)state;
    assert_int_equal(config_init(&c), 0);
    config_file_parse(&c, text, strlen(text), &faults);
    assert_int_equal(faults.count, 0);
    config_format(&c, CONFIG_rto_min, value);
    assert_string_equal(value, "10.0.0.0/8 50ms, 10.1.0.0/16 20ms");
    assert_int_equal(c.from[CONFIG_rto_min].line, 4);
    config_free(&c);
}

static void a_text_longer_than_its_room_is_refused(void **state)
{
    struct config_origin from = {.source = CONFIG_FROM_COMMAND_LINE};
    char list[RTO_MIN_ROOM + 32] = "10.0.0.0/8 1ms";
    struct config c;

    (void)state;
    memset(list + 14, ' ', sizeof(list) - 15);
    assert_int_equal(config_init(&c), 0);
    assert_int_equal(config_set(&c, "rto-min", list, from, error), -EINVAL);
    assert_string_equal(c.rto_min, "");
    config_free(&c);
}

static int nothing(void *ctx, const struct frame *f)
{
    (void)ctx;
    (void)f;
    return 0;
}

static void the_core_gets_the_rules_and_loses_them(void **state)
{
    static const struct stack_ops ops = {.transmit = nothing};
    struct stack_config config = {.mtu = 1500};
    struct stack *st;

    (void)state;
    assert_int_equal(ip_prefix_parse("10.0.0.1/24", &config.address), 0);
    assert_int_equal(stack_new(&config, &ops, NULL, 1, &st), 0);
    rto_min_apply(st, "10.0.0.0/8 50ms, 10.1.0.0/16 20ms");
    assert_int_equal(st->ip.metrics.n, 2);
    assert_int_equal(st->ip.metrics.rules[0].rto_min_us, 20000);
    rto_min_apply(st, "");
    assert_int_equal(st->ip.metrics.n, 0);
    stack_free(st);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_have_a_unit_and_prefixes_a_length),
        cmocka_unit_test(more_networks_than_the_core_takes_are_refused),
        cmocka_unit_test(lines_of_a_file_add_up_and_keep_the_first_line),
        cmocka_unit_test(a_text_longer_than_its_room_is_refused),
        cmocka_unit_test(the_core_gets_the_rules_and_loses_them),
    };

    return cmocka_run_group_tests_name("rto-min", tests, NULL, NULL);
}
