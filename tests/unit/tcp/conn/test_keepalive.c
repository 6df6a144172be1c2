/* SPDX-License-Identifier: MIT */
/* Keep-alive (RFC 9293 §3.8.4). */
#include "tests/unit/tcp/fixture.h"

static void keepalive(int idle, int interval, int count)
{
    passive();
    assert_int_equal(set_int(IPPROTO_TCP, TCP_KEEPIDLE, idle), 0);
    assert_int_equal(set_int(IPPROTO_TCP, TCP_KEEPINTVL, interval), 0);
    assert_int_equal(set_int(IPPROTO_TCP, TCP_KEEPCNT, count), 0);
    assert_int_equal(set_int(SOL_SOCKET, SO_KEEPALIVE, 1), 0);
}

TEST(keepalive_is_off_by_default)
{
    passive();
    advance(48 * 3600 * SEC);
    expect_none();
    assert_state(ESTABLISHED);
}

TEST(the_defaults_are_two_hours_75_s_and_nine)
{
    uint64_t start;

    passive();
    start = fx.now;
    assert_int_equal(set_int(SOL_SOCKET, SO_KEEPALIVE, 1), 0);
    advance(7200 * SEC - 1);
    expect_none();
    advance(9 * 75 * SEC);
    for (unsigned i = 0; i < 9; i++)
        assert_int_equal(expect(ACK, 0, 1, 0)->at - start, (7200 + 75 * i) * SEC);
    expect_none();
    assert_state(ESTABLISHED);
    advance(2);
    expect(RST | ACK, 1, 1, 0);
    assert_state(CLOSED);
    assert_int_equal(sock_error(fx.s, true), ETIMEDOUT);
    assert_int_equal(cnt(tcp_out_keepalives), 9);
}

TEST(an_answer_starts_the_idle_time_anew)
{
    keepalive(10, 1, 3);
    for (int i = 0; i < 20; i++) {
        advance(10 * SEC);
        expect(ACK, 0, 1, 0);
        peer(ACK, 1, 1, 0);
        expect_none();
    }
    assert_state(ESTABLISHED);
}

TEST(one_lost_probe_kills_nothing)
{
    keepalive(10, 1, 3);
    advance(12 * SEC);
    assert_int_equal(clear(), 3);
    peer(ACK, 1, 1, 0);
    advance(9 * SEC);
    expect_none();
    assert_state(ESTABLISHED);
}

TEST(traffic_puts_the_probe_off)
{
    keepalive(10, 1, 3);
    for (int i = 0; i < 10; i++) {
        advance(9 * SEC);
        peer(PSH | ACK, 1 + (uint32_t)i, 1, 1);
        r(1);
    }
    while (fx.next < fx.n_segs)
        assert_int_equal(take()->seq, 1);
}

TEST(no_probe_while_data_is_in_flight)
{
    keepalive(1, 1, 3);
    assert_int_equal(w(10), 10);
    advance(20 * SEC);
    while (fx.next < fx.n_segs)
        expect(PSH | ACK, 1, 1, 10);
    assert_int_equal(cnt(tcp_out_keepalives), 0);
    assert_state(ESTABLISHED);
}

TEST(switched_off_again)
{
    keepalive(10, 1, 3);
    assert_int_equal(set_int(SOL_SOCKET, SO_KEEPALIVE, 0), 0);
    advance(3600 * SEC);
    expect_none();
}

TEST(set_before_the_connection_works_too)
{
    fx.s = fx_socket();
    assert_int_equal(set_int(SOL_SOCKET, SO_KEEPALIVE, 1), 0);
    assert_int_equal(set_int(IPPROTO_TCP, TCP_KEEPIDLE, 5), 0);
    active();
    advance(5 * SEC);
    expect(ACK, 0, 1, 0);
}

TEST(user_timeout_replaces_the_count)
{
    keepalive(10, 1, 100);
    assert_int_equal(set_int(IPPROTO_TCP, TCP_USER_TIMEOUT, 15000), 0);
    advance(14500 * MS);
    assert_state(ESTABLISHED);
    advance(SEC);
    assert_state(CLOSED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(keepalive_is_off_by_default),
        T(the_defaults_are_two_hours_75_s_and_nine),
        T(an_answer_starts_the_idle_time_anew),
        T(one_lost_probe_kills_nothing),
        T(traffic_puts_the_probe_off),
        T(no_probe_while_data_is_in_flight),
        T(switched_off_again),
        T(set_before_the_connection_works_too),
        T(user_timeout_replaces_the_count),
    };

    return cmocka_run_group_tests_name("keepalive", tests, NULL, NULL);
}
