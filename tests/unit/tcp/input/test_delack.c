/* SPDX-License-Identifier: MIT */
/* When ACKs go out (RFC 9293 §3.8.6.3, RFC 5681 §4.2; linux-receiver §5). */
#include "tests/unit/tcp/fixture.h"

static uint32_t next = 1;

/* Passive open, and so many small segments that quick mode is over. */
static void past_quick_mode(void)
{
    passive();
    for (next = 1; next <= 16 * 10; next += 10) {
        peer(PSH | ACK, next, 1, 10);
        expect(ACK, 1, next + 10, 0);
        assert_int_equal(r(10), 10);
    }
    expect_none();
}

TEST(the_first_sixteen_segments_are_acknowledged_at_once)
{
    past_quick_mode();
    assert_int_equal(tp->quick, 0);
}

TEST(then_an_ack_waits_40_ms)
{
    uint64_t start;

    past_quick_mode();
    start = fx.now;
    peer(PSH | ACK, next, 1, 10);
    advance(39 * MS);
    expect_none();
    advance(2 * MS);
    assert_int_equal(expect(ACK, 1, next + 10, 0)->at - start, 40 * MS);
    assert_int_equal(cnt(tcp_out_delayed_acks), 1);
}

TEST(every_second_full_segment_is_acknowledged)
{
    past_quick_mode();
    for (int i = 0; i < 10; i++) {
        peer(ACK, next, 1, 1448);
        expect_none();
        assert_int_equal(r(1448), 1448);
        peer(ACK, next + 1448, 1, 1448);
        next += 2896;
        expect(ACK, 1, next, 0);
        assert_int_equal(r(1448), 1448);
        expect_none();
    }
}

TEST(one_batch_of_segments_gets_one_ack)
{
    past_quick_mode();
    for (int i = 0; i < 8; i++, next += 1448)
        peer(ACK, next, 1, 1448, .later = true);
    expect_none();
    run();
    expect(ACK, 1, next, 0);
    expect_none();
}

TEST(a_delayed_ack_is_not_put_off_by_what_follows)
{
    uint64_t start;

    past_quick_mode();
    start = fx.now;
    for (int i = 0; i < 6; i++, next += 10) {
        peer(PSH | ACK, next, 1, 10);
        advance(6 * MS);
    }
    advance(10 * MS);
    assert_in_range(take()->at - start, 0, 40 * MS);
}

TEST(a_delayed_ack_never_waits_half_a_second)
{
    past_quick_mode();
    for (int i = 0; i < 50; i++) {
        peer(PSH | ACK, next, 1, 10);
        advance(200 * MS);
        next += 10;
        expect(ACK, 1, next, 0);
        r(10);
        advance((uint64_t)(i % 7) * 31 * MS);
    }
}

TEST(a_lone_fin_is_acknowledged_at_once)
{
    passive();
    peer(FIN | ACK, 1, 1, 0);
    expect(ACK, 1, 2, 0);
    assert_state(CLOSE_WAIT);
}

TEST(a_reply_within_the_delay_carries_the_ack_and_makes_the_session_interactive)
{
    past_quick_mode();
    peer(PSH | ACK, next, 1, 10);
    next += 10;
    assert_int_equal(w(20), 20);
    expect(PSH | ACK, 1, next, 20);
    assert_int_equal(tp->pingpong, 1);
    assert_int_equal(get_int(IPPROTO_TCP, TCP_QUICKACK), 0);
    advance(100 * MS);
    expect_none();
}

TEST(tcp_quickack_sends_what_is_owed)
{
    past_quick_mode();
    assert_int_equal(set_int(IPPROTO_TCP, TCP_QUICKACK, 0), 0);
    peer(PSH | ACK, next, 1, 10);
    assert_int_equal(set_int(IPPROTO_TCP, TCP_QUICKACK, 1), 0);
    expect_none(); /* what the program has not taken stays delayed (Linux) */
    assert_int_equal(set_int(IPPROTO_TCP, TCP_QUICKACK, 0), 0);
    assert_int_equal(r(10), 10);
    expect_none();
    assert_int_equal(set_int(IPPROTO_TCP, TCP_QUICKACK, 1), 0);
    expect(ACK, 1, next + 10, 0);
}

TEST(a_duplicate_brings_quick_mode_back)
{
    past_quick_mode();
    peer(PSH | ACK, 1, 1, 10);
    expect(ACK, 1, next, 0);
    peer(PSH | ACK, next, 1, 10);
    expect(ACK, 1, next + 10, 0);
}

TEST(a_reader_that_empties_the_queue_after_a_push_sends_the_ack)
{
    past_quick_mode();
    peer(PSH | ACK, next, 1, 10);
    expect_none();
    assert_int_equal(r(10), 10);
    expect(ACK, 1, next + 10, 0);
}

TEST(an_ack_that_the_device_refused_comes_later)
{
    passive();
    fx.device_room = 0;
    peer(PSH | ACK, 1, 1, 10);
    expect_none();
    fx.device_room = -1;
    advance(200 * MS);
    expect(ACK, 1, 11, 0);
}

/* Past quick mode, and the ACK time-out fired once: it has doubled to 80 ms. */
static void slow_sender(void)
{
    past_quick_mode();
    peer(PSH | ACK, next, 1, 10);
    next += 10;
    advance(100 * MS);
    expect(ACK, 1, next, 0);
    assert_int_equal(tp->ato, 80 * MS);
}

TEST(the_ack_time_out_follows_the_gaps_between_segments)
{
    slow_sender();
    peer(PSH | ACK, next, 1, 10);
    advance(30 * MS);
    peer(PSH | ACK, next + 10, 1, 10);
    assert_int_equal(tp->ato, 70 * MS);
}

TEST(an_ack_waits_for_a_round_trip_at_most_but_40_ms)
{
    fx.rtt = 10 * MS;
    slow_sender();
    clear();
    peer(PSH | ACK, next, 1, 10);
    advance(39 * MS);
    expect_none();
    advance(2 * MS);
    expect(ACK, 1, next + 10, 0);
}

TEST(what_is_out_of_order_is_acknowledged_at_once_also_past_quick_mode)
{
    past_quick_mode();
    peer(PSH | ACK, next + 10, 1, 10);
    expect(ACK, 1, next, 0);
}

TEST(what_waits_for_its_ack_and_comes_again_brings_quick_mode_back)
{
    past_quick_mode();
    peer(PSH | ACK, next, 1, 10);
    expect_none();
    peer(PSH | ACK, next, 1, 10);
    expect(ACK, 1, next + 10, 0);
    assert_int_equal(r(10), 10);
    peer(PSH | ACK, next + 10, 1, 10);
    expect(ACK, 1, next + 20, 0);
}

TEST(an_ack_that_met_a_full_device_goes_out_a_millisecond_later)
{
    past_quick_mode();
    fx.device_room = 0;
    peer(ACK, next, 1, 1448);
    assert_int_equal(r(1448), 1448);
    peer(ACK, next + 1448, 1, 1448);
    expect_none();
    fx.device_room = -1;
    advance(5 * MS);
    expect(ACK, 1, next + 2896, 0);
}

/* --- compressed ACKs
 * ------------------------------------------------------------------------------------------ */

/* A hole at `next`, three segments behind it acknowledged, a window that cannot grow. */
static void behind_a_hole(void)
{
    fx.c->sack = true;
    fx.rtt = 40 * MS;
    past_quick_mode();
    tp->rcv_ssthresh = tp->window_clamp;
    tp->drs.rtt_us = tp->srtt_us = 8 * 10 * MS;
    tun.moderate_rcvbuf = 0;
    for (unsigned i = 1; i <= 3; i++) {
        peer(ACK, next + 10 * i, 1, 10);
        expect(ACK, 1, next, 0);
    }
}

static void behind(unsigned i)
{
    peer(ACK, next + 10 * i, 1, 10);
}

TEST(behind_a_hole_the_fourth_ack_waits_a_twentieth_of_the_round_trip)
{
    behind_a_hole();
    behind(4);
    behind(5);
    expect_none();
    assert_true(tcp_timer_pending(tp, TCP_TIMER_compack));
    advance(599 * US); /* 500 and the slack */
    expect_none();
    advance(1 * US);
    assert_blocks(expect(ACK, 1, next, 0), "171:221");
    assert_int_equal(cnt(tcp_out_compressed_acks), 1);
    assert_false(tcp_timer_pending(tp, TCP_TIMER_compack));
    advance(1 * SEC);
    expect_none();
}

TEST(but_a_millisecond_at_most)
{
    behind_a_hole();
    tp->srtt_us = tp->drs.rtt_us = 8 * 100 * MS;
    behind(4);
    advance(1099 * US);
    expect_none();
    advance(1 * US);
    expect(ACK, 1, next, 0);
}

TEST(the_shorter_of_two_round_trips_counts)
{
    behind_a_hole();
    tp->srtt_us = 8 * 2 * MS;
    behind(4);
    advance(200 * US);
    expect(ACK, 1, next, 0);
}

TEST(so_many_acks_share_one_at_most)
{
    tun.comp_sack_nr = 2;
    behind_a_hole();
    behind(4);
    behind(5);
    expect_none();
    behind(6);
    assert_blocks(expect(ACK, 1, next, 0), "171:231");
    assert_int_equal(cnt(tcp_out_compressed_acks), 2);
}

TEST(an_offloaded_frame_counts_as_its_segments)
{
    fx.c->sack = true;
    past_quick_mode();
    tp->rcv_ssthresh = tp->window_clamp;
    tun.moderate_rcvbuf = 0;
    tp->ack_comp.rcv_nxt = 0;
    tcp_ack_schedule(tp);
    tcp_ack_out_of_order(tp, 3);
    expect(ACK, 1, next, 0);
    tcp_ack_schedule(tp);
    tcp_ack_out_of_order(tp, 5);
    expect_none();
    assert_int_equal(tp->ack_comp.held, 5);
    advance(2 * MS);
    expect(ACK, 1, next, 0);
    assert_int_equal(cnt(tcp_out_compressed_acks), 4);
}

TEST(data_carries_what_waits)
{
    behind_a_hole();
    behind(4);
    w(10);
    assert_blocks(expect(PSH | ACK, 1, next, 10), "171:211");
    advance(10 * MS);
    expect_none();
}

TEST(each_step_of_the_hole_is_acknowledged_at_once)
{
    behind_a_hole();
    behind(4);
    peer(ACK, next, 1, 5);
    expect(ACK, 1, next + 5, 0);
    behind(5);
    expect(ACK, 1, next + 5, 0);
}

TEST(news_beyond_the_second_block_sends_what_waits_first)
{
    behind_a_hole();
    peer(ACK, next + 100, 1, 10);
    expect_none();
    peer(ACK, next + 200, 1, 10);
    assert_blocks(expect(ACK, 1, next, 0), "261:271 171:201");
    expect_none();
    peer(ACK, next + 300, 1, 10);
    assert_blocks(expect(ACK, 1, next, 0), "361:371 261:271 171:201");
    expect_none();
    advance(2 * MS);
    assert_blocks(expect(ACK, 1, next, 0), "461:471 361:371 261:271");
}

TEST(without_sack_nothing_is_compressed)
{
    past_quick_mode();
    for (unsigned i = 1; i <= 6; i++) {
        behind(i);
        expect(ACK, 1, next, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(the_first_sixteen_segments_are_acknowledged_at_once),
        T(then_an_ack_waits_40_ms),
        T(every_second_full_segment_is_acknowledged),
        T(one_batch_of_segments_gets_one_ack),
        T(a_delayed_ack_is_not_put_off_by_what_follows),
        T(a_delayed_ack_never_waits_half_a_second),
        T(a_lone_fin_is_acknowledged_at_once),
        T(a_reply_within_the_delay_carries_the_ack_and_makes_the_session_interactive),
        T(tcp_quickack_sends_what_is_owed),
        T(a_duplicate_brings_quick_mode_back),
        T(a_reader_that_empties_the_queue_after_a_push_sends_the_ack),
        T(an_ack_that_the_device_refused_comes_later),
        T(the_ack_time_out_follows_the_gaps_between_segments),
        T(an_ack_waits_for_a_round_trip_at_most_but_40_ms),
        T(what_is_out_of_order_is_acknowledged_at_once_also_past_quick_mode),
        T(what_waits_for_its_ack_and_comes_again_brings_quick_mode_back),
        T(an_ack_that_met_a_full_device_goes_out_a_millisecond_later),
        T(behind_a_hole_the_fourth_ack_waits_a_twentieth_of_the_round_trip),
        T(but_a_millisecond_at_most),
        T(the_shorter_of_two_round_trips_counts),
        T(so_many_acks_share_one_at_most),
        T(an_offloaded_frame_counts_as_its_segments),
        T(data_carries_what_waits),
        T(each_step_of_the_hole_is_acknowledged_at_once),
        T(news_beyond_the_second_block_sends_what_waits_first),
        T(without_sack_nothing_is_compressed),
    };

    return cmocka_run_group_tests_name("delack", tests, NULL, NULL);
}
