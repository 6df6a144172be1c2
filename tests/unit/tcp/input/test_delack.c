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
    };

    return cmocka_run_group_tests_name("delack", tests, NULL, NULL);
}
