/* SPDX-License-Identifier: MIT */
/* The congestion window around the algorithm: growth when it was the limit, idle time, pacing rate,
 * send buffer. */
#include "tests/unit/tcp/fixture.h"

TEST(the_initial_window_is_ten)
{
    passive();
    assert_int_equal(tp->cwnd, 10);
    assert_int_equal(w(100000), 100000);
    assert_int_equal(take_bytes(), 14480);
}

TEST(the_initial_window_is_14600_bytes_two_segments_and_ten_at_most)
{
    static const struct {
        uint16_t mss;
        uint32_t tunable, packets;
    } rows[] = {{536, 10, 10},    {1448, 10, 10}, {1460, 10, 10}, {1461, 10, 9}, {2920, 10, 5},
                {7300, 10, 2},    {8948, 10, 2},  {65483, 10, 2}, {1448, 1, 1},  {1448, 2, 2},
                {1448, 100, 100}, {8948, 1, 1},   {9000, 30, 4}};

    passive();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        tun.initial_cwnd = rows[i].tunable;
        tp->mss_cache = rows[i].mss;
        assert_int_equal(tcp_init_cwnd(tp), rows[i].packets);
    }
}

TEST(after_a_loss_in_the_initial_window_idle_time_leads_to_four_segments)
{
    passive();
    assert_int_equal(w(14480), 14480);
    tcp_cwnd_note_loss(tp);
    assert_true(tp->iw_reduced);
    peer(ACK, 1, 14481, 0);
    clear();
    tp->mss_cache = 1095;
    tp->cwnd = 80;
    advance(100 * SEC);
    tp->st->now = fx.now;
    tcp_cwnd_restart_if_idle(tp);
    assert_int_equal(tp->cwnd, 4);
    /* 4380 bytes are three segments of an Ethernet */
    tp->mss_cache = 1448;
    tp->cwnd = 80;
    tcp_cwnd_restart_if_idle(tp);
    assert_int_equal(tp->cwnd, 3);
}

TEST(a_loss_after_the_initial_window_or_of_4_kb_changes_nothing)
{
    passive();
    assert_int_equal(w(2000), 2000);
    tcp_cwnd_note_loss(tp);
    assert_false(tp->iw_reduced);
    peer(ACK, 1, 2001, 0);
    bulk(400000);
    assert_int_equal(w(1448), 1448);
    tcp_cwnd_note_loss(tp);
    assert_false(tp->iw_reduced);
    clear();
}

TEST(the_restart_window_is_never_above_the_window)
{
    passive();
    bulk(20000);
    tp->cwnd = 3;
    advance(100 * SEC);
    assert_int_equal(w(1), 1);
    assert_int_equal(tp->cwnd, 3);
}

TEST(idle_time_does_not_touch_the_window_of_bbr)
{
    passive();
    assert_int_equal(sock_setsockopt(fx.s, IPPROTO_TCP, TCP_CONGESTION, "bbr", 3, fx.now), 0);
    bulk(20000);
    tp->cwnd = 80;
    advance(100 * SEC);
    tp->st->now = fx.now;
    tcp_cwnd_restart_if_idle(tp);
    assert_int_equal(tp->cwnd, 80);
}

TEST(the_ratios_of_the_pacing_rate_are_tunable)
{
    passive();
    tp->srtt_us = 100 * MS << 3;
    tp->cwnd = 50;
    tp->ssthresh = 1000;
    tcp_update_pacing_rate(tp);
    assert_int_equal(tp->pacing_rate, 1448 * 50 * 10 * 2);
    tp->ssthresh = 100; /* at half of it */
    tcp_update_pacing_rate(tp);
    assert_in_range(tp->pacing_rate, 1448 * 50 * 12 - 120, 1448 * 50 * 12);
    tun.pacing_ss_ratio = 300;
    tun.pacing_ca_ratio = 100;
    tcp_update_pacing_rate(tp);
    assert_in_range(tp->pacing_rate, 1448 * 50 * 10 - 100, 1448 * 50 * 10);
    tp->ssthresh = 1000;
    tcp_update_pacing_rate(tp);
    assert_int_equal(tp->pacing_rate, 1448 * 50 * 10 * 3);
    tp->max_pacing_rate = 12345;
    tcp_update_pacing_rate(tp);
    assert_int_equal(tp->pacing_rate, 12345);
}

TEST(the_send_buffer_holds_three_windows_of_bbr)
{
    passive();
    assert_int_equal(sock_setsockopt(fx.s, IPPROTO_TCP, TCP_CONGESTION, "bbr", 3, fx.now), 0);
    tp->cwnd = 500;
    tcp_sndbuf_expand(tp);
    assert_int_equal(tp->sndbuf, 3 * 500 * 1448);
}

TEST(slow_start_doubles_in_a_round_trip)
{
    uint32_t acked = 1;

    fx.rtt = 10 * MS;
    passive();
    assert_int_equal(set_int(SOL_SOCKET, SO_SNDBUF, 2000000), 0);
    assert_int_equal(w(1000000), 1000000);
    for (uint32_t cwnd = 10; cwnd <= 80; cwnd *= 2) {
        assert_int_equal(tp->cwnd, cwnd);
        assert_int_equal(take_bytes(), cwnd * 1448);
        advance(10 * MS);
        /* an ACK for every second segment, in one batch */
        for (uint32_t i = 0; i < cwnd; i += 2) {
            acked += 2 * 1448;
            peer(ACK, 1, acked, 0, .later = true);
        }
        run();
    }
}

TEST(a_window_that_was_not_used_does_not_grow)
{
    passive();
    for (uint32_t i = 0; i < 50; i++) {
        assert_int_equal(w(100), 100);
        peer(ACK, 1, 101 + i * 100, 0);
    }
    assert_int_equal(tp->cwnd, 10);
}

TEST(idle_time_halves_it_for_each_rto_down_to_the_initial_window)
{
    passive();
    bulk(400000);
    assert_true(tp->cwnd >= 40);
    tp->cwnd = 80;
    advance(2 * (uint64_t)tp->rto + 1);
    assert_int_equal(w(1), 1);
    assert_int_equal(tp->cwnd, 20);
    assert_true(tp->ssthresh >= 60);
    peer(ACK, 1, tp->snd_nxt - tp->iss, 0);
    advance(100 * SEC);
    assert_int_equal(w(1), 1);
    assert_int_equal(tp->cwnd, 10);
}

TEST(slow_start_after_idle_can_be_switched_off)
{
    tun.slow_start_after_idle = 0;
    passive();
    bulk(400000);
    tp->cwnd = 80;
    advance(100 * SEC);
    assert_int_equal(w(1), 1);
    assert_int_equal(tp->cwnd, 80);
}

TEST(the_pacing_rate_is_twice_the_window_per_round_trip_in_slow_start)
{
    struct sock_info i;

    fx.rtt = 100 * MS;
    passive();
    sock_get_info(fx.s, &i, fx.now);
    assert_int_equal(i.tcp.pacing_rate, 1448 * 10 * 10 * 2);
    tp->ssthresh = 10;
    assert_int_equal(w(1), 1);
    advance(100 * MS);
    peer(ACK, 1, 2, 0);
    sock_get_info(fx.s, &i, fx.now);
    assert_in_range(i.tcp.pacing_rate, 1448 * 10 * 10 * 11 / 10, 1448 * 10 * 10 * 13 / 10);
}

TEST(the_send_buffer_holds_twice_the_window)
{
    passive();
    bulk(400000);
    while (w(65160) > 0) /* it grows where it was what held the writer */
        ;
    while (tp->snd_una != tp->write_seq) {
        peer(ACK, 1, tp->snd_nxt - tp->iss, 0);
        clear();
    }
    assert_int_equal(get_int(SOL_SOCKET, SO_SNDBUF), 2 * tp->cwnd * 1448);
}

TEST(a_send_buffer_set_by_hand_stays)
{
    passive();
    assert_int_equal(set_int(SOL_SOCKET, SO_SNDBUF, 20000), 0);
    bulk(400000);
    assert_int_equal(get_int(SOL_SOCKET, SO_SNDBUF), 40000);
}

/* For as long no ACK has come: each one counts as use (Linux: tcp_cong_avoid). */
TEST(what_is_not_used_for_an_rto_is_given_up_by_half)
{
    passive();
    set_int(IPPROTO_TCP, TCP_NODELAY, 1);
    bulk(400000);
    tp->cwnd = 40;
    for (int i = 0; i < 5; i++) {
        assert_int_equal(w(100), 100);
        peer(ACK, 1, tp->snd_nxt - tp->iss, 0);
        advance(150 * MS);
    }
    assert_int_equal(tp->cwnd, 40);
    assert_int_equal(w(100), 100);
    advance(60 * MS);
    assert_int_equal(w(100), 100);
    assert_int_equal(tp->cwnd, 25);
    assert_true(tp->ssthresh >= 30);
    clear();
}

TEST(a_window_that_was_the_limit_is_not_when_less_is_sent)
{
    passive();
    assert_int_equal(w(50000), 50000);
    assert_true(tp->is_cwnd_limited);
    while (tp->snd_una != tp->write_seq)
        peer(ACK, 1, tp->snd_nxt - tp->iss, 0);
    clear();
    assert_int_equal(w(100), 100);
    assert_false(tp->is_cwnd_limited);
    clear();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(the_initial_window_is_ten),
        T(the_initial_window_is_14600_bytes_two_segments_and_ten_at_most),
        T(after_a_loss_in_the_initial_window_idle_time_leads_to_four_segments),
        T(a_loss_after_the_initial_window_or_of_4_kb_changes_nothing),
        T(the_restart_window_is_never_above_the_window),
        T(idle_time_does_not_touch_the_window_of_bbr),
        T(the_ratios_of_the_pacing_rate_are_tunable),
        T(the_send_buffer_holds_three_windows_of_bbr),
        T(slow_start_doubles_in_a_round_trip),
        T(a_window_that_was_not_used_does_not_grow),
        T(idle_time_halves_it_for_each_rto_down_to_the_initial_window),
        T(slow_start_after_idle_can_be_switched_off),
        T(the_pacing_rate_is_twice_the_window_per_round_trip_in_slow_start),
        T(the_send_buffer_holds_twice_the_window),
        T(a_send_buffer_set_by_hand_stays),
        T(what_is_not_used_for_an_rto_is_given_up_by_half),
        T(a_window_that_was_the_limit_is_not_when_less_is_sent),
    };

    return cmocka_run_group_tests_name("cwnd", tests, NULL, NULL);
}
