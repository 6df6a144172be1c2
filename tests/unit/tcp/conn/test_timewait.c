/* SPDX-License-Identifier: MIT */
/* TIME-WAIT and the small FIN-WAIT-2 (RFC 9293 §3.6.1, RFC 6191, RFC 1337; linux-receiver §9). */
#include "tests/unit/tcp/fixture.h"

/* We close first; the peer's last segment was its FIN at 1, so 2 is next. */
static void time_wait(void)
{
    passive();
    close_it();
    expect(FIN | ACK, 1, 1, 0);
    peer(ACK, 1, 2, 0);
    peer(FIN | ACK, 1, 2, 0);
    expect(ACK, 2, 2, 0);
    assert_state(TIME_WAIT);
    assert_int_equal(cnt(tcp_time_wait), 1);
}

TEST(the_fin_again_is_acknowledged_and_restarts_the_time)
{
    time_wait();
    advance(50 * SEC);
    peer(FIN | ACK, 1, 2, 0);
    expect(ACK, 2, 2, 0);
    advance(59 * SEC);
    assert_state(TIME_WAIT);
    advance(2 * SEC);
    assert_state(CLOSED);
}

TEST(a_bare_ack_is_not_answered)
{
    time_wait();
    peer(ACK, 2, 2, 0);
    expect_none();
    assert_state(TIME_WAIT);
}

TEST(other_segments_are_acknowledged_but_not_too_often)
{
    time_wait();
    peer(ACK, 500, 2, 0);
    peer(ACK, 500, 2, 0);
    peer(ACK, 500, 2, 0);
    assert_in_range(clear(), 0, 1);
    advance(SEC);
    peer(ACK, 500, 2, 0);
    expect(ACK, 2, 2, 0);
}

TEST(rfc6191_a_new_syn_reopens_with_a_higher_isn)
{
    uint32_t old_iss;

    time_wait();
    old_iss = fx.c->iss;
    advance(SEC);
    fx.c->irs += 100000;
    peer(SYN, 0, 0, 0);
    expect(SYN | ACK, 0, 1, 0);
    assert_int_equal(fx.c->iss, old_iss + 2 + 65537);
    assert_int_equal(cnt(tcp_time_wait_reused), 1);
    peer(ACK, 1, 1, 0);
    assert_int_equal(accept_one(), 0);
    assert_state(ESTABLISHED);
}

TEST(rfc6191_a_newer_stamp_is_enough)
{
    time_wait();
    advance(SEC);
    fx.c->irs -= 100000;
    peer(SYN, 0, 0, 0);
    assert_int_equal(take()->flags, SYN | ACK);
}

TEST(rfc6191_without_stamps_only_a_higher_sequence_number)
{
    fx.c->ts = false;
    time_wait();
    advance(SEC);
    fx.c->irs -= 100000;
    peer(SYN, 0, 0, 0);
    assert_int_equal(take()->flags, ACK);
    fx.c->irs += 200000;
    peer(SYN, 0, 0, 0);
    assert_int_equal(take()->flags, SYN | ACK);
}

TEST(an_old_duplicate_syn_is_acknowledged)
{
    time_wait();
    advance(SEC);
    peer(SYN, 0, 0, 0, .tsval = peer_tsval() - 60000);
    expect(ACK, 2, 2, 0);
    assert_state(TIME_WAIT);
}

TEST(without_a_listener_no_syn_ends_time_wait)
{
    time_wait();
    close_sock(&fx.lst);
    advance(SEC);
    fx.c->irs += 100000;
    peer(SYN, 0, 0, 0);
    assert_int_equal(take()->flags, ACK);
    assert_state(TIME_WAIT);
}

TEST(an_exact_reset_ends_time_wait_unless_rfc1337)
{
    time_wait();
    peer(RST, 3, 0, 0);
    expect_none();
    assert_state(TIME_WAIT);
    tun.rfc1337 = 1;
    peer(RST, 2, 0, 0);
    assert_state(TIME_WAIT);
    tun.rfc1337 = 0;
    peer(RST, 2, 0, 0);
    assert_state(CLOSED);
    expect_none();
}

TEST(hostile_21_records_are_bounded_the_oldest_goes_first)
{
    tun.max_tw_buckets = 3;
    for (unsigned i = 0; i < 5; i++) {
        peer_use(i);
        passive();
        close_it();
        peer(FIN | ACK, 1, 2, 0);
        clear();
    }
    assert_state(TIME_WAIT);
    peer_use(0);
    assert_state(CLOSED);
    peer_use(1);
    assert_state(CLOSED);
    peer_use(2);
    assert_state(TIME_WAIT);
    assert_int_equal(cnt(tcp_time_wait_recycled), 2);
}

TEST(without_memory_there_is_no_record_but_a_clean_end)
{
    passive();
    close_it();
    clear();
    fx.fail_all = true;
    peer(FIN | ACK, 1, 2, 0);
    fx.fail_all = false;
    expect(ACK, 2, 2, 0);
    assert_state(CLOSED);
}

TEST(the_port_stays_taken_and_reuseaddr_passes_it)
{
    struct ip_endpoint e = fx_endpoint("0.0.0.0", FX_PORT);
    struct sock *s;
    int on = 1;

    listening(1);
    sock_setsockopt(fx.lst, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on), fx.now);
    time_wait();
    close_sock(&fx.lst);
    s = fx_socket();
    assert_int_equal(sock_bind(s, &e, fx.now), -EADDRINUSE);
    sock_setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on), fx.now);
    assert_int_equal(sock_bind(s, &e, fx.now), 0);
    assert_int_equal(sock_listen(s, 1, fx.now), 0);
    close_sock(&s);
}

TEST(connect_from_a_bound_port_takes_its_own_time_wait_over)
{
    struct ip_endpoint e = fx_endpoint("0.0.0.0", 5555);
    int on = 1;
    uint32_t old;

    fx.s = fx_socket();
    assert_int_equal(set_int(SOL_SOCKET, SO_REUSEADDR, on), 0);
    assert_int_equal(sock_bind(fx.s, &e, fx.now), 0);
    active();
    old = fx.c->iss;
    close_it();
    peer(FIN | ACK, 1, 2, 0);
    clear();
    assert_state(TIME_WAIT);
    advance(SEC);
    fx.s = fx_socket();
    assert_int_equal(set_int(SOL_SOCKET, SO_REUSEADDR, on), 0);
    assert_int_equal(sock_bind(fx.s, &e, fx.now), 0);
    connecting();
    expect(SYN, 0, 0, 0);
    assert_int_equal(fx.c->iss, old + 2 + 65537);
    assert_state(SYN_SENT);
}

static void fin_wait2(void)
{
    passive();
    close_it();
    peer(ACK, 1, 2, 0);
    clear();
    assert_state(FIN_WAIT2);
}

TEST(small_fin_wait_2_takes_the_fin)
{
    fin_wait2();
    advance(30 * SEC);
    peer(FIN | ACK, 1, 2, 0);
    expect(ACK, 2, 2, 0);
    assert_state(TIME_WAIT);
    advance(59 * SEC);
    assert_state(TIME_WAIT);
}

TEST(small_fin_wait_2_is_ended_by_a_reset)
{
    fin_wait2();
    peer(RST, 1, 0, 0);
    assert_state(CLOSED);
    expect_none();
}

TEST(small_fin_wait_2_acknowledges_what_is_outside_the_window)
{
    fin_wait2();
    peer(ACK, 0xf0000000u, 2, 10);
    expect(ACK, 2, 1, 0);
    assert_state(FIN_WAIT2);
}

TEST(small_fin_wait_2_challenges_a_syn_and_an_inexact_reset)
{
    fin_wait2();
    peer(SYN, 5, 0, 0);
    expect(ACK, 2, 1, 0);
    peer(RST, 2, 0, 0);
    expect_none(); /* the limit */
    advance(SEC);
    peer(RST, 2, 0, 0);
    expect(ACK, 2, 1, 0);
    advance(SEC);
    peer(RST, 0xf0000000u, 0, 0);
    expect_none();
    assert_state(FIN_WAIT2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(the_fin_again_is_acknowledged_and_restarts_the_time),
        T(a_bare_ack_is_not_answered),
        T(other_segments_are_acknowledged_but_not_too_often),
        T(rfc6191_a_new_syn_reopens_with_a_higher_isn),
        T(rfc6191_a_newer_stamp_is_enough),
        T(rfc6191_without_stamps_only_a_higher_sequence_number),
        T(an_old_duplicate_syn_is_acknowledged),
        T(without_a_listener_no_syn_ends_time_wait),
        T(an_exact_reset_ends_time_wait_unless_rfc1337),
        T(hostile_21_records_are_bounded_the_oldest_goes_first),
        T(without_memory_there_is_no_record_but_a_clean_end),
        T(the_port_stays_taken_and_reuseaddr_passes_it),
        T(connect_from_a_bound_port_takes_its_own_time_wait_over),
        T(small_fin_wait_2_takes_the_fin),
        T(small_fin_wait_2_is_ended_by_a_reset),
        T(small_fin_wait_2_acknowledges_what_is_outside_the_window),
        T(small_fin_wait_2_challenges_a_syn_and_an_inexact_reset),
    };

    return cmocka_run_group_tests_name("timewait", tests, NULL, NULL);
}
