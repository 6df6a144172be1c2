/* SPDX-License-Identifier: MIT */
/* The retransmission timer (RFC 6298 §5, RFC 9293 §3.8.3). */
#include "tests/unit/tcp/fixture.h"

TEST(the_initial_rto_is_a_second)
{
    connecting();
    assert_int_equal(tp->rto, SEC);
    expect(SYN, 0, 0, 0);
    advance(SEC - 1);
    expect_none();
    advance(1);
    expect(SYN, 0, 0, 0);
}

TEST(a_segment_is_resent_at_200_ms_and_then_at_doubling_times)
{
    uint64_t at, rto;

    passive();
    assert_int_equal(w(100), 100);
    at = expect(PSH | ACK, 1, 1, 100)->at;
    rto = tp->rto;
    assert_in_range(rto, 200 * MS, 200 * MS + 10);
    for (int i = 0; i < 8; i++) {
        advance(at + rto - fx.now - 1);
        expect_none();
        advance(1);
        at = expect(PSH | ACK, 1, 1, 100)->at;
        rto *= 2;
    }
    assert_int_equal(cnt(tcp_rto), 8);
    assert_int_equal(tp->total_retrans, 8);
}

TEST(hostile_18_the_backoff_ends_at_two_minutes)
{
    passive();
    assert_int_equal(set_int(IPPROTO_TCP, TCP_USER_TIMEOUT, 2000000), 0);
    assert_int_equal(w(100), 100);
    advance(1000 * SEC);
    assert_int_equal(tp->rto, 120 * SEC);
}

TEST(r2_ends_the_connection_at_the_first_rto_924_6_s_after_the_first_retransmission)
{
    passive();
    assert_int_equal(w(100), 100);
    /* 0.2 + 0.4 + … + 102.4 s, then seven times 120 s */
    advance(1044 * SEC);
    assert_state(ESTABLISHED);
    advance(SEC);
    assert_state(CLOSED);
    assert_int_equal(sock_error(fx.s, true), ETIMEDOUT);
    assert_int_equal(cnt(tcp_timeouts), 1);
}

TEST(user_timeout_is_r2_of_one_connection)
{
    passive();
    assert_int_equal(set_int(IPPROTO_TCP, TCP_USER_TIMEOUT, 5000), 0);
    assert_int_equal(w(100), 100);
    advance(5 * SEC);
    assert_state(ESTABLISHED);
    advance(3 * SEC);
    assert_state(CLOSED);
    assert_int_equal(sock_error(fx.s, true), ETIMEDOUT);
}

TEST(the_backed_off_rto_lasts_until_a_valid_sample)
{
    fx.c->ts = false; /* Karn: nothing but a fresh segment can be measured */
    passive();
    assert_int_equal(w(100), 100);
    advance(700 * MS);
    clear();
    assert_int_equal(tp->backoff, 2);
    peer(ACK, 1, 101, 0);
    assert_in_range(tp->rto, 799 * MS, 801 * MS);
    assert_int_equal(w(100), 100);
    clear();
    peer(ACK, 1, 201, 0);
    assert_in_range(tp->rto, 200 * MS, 201 * MS);
    assert_int_equal(tp->backoff, 0);
}

TEST(an_ack_of_new_data_restarts_the_timer)
{
    passive();
    assert_int_equal(w(2896), 2896);
    clear();
    advance(150 * MS);
    peer(ACK, 1, 1449, 0);
    advance(199 * MS);
    expect_none();
    advance(300 * MS);
    expect(PSH | ACK, 1449, 1, 1448);
}

TEST(more_data_behind_what_is_out_does_not)
{
    passive();
    assert_int_equal(w(1448), 1448);
    advance(150 * MS);
    assert_int_equal(w(1448), 1448);
    clear();
    advance(51 * MS);
    assert_int_equal(take()->seq, 1);
}

TEST(everything_acknowledged_stops_the_timer)
{
    passive();
    assert_int_equal(w(100), 100);
    clear();
    peer(ACK, 1, 101, 0);
    advance(100 * SEC);
    expect_none();
    assert_int_equal(cnt(tcp_rto), 0);
}

TEST(a_time_out_is_slow_start_from_one)
{
    passive();
    assert_int_equal(w(14480), 14480);
    clear();
    advance(201 * MS);
    expect(ACK, 1, 1, 1448);
    expect_none();
    assert_int_equal(tp->cwnd, 1);
    assert_int_equal(tp->ssthresh, 5);
    assert_int_equal(tp->ca_state, CA_LOSS);
    peer(ACK, 1, 1449, 0);
    assert_int_equal(take_bytes(), 2 * 1448);
    peer(ACK, 1, 4345, 0);
    assert_int_equal(take_bytes(), 4 * 1448);
    peer(ACK, 1, 14481, 0);
    assert_int_equal(tp->ca_state, CA_OPEN);
}

TEST(a_local_failure_is_tried_again_in_half_a_second_at_most)
{
    passive();
    assert_int_equal(w(100), 100);
    clear();
    fx.device_room = 0;
    advance(201 * MS);
    fx.device_room = -1;
    advance(500 * MS);
    assert_true(clear() >= 1);
}

/* Two packets in flight, of which the window now takes less than one: to go again the first must be
 * cut, for which there is no memory. */
static void cannot_be_cut(void)
{
    fx.st->tcp.segment_pool.per_slab = 1;
    assert_int_equal(w(2 * tp->mss_cache), 2 * tp->mss_cache);
    assert_int_equal(tp->packets_out, 2);
    peer(PSH | ACK, 1, 1, 1);
    peer(ACK, 2, 1, 0, .win = 11);
    assert_int_equal(tp->snd_wnd, 1408);
    fx.fail_all = true;
}

TEST(a_retransmission_that_finds_no_memory_is_an_attempt)
{
    passive();
    assert_int_equal(set_int(IPPROTO_TCP, TCP_USER_TIMEOUT, 5000), 0);
    cannot_be_cut();
    advance(100 * MS);
    clear();
    advance(4900 * MS);
    assert_state(ESTABLISHED);
    advance(SEC);
    fx.fail_all = false;
    assert_int_equal(clear(), 0);
    assert_state(CLOSED);
    assert_int_equal(sock_error(fx.s, true), ETIMEDOUT);
}

TEST(memory_is_asked_for_less_often_than_the_device)
{
    passive();
    cannot_be_cut();
    advance(201 * MS);
    assert_in_range(tp->deadline[TCP_TIMER_retry] - fx.now, 8 * MS, 10 * MS);
    fx.fail_all = false;
    fx.device_room = 0;
    advance(10 * MS);
    assert_in_range(tp->deadline[TCP_TIMER_retry] - fx.now, 1, MS);
    fx.device_room = -1;
}

TEST(r1_makes_the_neighbour_suspect)
{
    uint64_t before;

    passive();
    before = cnt(arp_out_requests);
    assert_int_equal(w(100), 100);
    advance(3 * SEC);
    assert_int_equal(cnt(arp_out_requests), before);
    advance(4 * SEC);
    assert_true(cnt(arp_out_requests) > before);
}

/* Linux: tcp_rtx_probe0_timed_out(); an answer that only says "no window" does not reset the user's
 * patience. */
TEST(a_window_that_closed_over_data_in_flight_ends_with_the_user_timeout)
{
    active();
    assert_int_equal(set_int(IPPROTO_TCP, TCP_USER_TIMEOUT, 5000), 0);
    assert_int_equal(w(100), 100);
    peer(ACK, 1, 1, 0, .win = -1);
    /* the first retransmission is at 200 ms */
    advance(5199 * MS);
    assert_int_equal(sock_error(fx.s, true), 0);
    advance(2 * MS);
    assert_int_equal(sock_error(fx.s, true), ETIMEDOUT);
    assert_in_range(clear(), 4, 10);
}

TEST(a_window_that_closed_over_the_data_of_an_orphan_ends_with_its_retries)
{
    active();
    assert_int_equal(w(100), 100);
    peer(ACK, 1, 1, 0, .win = -1);
    close_it();
    advance(200 * SEC);
    assert_state(FIN_WAIT1);
    advance(6 * SEC);
    assert_state(CLOSED);
    clear();
}

TEST(r2_is_a_time_924_6_s_for_15_retransmissions)
{
    passive();
    tp->retransmits = 1;
    tp->stalled_since = fx.now;
    fx.st->now = fx.now += UINT64_C(924599999);
    assert_false(tcp_timed_out(tp, 15));
    assert_true(tcp_timed_out(tp, 14));
    fx.st->now = ++fx.now;
    assert_true(tcp_timed_out(tp, 15));
    tp->retransmits = 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(the_initial_rto_is_a_second),
        T(a_segment_is_resent_at_200_ms_and_then_at_doubling_times),
        T(hostile_18_the_backoff_ends_at_two_minutes),
        T(r2_ends_the_connection_at_the_first_rto_924_6_s_after_the_first_retransmission),
        T(user_timeout_is_r2_of_one_connection),
        T(the_backed_off_rto_lasts_until_a_valid_sample),
        T(an_ack_of_new_data_restarts_the_timer),
        T(more_data_behind_what_is_out_does_not),
        T(everything_acknowledged_stops_the_timer),
        T(a_time_out_is_slow_start_from_one),
        T(a_local_failure_is_tried_again_in_half_a_second_at_most),
        T(a_retransmission_that_finds_no_memory_is_an_attempt),
        T(memory_is_asked_for_less_often_than_the_device),
        T(r1_makes_the_neighbour_suspect),
        T(a_window_that_closed_over_data_in_flight_ends_with_the_user_timeout),
        T(a_window_that_closed_over_the_data_of_an_orphan_ends_with_its_retries),
        T(r2_is_a_time_924_6_s_for_15_retransmissions),
    };

    return cmocka_run_group_tests_name("rto", tests, NULL, NULL);
}
