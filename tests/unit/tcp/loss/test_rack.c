/* SPDX-License-Identifier: MIT */
/* RACK's edges: ties, the flags of tcp_recovery, the timer, what is never judged. */
#include "tests/unit/tcp/fixture.h"

static void start(void)
{
    fx.c->sack = true;
    fx.c->ts = false;
    fx.c->mss = 1000;
    fx.rtt = 100 * MS;
    tun.early_retrans = 0;
    passive();
    set_int(IPPROTO_TCP, TCP_NODELAY, 1);
}

static void flight(unsigned n)
{
    start();
    assert_int_equal(w(1000 * n), 1000 * n);
    clear();
    advance(fx.rtt);
}

static void ack(uint32_t upto, const char *blocks)
{
    peer(ACK, 1, upto, 0, .sack = blocks);
}

TEST(of_one_instant_the_lower_is_older)
{
    flight(5);
    ack(1, "2001:3001");
    advance(28 * MS);
    assert_int_equal(tp->lost_out, 2);
    assert_int_equal(scoreboard_last(tp)->marks, 0);
}

TEST(the_reordering_timer_can_find_nothing)
{
    start();
    assert_int_equal(w(1000), 1000);
    assert_int_equal(w(1000), 1000);
    clear();
    advance(fx.rtt);
    ack(1, "1001:2001");
    assert_true(tcp_timer_pending(tp, TCP_TIMER_reorder));
    ack(2001, NULL); /* all is well: the timer is gone */
    assert_false(tcp_timer_pending(tp, TCP_TIMER_reorder));
    assert_int_equal(w(1000), 1000);
    clear();
    tcp_rack_timer(tp);
    run();
    assert_int_equal(tp->ca_state, CA_OPEN);
    assert_true(tcp_timer_pending(tp, TCP_TIMER_rexmt));
    expect_none();
}

/* tcp_recovery 4: no threshold of duplicates; three SACKed segments mark nothing at once. */
TEST(without_the_threshold_time_alone_decides)
{
    tun.recovery = 1 | 4;
    flight(5);
    ack(1, "1001:4001");
    assert_int_equal(tp->lost_out, 0);
    advance(28 * MS);
    assert_int_equal(tp->lost_out, 1);
}

/* tcp_recovery 2: the window is not widened. */
TEST(a_static_window_stays)
{
    tun.recovery = 1 | 2;
    flight(5);
    tp->reord_seen = 1;
    tp->rack.dsack_seen = true;
    ack(1, "1001:2001");
    ack(2001, NULL);
    assert_int_equal(tp->rack.reo_wnd_steps, 1);
}

TEST(the_window_has_a_last_step)
{
    flight(5);
    tp->rack.reo_wnd_steps = 255;
    tp->rack.dsack_seen = true;
    tp->rack.last_delivered = 0;
    ack(1001, NULL);
    assert_int_equal(tp->rack.reo_wnd_steps, 255);
    assert_int_equal(tp->rack.reo_wnd_persist, 16);
}

/* What is SACKed is not judged, and what waits already is not marked twice. */
TEST(nothing_is_lost_twice)
{
    flight(10);
    tp->cwnd = 2;
    ack(1, "5001:8001");
    assert_int_equal(tp->lost_total, 5);
    ack(1, "5001:9001");
    ack(1, "5001:10001");
    assert_int_equal(tp->lost_total, 5);
    assert_int_equal(tp->lost_out, 5);
}

/* The retransmission is lost, and the second: no time-out is needed for either. */
TEST(a_retransmission_can_be_lost_twice)
{
    flight(10);
    ack(1, "1001:4001");
    for (uint32_t n = 0; n < 2; n++) {
        assert_int_equal(tp->retrans_out, 1);
        tp->cwnd = 20;
        assert_int_equal(w(1000), 1000);
        ack(1, n ? "1001:11001" : "1001:10001");
        clear();
        advance(fx.rtt);
        ack(1, n ? "1001:12001" : "1001:11001");
        assert_int_equal(cnt(tcp_lost_retransmits), n + 1);
        assert_int_equal(take()->seq, 1);
    }
    assert_int_equal(cnt(tcp_rto), 0);
}

TEST(a_time_out_spares_what_is_young)
{
    start();
    assert_int_equal(w(1000), 1000);
    advance(fx.rtt);
    ack(1001, NULL);
    assert_int_equal(w(2000), 2000);
    advance(tp->rto - 10 * MS);
    assert_int_equal(w(3000), 3000);
    advance(10 * MS);
    assert_int_equal(tp->ca_state, CA_LOSS);
    assert_int_equal(tp->lost_out, 2);
    assert_int_equal(tcp_in_flight(tp), 3 + 1);
}

/* RFC 5681 §3.1: a window of data is cut once, whatever of it is found to be lost later. */
TEST(what_a_time_out_spared_and_was_lost_cuts_no_second_time)
{
    start();
    tun.frto = 0;
    assert_int_equal(w(1000), 1000);
    advance(fx.rtt);
    ack(1001, NULL);
    assert_int_equal(w(2000), 2000);
    advance(tp->rto - 10 * MS);
    assert_int_equal(w(2000), 2000);
    advance(10 * MS);
    assert_int_equal(w(1000), 1000);
    assert_int_equal(tp->ca_state, CA_LOSS);
    assert_int_equal(tp->lost_out, 2);
    tp->cwnd = 10;
    tcp_push_pending_frames(tp);
    tp->ssthresh = 7;
    advance(60 * MS);
    ack(3001, NULL);
    advance(60 * MS);
    ack(3001, "5001:6001");
    assert_int_equal(tp->lost_total, 4);
    assert_int_equal(tp->ca_state, CA_LOSS);
    assert_int_equal(tp->ssthresh, 7);
    clear();
}

TEST(without_sack_it_is_off)
{
    fx.c->ts = false;
    fx.c->mss = 1000;
    fx.rtt = 100 * MS;
    passive();
    assert_false(tcp_rack_enabled(tp));
    assert_int_equal(w(5000), 5000);
    clear();
    advance(fx.rtt);
    ack(1001, NULL);
    assert_int_equal(tp->rack.sent_at, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(of_one_instant_the_lower_is_older),
        T(the_reordering_timer_can_find_nothing),
        T(without_the_threshold_time_alone_decides),
        T(a_static_window_stays),
        T(the_window_has_a_last_step),
        T(nothing_is_lost_twice),
        T(a_retransmission_can_be_lost_twice),
        T(a_time_out_spares_what_is_young),
        T(without_sack_it_is_off),
        T(what_a_time_out_spared_and_was_lost_cuts_no_second_time),
    };

    return cmocka_run_group_tests_name("rack", tests, NULL, NULL);
}
