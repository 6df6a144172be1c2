/* SPDX-License-Identifier: MIT */
/* Retransmission reads the bytes again from the stream, in pieces of today's MSS. */
#include "tests/unit/tcp/fixture.h"

TEST(the_same_bytes_go_again)
{
    passive();
    assert_int_equal(w(1000), 1000);
    expect(PSH | ACK, 1, 1, 1000);
    advance(201 * MS);
    expect(PSH | ACK, 1, 1, 1000);
    assert_int_equal(cnt(tcp_out_retrans), 1);
    assert_int_equal(cnt(tcp_out_retrans_bytes), 1000);
}

TEST(acknowledged_bytes_do_not)
{
    passive();
    assert_int_equal(w(1000), 1000);
    clear();
    peer(ACK, 1, 401, 0); /* in the middle of the segment */
    advance(500 * MS);
    expect(PSH | ACK, 401, 1, 600);
}

TEST(a_partly_acknowledged_burst_shrinks_from_its_left)
{
    passive();
    assert_int_equal(w(7240), 7240);
    clear();
    peer(ACK, 1, 2001, 0);
    assert_in_range(tp->packets_out, 4, 4);
    advance(500 * MS);
    assert_int_equal(take()->seq, 2001);
}

TEST(the_pieces_follow_the_present_mss)
{
    passive();
    assert_int_equal(w(1448), 1448);
    clear();
    fx.device = -EIO; /* the resent ones are lost */
    peer_icmp(3, 4, 1000, 1);
    fx.device = 0;
    advance(500 * MS);
    assert_true(take()->len <= 948);
}

TEST(a_retransmission_carries_the_present_ack_and_stamp)
{
    const struct fx_seg *g;

    passive();
    assert_int_equal(w(100), 100);
    clear();
    peer(PSH | ACK, 1, 1, 50);
    clear();
    advance(250 * MS);
    g = expect(PSH | ACK, 1, 51, 100);
    assert_int_equal(g->tsval, (uint32_t)(g->at / 1000) + tp->ts_offset);
}

TEST(back_pressure_during_a_retransmission_is_no_loss)
{
    passive();
    assert_int_equal(w(14480), 14480);
    clear();
    fx.device_room = 0;
    for (int i = 0; i < 3; i++)
        peer(ACK, 1, 1, 0);
    expect_none();
    fx.device_room = -1;
    advance(3 * MS);
    expect(ACK, 1, 1, 1448);
}

TEST(nothing_beyond_the_window_is_resent_but_the_head)
{
    passive();
    assert_int_equal(w(14480), 14480);
    clear();
    peer(ACK, 1, 1, 0, .win = -1);
    advance(60 * SEC);
    while (fx.next < fx.n_segs)
        assert_int_equal(take()->seq, 1);
}

TEST(psh_and_fin_of_a_burst_stay_at_its_end)
{
    passive();
    assert_int_equal(w(4000), 4000);
    close_it();
    clear();
    advance(700 * MS);
    expect(ACK, 1, 1, 1448);
    expect(ACK, 1, 1, 1448);
    peer(ACK, 1, 1449, 0);
    expect(PSH | ACK, 1449, 1, 2552);
    peer(ACK, 1, 4001, 0);
    expect(FIN | ACK, 4001, 1, 0);
}

TEST(lost_segments_behind_a_closed_window_wait_for_it_without_a_timer_of_their_own)
{
    passive();
    assert_int_equal(w(5 * 1448), 5 * 1448);
    advance(250 * MS);
    clear();
    peer(ACK, 1, 1449, 0, .win = -1);
    clear();
    tp->cwnd = 4;
    tcp_touch(tp, TCP_PEND_RETRANS);
    run();
    assert_true(tp->lost_out > tp->retrans_out);
    assert_false(tcp_timer_pending(tp, TCP_TIMER_retry));
    clear();
    peer(ACK, 1, 1449, 0);
    assert_int_not_equal(clear(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(the_same_bytes_go_again),
        T(acknowledged_bytes_do_not),
        T(a_partly_acknowledged_burst_shrinks_from_its_left),
        T(the_pieces_follow_the_present_mss),
        T(a_retransmission_carries_the_present_ack_and_stamp),
        T(back_pressure_during_a_retransmission_is_no_loss),
        T(nothing_beyond_the_window_is_resent_but_the_head),
        T(psh_and_fin_of_a_burst_stay_at_its_end),
        T(lost_segments_behind_a_closed_window_wait_for_it_without_a_timer_of_their_own),
    };

    return cmocka_run_group_tests_name("retransmit", tests, NULL, NULL);
}
