/* SPDX-License-Identifier: MIT */
/* Active open: the SYN and its options, its retransmission, refusal, connecting again. */
#include "tests/unit/tcp/fixture.h"

TEST(the_syn_is_linux_s)
{
    const struct fx_seg *g;

    connecting();
    g = expect(SYN, 0, 0, 0);
    /* MSS SACKperm TS NOP WS */
    assert_int_equal(g->opt_len, 20);
    assert_memory_equal(g->opt, "\x02\x04\x05\xb4\x04\x02\x08\x0a", 8);
    assert_memory_equal(g->opt + 12, "\0\0\0\0\x01\x03\x03\x07", 8);
    assert_int_equal(g->window, 64240);
    assert_true(g->df);
    assert_int_equal(g->ttl, 64);
    assert_int_equal(g->raw_ack, 0);
    assert_state(SYN_SENT);
}

TEST(the_handshake_ends_with_an_ack_and_an_event)
{
    const struct fx_seg *g;
    struct ip_endpoint e = fx_peer_endpoint(), name;

    connecting();
    expect(SYN, 0, 0, 0);
    assert_int_equal(sock_connect(fx.s, &e, fx.now), -EALREADY);
    assert_int_equal(sock_getpeername(fx.s, &name), -ENOTCONN);
    advance(5 * MS);
    peer(SYN | ACK, 0, 1, 0);
    g = expect(ACK, 1, 1, 0);
    assert_int_equal(g->window, 502);
    assert_int_equal(g->tsecr, peer_tsval());
    assert_true(events_of(fx.s) & SOCK_EV_CONNECTED);
    assert_int_equal(sock_connect(fx.s, &e, fx.now), 0);
    assert_int_equal(sock_connect(fx.s, &e, fx.now), -EISCONN);
    assert_int_equal(sock_getpeername(fx.s, &name), 0);
    assert_int_equal(name.port, FX_PEER_PORT);
    assert_int_equal(cnt(tcp_active_opens), 1);
}

TEST(the_syn_is_resent_at_1_2_3_4_5_7_11_19_35_67_s_and_gives_up_at_131_s)
{
    static const unsigned at[] = {1, 2, 3, 4, 5, 7, 11, 19, 35, 67};
    uint64_t start = fx.now;

    connecting();
    expect(SYN, 0, 0, 0);
    advance(131 * SEC - 1);
    for (unsigned i = 0; i < 10; i++)
        assert_int_equal((expect(SYN, 0, 0, 0)->at - start) / SEC, at[i]);
    expect_none();
    assert_state(SYN_SENT);
    advance(1);
    assert_state(CLOSED);
    assert_true(events_of(fx.s) & SOCK_EV_ERROR);
    assert_int_equal(get_int(SOL_SOCKET, SO_ERROR), ETIMEDOUT);
    assert_int_equal(cnt(tcp_open_failed), 1);
}

TEST(tcp_syncnt_replaces_the_doubling_retries)
{
    assert_null(fx.s);
    fx.s = fx_socket();
    assert_int_equal(set_int(IPPROTO_TCP, TCP_SYNCNT, 1), 0);
    connecting();
    advance(7 * SEC - 1);
    assert_int_equal(clear(), 6);
    advance(1);
    assert_state(CLOSED);
    assert_int_equal(sock_error(fx.s, true), ETIMEDOUT);
}

TEST(user_timeout_bounds_the_handshake)
{
    fx.s = fx_socket();
    assert_int_equal(set_int(IPPROTO_TCP, TCP_USER_TIMEOUT, 3500), 0);
    connecting();
    advance(3 * SEC);
    assert_state(SYN_SENT);
    advance(SEC);
    assert_state(CLOSED);
    assert_int_equal(sock_error(fx.s, true), ETIMEDOUT);
}

TEST(a_reset_refuses_and_the_socket_can_connect_again)
{
    struct ip_endpoint e = fx_peer_endpoint();

    connecting();
    expect(SYN, 0, 0, 0);
    peer(RST | ACK, 0, 1, 0);
    assert_state(CLOSED);
    assert_true(events_of(fx.s) & SOCK_EV_ERROR);
    assert_int_equal(sock_connect(fx.s, &e, fx.now), -ECONNREFUSED);
    peer_use(1);
    active();
    assert_int_equal(w(100), 100);
    expect(PSH | ACK, 1, 1, 100);
    peer(PSH | ACK, 1, 101, 50);
    expect(ACK, 101, 51, 0);
    assert_int_equal(r(100), 50);
    assert_int_equal(r(100), -EAGAIN);
}

TEST(after_the_error_was_taken_connect_says_econnaborted_once)
{
    struct ip_endpoint e = fx_peer_endpoint();

    connecting();
    peer(RST | ACK, 0, 1, 0);
    assert_int_equal(get_int(SOL_SOCKET, SO_ERROR), ECONNREFUSED);
    assert_int_equal(sock_connect(fx.s, &e, fx.now), -ECONNABORTED);
    assert_int_equal(sock_connect(fx.s, &e, fx.now), -EINPROGRESS);
}

TEST(a_second_attempt_begins_like_the_first)
{
    uint64_t start;

    connecting();
    advance(131 * SEC);
    clear();
    assert_int_equal(sock_error(fx.s, true), ETIMEDOUT);
    assert_int_equal(sock_connect(fx.s, &(struct ip_endpoint){.port = 1}, fx.now), -ECONNABORTED);
    start = fx.now;
    peer_use(1);
    connecting();
    advance(3 * SEC);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal((expect(SYN, 0, 0, 0)->at - start) / SEC, i);
}

TEST(a_bound_port_survives_a_refused_connect)
{
    struct ip_endpoint e = fx_endpoint("0.0.0.0", 5555), name;

    fx.s = fx_socket();
    assert_int_equal(sock_bind(fx.s, &e, fx.now), 0);
    connecting();
    assert_int_equal(expect(SYN, 0, 0, 0)->src_port, 5555);
    peer(RST | ACK, 0, 1, 0);
    sock_error(fx.s, true);
    e = fx_peer_endpoint();
    sock_connect(fx.s, &e, fx.now);
    connecting();
    assert_int_equal(expect(SYN, 0, 0, 0)->src_port, 5555);
    sock_getsockname(fx.s, &name);
    assert_int_equal(name.port, 5555);
}

TEST(connect_refuses_what_is_no_peer)
{
    struct sock *s = fx_socket();
    struct ip_endpoint e = fx_endpoint("255.255.255.255", 1);

    assert_int_equal(sock_connect(s, &e, fx.now), -ENETUNREACH);
    e = fx_endpoint("224.0.0.1", 1);
    assert_int_equal(sock_connect(s, &e, fx.now), -ENETUNREACH);
    e = fx_endpoint("10.0.0.255", 1);
    assert_int_equal(sock_connect(s, &e, fx.now), -ENETUNREACH);
    e = fx_endpoint("192.168.1.1", 1);
    assert_int_equal(sock_connect(s, &e, fx.now), -ENETUNREACH);
    e = fx_endpoint("2001:db8::1", 1);
    assert_int_equal(sock_connect(s, &e, fx.now), -ENETUNREACH);
    run();
    expect_none();
    close_sock(&s);
}

TEST(close_while_connecting_says_nothing)
{
    connecting();
    expect(SYN, 0, 0, 0);
    close_it();
    advance(10 * SEC);
    expect_none();
    assert_state(CLOSED);
    peer(SYN | ACK, 0, 1, 0);
    assert_int_equal(take()->flags, RST);
}

TEST(a_syn_lost_twice_starts_with_a_window_of_one)
{
    connecting();
    advance(2500 * MS);
    assert_int_equal(clear(), 3);
    peer(SYN | ACK, 0, 1, 0);
    expect(ACK, 1, 1, 0);
    assert_int_equal(tp->cwnd, 1);
    assert_int_equal(w(3000), 3000);
    expect(ACK, 1, 1, 1448);
    expect_none();
}

TEST(no_memory_for_the_syn_is_enomem_and_leaves_nothing)
{
    struct ip_endpoint e = fx_peer_endpoint();

    fx.s = fx_socket();
    fx.fail_all = true;
    assert_int_equal(sock_connect(fx.s, &e, fx.now), -ENOMEM);
    fx.fail_all = false;
    assert_state(CLOSED);
    active();
}

TEST(no_memory_for_the_syn_holds_no_port)
{
    struct ip_endpoint e = fx_peer_endpoint();

    fx.s = fx_socket();
    /* the port has its bucket, the segment has nothing */
    for (fx.fail_at = fx.allocs + 1; sock_connect(fx.s, &e, fx.now) == -ENOMEM;
         fx.fail_at = fx.allocs + 1 + (fx.fail_at & 1))
        assert_int_equal(hash_count(&fx.st->tcp.binds), 0);
    run();
    clear();
}

TEST(a_syn_that_the_device_refused_goes_out_when_it_has_room)
{
    struct sock *other;

    /* so that the neighbour is known */
    peer_use(1);
    passive();
    other = fx.s;
    fx.s = NULL;
    peer_use(0);
    fx.device_room = 0;
    connecting();
    expect_none();
    fx.device_room = -1;
    advance(5 * MS);
    expect(SYN, 0, 0, 0);
    close_sock(&other);
    clear();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(the_syn_is_linux_s),
        T(the_handshake_ends_with_an_ack_and_an_event),
        T(the_syn_is_resent_at_1_2_3_4_5_7_11_19_35_67_s_and_gives_up_at_131_s),
        T(tcp_syncnt_replaces_the_doubling_retries),
        T(user_timeout_bounds_the_handshake),
        T(a_reset_refuses_and_the_socket_can_connect_again),
        T(after_the_error_was_taken_connect_says_econnaborted_once),
        T(a_second_attempt_begins_like_the_first),
        T(a_bound_port_survives_a_refused_connect),
        T(connect_refuses_what_is_no_peer),
        T(close_while_connecting_says_nothing),
        T(a_syn_lost_twice_starts_with_a_window_of_one),
        T(no_memory_for_the_syn_is_enomem_and_leaves_nothing),
        T(no_memory_for_the_syn_holds_no_port),
        T(a_syn_that_the_device_refused_goes_out_when_it_has_room),
    };

    return cmocka_run_group_tests_name("open", tests, NULL, NULL);
}
