/* SPDX-License-Identifier: MIT */
/* tcp_info's delivery_rate and what else it counts of losses (linux-sender §12, §14). */
#include "tests/unit/tcp/fixture.h"

static struct sock_tcp_info info(void)
{
    struct sock_info i;

    sock_get_info(fx.s, &i, fx.now);
    return i.tcp;
}

/* A connection with a round trip of 100 ms. */
static void far_peer(void)
{
    fx.rtt = 100 * MS;
    passive();
}

TEST(one_window_a_round_trip_is_the_rate)
{
    far_peer();
    assert_int_equal(w(60000), 60000);
    clear();
    advance(100 * MS);
    peer(ACK, 1, 1 + 10 * 1448, 0);
    assert_int_equal(info().delivery_rate, 10 * 1448 * 10);
    assert_int_equal(info().delivery_flags & 1, 1); /* it began with nothing to send */
}

TEST(a_fast_path_has_an_exact_rate)
{
    fx.rtt = MS;
    passive();
    assert_int_equal(w(60000), 60000);
    clear();
    advance(MS);
    peer(ACK, 1, 1 + 10 * 1448, 0);
    assert_int_equal(info().delivery_rate, 14480000);
}

TEST(a_rate_grows_with_the_window)
{
    far_peer();
    assert_int_equal(w(80000), 80000);
    advance(100 * MS);
    peer(ACK, 1, 1 + 10 * 1448, 0);
    advance(100 * MS);
    assert_int_equal(tp->packets_out, 20);
    peer(ACK, 1, 1 + 30 * 1448, 0);
    assert_int_equal(info().delivery_rate, 20 * 1448 * 10);
    assert_int_equal(info().delivery_flags & 1, 0);
}

TEST(what_a_slow_program_sends_is_marked_and_lowers_nothing)
{
    far_peer();
    assert_int_equal(w(14480), 14480);
    advance(100 * MS);
    peer(ACK, 1, 14481, 0);
    assert_int_equal(info().delivery_rate, 144800);
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(w(1448), 1448);
        advance(100 * MS);
        peer(ACK, 1, 14481 + (i + 1) * 1448, 0);
    }
    assert_int_equal(info().delivery_rate, 144800);
}

TEST(a_first_sample_of_a_slow_program_says_so)
{
    far_peer();
    assert_int_equal(w(10), 10);
    advance(100 * MS);
    peer(ACK, 1, 11, 0);
    assert_int_equal(info().delivery_rate, 14480);
    assert_int_equal(info().delivery_flags & 1, 1);
}

TEST(nothing_acknowledged_is_no_rate)
{
    far_peer();
    assert_int_equal(info().delivery_rate, 0);
    assert_int_equal(w(10), 10);
    assert_int_equal(info().delivery_rate, 0);
}

TEST(duplicates_count_as_delivered_once)
{
    far_peer();
    assert_int_equal(w(14480), 14480);
    advance(100 * MS);
    for (int i = 0; i < 9; i++)
        peer(ACK, 1, 1, 0);
    assert_int_equal(info().delivered, 1 + 9);
    advance(100 * MS);
    peer(ACK, 1, 14481, 0);
    assert_int_equal(info().delivered, 1 + 10);
}

TEST(more_duplicates_than_packets_are_reordering)
{
    far_peer();
    assert_int_equal(w(2 * 1448), 2 * 1448);
    advance(100 * MS);
    peer(ACK, 1, 1, 0);
    assert_int_equal(info().reord_seen, 0);
    peer(ACK, 1, 1, 0);
    assert_int_equal(info().reord_seen, 1);
}

TEST(recoveries_by_time_out_are_counted_and_timed)
{
    far_peer();
    assert_int_equal(w(1448), 1448);
    advance(5 * SEC);
    assert_int_equal(info().total_rto_recoveries, 1);
    assert_true(info().total_rto >= 3);
    assert_in_range(info().total_rto_time, 4000, 5000);
    peer(ACK, 1, 1449, 0);
    advance(5 * SEC);
    assert_in_range(info().total_rto_time, 4000, 5000);
    assert_int_equal(w(1448), 1448);
    advance(5 * SEC);
    assert_int_equal(info().total_rto_recoveries, 2);
}

TEST(without_timestamps_a_window_of_data_measures_the_receiver_s_round_trip)
{
    uint32_t seq = 1;

    fx.c->ts = false;
    passive();
    assert_int_equal(info().rcv_rtt, 0);
    for (int i = 0; i < 100; i++) {
        peer(ACK, seq, 1, 1460);
        seq += 1460;
        assert_int_equal(r(1460), 1460);
        advance(1 * MS);
    }
    assert_in_range(info().rcv_rtt, 20 * MS, 60 * MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(one_window_a_round_trip_is_the_rate),
        T(a_fast_path_has_an_exact_rate),
        T(a_rate_grows_with_the_window),
        T(what_a_slow_program_sends_is_marked_and_lowers_nothing),
        T(a_first_sample_of_a_slow_program_says_so),
        T(nothing_acknowledged_is_no_rate),
        T(duplicates_count_as_delivered_once),
        T(more_duplicates_than_packets_are_reordering),
        T(recoveries_by_time_out_are_counted_and_timed),
        T(without_timestamps_a_window_of_data_measures_the_receiver_s_round_trip),
    };

    return cmocka_run_group_tests_name("rate", tests, NULL, NULL);
}
