/* SPDX-License-Identifier: MIT */
/* The algorithms by name, and their change in the life of a connection. */
#include "tests/unit/tcp/cc/bare.h"

static const char *congestion(void)
{
    static char name[16];
    size_t len = sizeof(name);

    assert_int_equal(sock_getsockopt(fx.s, IPPROTO_TCP, TCP_CONGESTION, name, &len, fx.now), 0);
    assert_int_equal(len, sizeof(name));
    return name;
}

static int choose(const char *name, size_t len)
{
    return sock_setsockopt(fx.s, IPPROTO_TCP, TCP_CONGESTION, name, len, fx.now);
}

TEST(they_are_found_by_name)
{
    assert_ptr_equal(tcp_cc_find("cubic", 5), &tcp_cc_cubic);
    assert_ptr_equal(tcp_cc_find("renovation", 4), &tcp_cc_reno);
    assert_ptr_equal(tcp_cc_find("bbr", 3), &tcp_cc_bbr);
    assert_null(tcp_cc_find("bbr", 2));
    assert_null(tcp_cc_find("cubic\0", 6));
    assert_null(tcp_cc_find("", 0));
    assert_ptr_equal(tcp_cc_at(0), &tcp_cc_cubic);
    assert_null(tcp_cc_at(3));
}

TEST(each_one_reduces_and_restores)
{
    const struct tcp_cc_ops *ops;

    for (unsigned i = 0; (ops = tcp_cc_at(i)); i++) {
        assert_non_null(ops->ssthresh);
        assert_non_null(ops->undo_cwnd);
        assert_true(ops->cong_avoid || ops->cong_control);
        bare_start(ops, 100, 10 * MS);
        assert_true(ops->ssthresh(&bare) >= 2);
        bare.prior_cwnd = 100;
        bare.cwnd = 50;
        assert_int_equal(ops->undo_cwnd(&bare), 100);
        tcp_cc_stop(&bare);
    }
}

TEST(a_connection_changes_its_algorithm_in_mid_stream)
{
    passive();
    bulk(100000);
    assert_string_equal(congestion(), "reno");
    assert_int_equal(choose("bbr", 3), 0);
    assert_string_equal(congestion(), "bbr");
    assert_int_equal(fx.st->tcp.bbr_pool.in_use, 1);
    bulk(100000);
    assert_int_equal(choose("cubic", 6), 0); /* its NUL counted */
    assert_string_equal(congestion(), "cubic");
    assert_int_equal(fx.st->tcp.bbr_pool.in_use, 0);
    bulk(100000);
    assert_int_equal(choose("nosuch", 6), -ENOENT);
    assert_int_equal(choose("cubicandmuchmorethanfits", 24), -ENOENT);
    assert_int_equal(choose("cubic", 0), -EINVAL);
    assert_string_equal(congestion(), "cubic");
}

TEST(a_listener_s_children_have_its_algorithm)
{
    listening(8);
    assert_int_equal(sock_setsockopt(fx.lst, IPPROTO_TCP, TCP_CONGESTION, "bbr", 3, fx.now), 0);
    peer_connects();
    assert_int_equal(accept_one(), 0);
    assert_string_equal(congestion(), "bbr");
    assert_int_equal(fx.st->tcp.bbr_pool.in_use, 1);
    close_it();
}

TEST(a_socket_keeps_its_choice_until_it_connects)
{
    assert_int_equal(stack_tunable_set(fx.st, "tcp_congestion_control", "bbr"), 0);
    connecting();
    assert_string_equal(congestion(), "bbr");
    assert_int_equal(fx.st->tcp.bbr_pool.in_use, 0);
    assert_int_equal(choose("reno", 4), 0);
    assert_string_equal(congestion(), "reno");
}

TEST(the_state_of_a_dead_connection_is_given_back)
{
    assert_int_equal(stack_tunable_set(fx.st, "tcp_congestion_control", "bbr"), 0);
    passive();
    assert_int_equal(fx.st->tcp.bbr_pool.in_use, 1);
    peer(RST | ACK, 1, 1, 0);
    assert_int_equal(fx.st->tcp.bbr_pool.in_use, 0);
}

TEST(without_memory_for_bbr_it_is_cubic)
{
    passive();
    fx.fail_all = true;
    assert_int_equal(choose("bbr", 3), 0);
    fx.fail_all = false;
    assert_string_equal(congestion(), "cubic");
    bulk(100000);
}

TEST(only_bbr_has_something_to_tell)
{
    uint32_t info[16];
    size_t len = sizeof(info);

    passive();
    assert_int_equal(sock_getsockopt(fx.s, IPPROTO_TCP, TCP_CC_INFO, info, &len, fx.now), 0);
    assert_int_equal(len, 0);
    assert_int_equal(choose("bbr", 3), 0);
    len = sizeof(info);
    assert_int_equal(sock_getsockopt(fx.s, IPPROTO_TCP, TCP_CC_INFO, info, &len, fx.now), 0);
    assert_int_equal(len, 20);
    assert_int_equal(info[4], 512); /* twice what the path holds */
    len = 7;
    assert_int_equal(sock_getsockopt(fx.s, IPPROTO_TCP, TCP_CC_INFO, info, &len, fx.now), 0);
    assert_int_equal(len, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(they_are_found_by_name),
        T(each_one_reduces_and_restores),
        T(a_connection_changes_its_algorithm_in_mid_stream),
        T(a_listener_s_children_have_its_algorithm),
        T(a_socket_keeps_its_choice_until_it_connects),
        T(the_state_of_a_dead_connection_is_given_back),
        T(without_memory_for_bbr_it_is_cubic),
        T(only_bbr_has_something_to_tell),
    };

    return cmocka_run_group_tests_name("cc", tests, NULL, NULL);
}
