/* SPDX-License-Identifier: MIT */
/* Tunables by their sysctl names, at run time. */
#include "tests/unit/tcp/fixture.h"

#include <stdio.h>

static void reads(const char *name, const char *value)
{
    char text[64];

    assert_int_equal(stack_tunable_get(fx.st, name, text, sizeof(text)), 0);
    assert_string_equal(text, value);
}

TEST(names_work_with_and_without_their_prefix)
{
    reads("tcp_retries2", "15");
    reads("net.ipv4.tcp_retries2", "15");
    reads("net.core.somaxconn", "4096");
}

TEST(each_line_of_the_list_can_be_read_and_set_within_its_range)
{
    struct stack_tunable t;
    char text[64];
    unsigned i;

    for (i = 0; stack_tunable_describe(i, &t); i++) {
        assert_int_equal(stack_tunable_get(fx.st, t.name, text, sizeof(text)), 0);
        assert_int_equal(stack_tunable_set(fx.st, t.name, text), 0);
        assert_true(strlen(t.help) > 0);
        if (!strcmp(t.name, "tcp_congestion_control"))
            continue; /* words */
        snprintf(text, sizeof(text), "%lld", (long long)t.max + 1);
        assert_int_equal(stack_tunable_set(fx.st, t.name, text), -ERANGE);
        snprintf(text, sizeof(text), "%lld", (long long)t.min - 1);
        assert_int_equal(stack_tunable_set(fx.st, t.name, text), -ERANGE);
    }
    assert_true(i > 40);
}

TEST(vectors_are_set_whole_or_not_at_all)
{
    assert_int_equal(stack_tunable_set(fx.st, "net.ipv4.tcp_rmem", "4096 200000 8000000"), 0);
    reads("tcp_rmem", "4096 200000 8000000");
    assert_int_equal(tun.rmem_default, 200000);
    assert_int_equal(stack_tunable_set(fx.st, "tcp_rmem", "4096 300000 99999999999"), -ERANGE);
    assert_int_equal(stack_tunable_set(fx.st, "tcp_rmem", "4096 300000"), -EINVAL);
    assert_int_equal(stack_tunable_set(fx.st, "tcp_rmem", "4096 300000 400000 5"), -EINVAL);
    reads("tcp_rmem", "4096 200000 8000000");
}

TEST(the_port_range_never_turns_round)
{
    assert_int_equal(stack_tunable_set(fx.st, "ip_local_port_range", "50000 40000"), -ERANGE);
    assert_int_equal(stack_tunable_set(fx.st, "ip_local_port_range_max", "100"), -ERANGE);
    assert_int_equal(stack_tunable_set(fx.st, "ip_local_port_range", "40000 40001"), 0);
    connecting();
    assert_in_range(tp->conn.local.port, 40000, 40001);
}

TEST(what_is_no_number_or_no_tunable_is_refused)
{
    char small[2];

    assert_int_equal(stack_tunable_set(fx.st, "tcp_retries2", ""), -EINVAL);
    assert_int_equal(stack_tunable_set(fx.st, "tcp_retries2", "eight"), -EINVAL);
    assert_int_equal(stack_tunable_set(fx.st, "tcp_retries2", "8 9"), -EINVAL);
    assert_int_equal(stack_tunable_set(fx.st, "tcp_nothing", "1"), -ENOENT);
    assert_int_equal(stack_tunable_get(fx.st, "tcp_nothing", small, sizeof(small)), -ENOENT);
    assert_int_equal(stack_tunable_get(fx.st, "tcp_retries2", small, sizeof(small)), -ERANGE);
    reads("tcp_retries2", "15");
}

TEST(congestion_control_is_chosen_by_name)
{
    char small[8];

    assert_int_equal(stack_tunable_set(fx.st, "net.ipv4.tcp_congestion_control", "bbr"), 0);
    reads("net.ipv4.tcp_congestion_control", "bbr");
    connecting();
    assert_ptr_equal(tp->cc, &tcp_cc_bbr);
    assert_int_equal(stack_tunable_set(fx.st, "tcp_congestion_control", " reno \n"), 0);
    reads("tcp_congestion_control", "reno");
    assert_int_equal(stack_tunable_set(fx.st, "tcp_congestion_control", "ren"), -EINVAL);
    assert_int_equal(stack_tunable_set(fx.st, "tcp_congestion_control", "renoo"), -EINVAL);
    assert_int_equal(stack_tunable_set(fx.st, "tcp_congestion_control", "1"), -EINVAL);
    assert_int_equal(stack_tunable_set(fx.st, "tcp_congestion_control", ""), -EINVAL);
    assert_int_equal(stack_tunable_set(fx.st, "tcp_congestion_control", "reno bbr"), -EINVAL);
    reads("tcp_congestion_control", "reno");
    reads("tcp_available_congestion_control", "cubic reno bbr");
    assert_int_equal(stack_tunable_set(fx.st, "tcp_available_congestion_control", "reno"), -EACCES);
    assert_int_equal(
        stack_tunable_get(fx.st, "tcp_available_congestion_control", small, sizeof(small)),
        -ERANGE);
}

TEST(without_a_word_from_anyone_it_is_cubic)
{
    struct stack *st;
    struct stack_ops ops = {0};
    char text[16];

    assert_int_equal(stack_new(&fx.config, &ops, NULL, fx.now, &st), 0);
    assert_int_equal(stack_tunable_get(st, "tcp_congestion_control", text, sizeof(text)), 0);
    assert_string_equal(text, "cubic");
    stack_free(st);
}

TEST(a_css_divisor_below_two_is_refused)
{
    assert_int_equal(stack_tunable_set(fx.st, "tcp_hystart_css_divisor", "1"), -ERANGE);
    assert_int_equal(stack_tunable_set(fx.st, "tcp_hystart_css_divisor", "2"), 0);
}

TEST(a_set_of_them_is_checked_as_a_whole_and_put_in_force_at_once)
{
    struct stack_tunables *t = stack_tunables_new();
    char text[64];

    assert_non_null(t);
    assert_null(stack_tunables_conflict(t));
    /* in this order each step alone would be refused */
    assert_int_equal(stack_tunables_set(t, "ip_local_port_range_min", "61000"), 0);
    assert_non_null(stack_tunables_conflict(t));
    assert_int_equal(stack_tunables_set(t, "ip_local_port_range_max", "62000"), 0);
    assert_null(stack_tunables_conflict(t));
    assert_int_equal(stack_tunables_set(t, "tcp_congestion_control", "bbr"), 0);
    assert_int_equal(stack_tunables_set(t, "tcp_sack", "2"), -ERANGE);
    assert_int_equal(stack_tunables_set(t, "tcp_rmem", "4096 5000"), -EINVAL);
    assert_int_equal(stack_tunables_set(t, "tcp_nonsense", "2"), -ENOENT);
    assert_int_equal(stack_tunables_get(t, "ip_local_port_range", text, sizeof(text)), 0);
    assert_string_equal(text, "61000 62000");
    reads("ip_local_port_range", "32768 60999");
    stack_tunables_apply(fx.st, t);
    stack_tunables_free(t);
    reads("ip_local_port_range", "61000 62000");
    reads("tcp_congestion_control", "bbr");
}

TEST(the_user_timeouts_never_turn_round)
{
    assert_int_equal(stack_tunable_set(fx.st, "tcp_uto_min", "3601"), -ERANGE);
    assert_int_equal(stack_tunable_set(fx.st, "tcp_uto_max", "99"), -ERANGE);
    reads("tcp_uto_min", "100");
}

TEST(a_name_stands_for_itself_or_for_the_parts_of_a_vector)
{
    unsigned part[STACK_TUNABLE_PARTS];
    struct stack_tunable t;

    assert_int_equal(stack_tunable_parts("net.ipv4.tcp_wmem", part), 2);
    assert_true(stack_tunable_describe(part[1], &t));
    assert_string_equal(t.name, "tcp_wmem_max");
    assert_int_equal(stack_tunable_parts("somaxconn", part), 1);
    assert_int_equal(stack_tunable_parts("tcp_nonsense", part), 0);
}

TEST(each_default_is_what_a_new_stack_has)
{
    struct stack_ops ops = {0};
    struct stack_tunable t;
    struct stack *st;
    char text[64];

    assert_int_equal(stack_new(&fx.config, &ops, NULL, fx.now, &st), 0);
    for (unsigned i = 0; stack_tunable_describe(i, &t); i++) {
        assert_int_equal(stack_tunable_get(st, t.name, text, sizeof(text)), 0);
        assert_string_equal(t.fallback, text);
    }
    stack_free(st);
}

TEST(a_new_value_counts_from_the_next_connection_on)
{
    assert_int_equal(stack_tunable_set(fx.st, "tcp_timestamps", "0"), 0);
    connecting();
    assert_false(tp->ts_ok);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(names_work_with_and_without_their_prefix),
        T(each_line_of_the_list_can_be_read_and_set_within_its_range),
        T(vectors_are_set_whole_or_not_at_all),
        T(the_port_range_never_turns_round),
        T(what_is_no_number_or_no_tunable_is_refused),
        T(congestion_control_is_chosen_by_name),
        T(without_a_word_from_anyone_it_is_cubic),
        T(a_css_divisor_below_two_is_refused),
        T(a_set_of_them_is_checked_as_a_whole_and_put_in_force_at_once),
        T(the_user_timeouts_never_turn_round),
        T(a_name_stands_for_itself_or_for_the_parts_of_a_vector),
        T(each_default_is_what_a_new_stack_has),
        T(a_new_value_counts_from_the_next_connection_on),
    };

    return cmocka_run_group_tests_name("tunables", tests, NULL, NULL);
}
