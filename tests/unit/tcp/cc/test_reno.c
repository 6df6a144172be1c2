/* SPDX-License-Identifier: MIT */
/* Reno (RFC 5681). */
#include "tests/unit/tcp/fixture.h"

TEST(a_loss_halves_with_a_floor_of_two)
{
    passive();
    tp->cwnd = 33;
    assert_int_equal(tcp_cc_reno.ssthresh(tp), 16);
    tp->cwnd = 3;
    assert_int_equal(tcp_cc_reno.ssthresh(tp), 2);
    tp->cwnd = 1;
    assert_int_equal(tcp_cc_reno.ssthresh(tp), 2);
}

TEST(an_ecn_mark_takes_a_fifth_when_abe_is_on)
{
    passive();
    tp->cwnd = 100;
    assert_int_equal(tcp_cc_reno.ecn_ssthresh(tp), 50);
    tun.abe = 1;
    assert_int_equal(tcp_cc_reno.ecn_ssthresh(tp), 80);
    assert_int_equal(tcp_cc_reno.ssthresh(tp), 50);
    tp->cwnd = 2;
    assert_int_equal(tcp_cc_reno.ecn_ssthresh(tp), 2);
}

TEST(congestion_avoidance_adds_one_segment_per_window)
{
    passive();
    tp->cwnd = tp->ssthresh = 10;
    for (int i = 0; i < 9; i++)
        tcp_cc_reno.cong_avoid(tp, 1);
    assert_int_equal(tp->cwnd, 10);
    tcp_cc_reno.cong_avoid(tp, 1);
    assert_int_equal(tp->cwnd, 11);
    tcp_cc_reno.cong_avoid(tp, 22);
    assert_int_equal(tp->cwnd, 13);
}

TEST(slow_start_ends_exactly_at_ssthresh)
{
    passive();
    tp->cwnd = 10;
    tp->ssthresh = 16;
    tcp_cc_reno.cong_avoid(tp, 4);
    assert_int_equal(tp->cwnd, 14);
    tcp_cc_reno.cong_avoid(tp, 6);
    assert_int_equal(tp->cwnd, 16);
    assert_int_equal(tp->cwnd_cnt, 4);
}

TEST(undo_goes_back_to_the_window_before)
{
    passive();
    tp->prior_cwnd = 20;
    tp->cwnd = 10;
    assert_int_equal(tcp_cc_reno.undo_cwnd(tp), 20);
}

TEST(on_the_wire_one_segment_more_after_a_round_trip)
{
    fx.rtt = 10 * MS;
    passive();
    tp->ssthresh = 10;
    assert_int_equal(w(80000), 80000);
    assert_int_equal(take_bytes(), 10 * 1448);
    advance(10 * MS);
    for (uint32_t i = 1; i <= 5; i++)
        peer(ACK, 1, 1 + i * 2896, 0, .later = true);
    run();
    assert_int_equal(take_bytes(), 11 * 1448);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_loss_halves_with_a_floor_of_two),
        T(an_ecn_mark_takes_a_fifth_when_abe_is_on),
        T(congestion_avoidance_adds_one_segment_per_window),
        T(slow_start_ends_exactly_at_ssthresh),
        T(undo_goes_back_to_the_window_before),
        T(on_the_wire_one_segment_more_after_a_round_trip),
    };

    return cmocka_run_group_tests_name("reno", tests, NULL, NULL);
}
