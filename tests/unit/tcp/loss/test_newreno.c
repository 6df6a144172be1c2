/* SPDX-License-Identifier: MIT */
/* Fast retransmit and NewReno (RFC 5681 §3.2, RFC 6582). */
#include "tests/unit/tcp/fixture.h"

/* Ten packets out, each a segment of the wire. */
static void ten_out(void)
{
    passive();
    assert_int_equal(w(14480), 14480);
    assert_int_equal(take_bytes(), 14480);
}

static void dup_acks(int n, uint32_t ack)
{
    while (n--)
        peer(ACK, 1, ack, 0);
}

TEST(the_third_duplicate_ack_resends_the_first_segment_at_once)
{
    ten_out();
    dup_acks(2, 1);
    expect_none();
    assert_int_equal(tp->ca_state, CA_DISORDER);
    dup_acks(1, 1);
    expect(ACK, 1, 1, 1448);
    expect_none();
    assert_int_equal(tp->ca_state, CA_RECOVERY);
    assert_int_equal(tp->ssthresh, 5);
    assert_int_equal(cnt(tcp_recoveries), 1);
    assert_int_equal(cnt(tcp_out_fast_retrans), 1);
    assert_int_equal(cnt(tcp_in_dup_acks), 3);
}

TEST(three_duplicates_in_one_batch_too)
{
    ten_out();
    for (int i = 0; i < 3; i++)
        peer(ACK, 1, 1, 0, .later = true);
    run();
    expect(ACK, 1, 1, 1448);
}

TEST(limited_transmit_new_data_for_the_first_duplicates)
{
    ten_out();
    assert_int_equal(w(10000), 10000);
    expect_none();
    dup_acks(1, 1); /* RFC 3042 */
    expect(ACK, 14481, 1, 1448);
    dup_acks(1, 1);
    expect(ACK, 15929, 1, 1448);
}

TEST(what_may_not_be_sent_is_no_reason_to_see_duplicates)
{
    fx.c->window = 20000;
    ten_out();
    fx.c->window = 40000;
    peer(ACK, 1, 1, 0, .win = 30000); /* window updates */
    peer(ACK, 1, 1, 0);
    peer(PSH | ACK, 1, 1, 10); /* text */
    peer(PSH | ACK, 11, 1, 10);
    peer(PSH | ACK, 21, 1, 10);
    peer(FIN | ACK, 31, 1, 0);
    assert_int_equal(cnt(tcp_in_dup_acks), 0);
    assert_int_equal(cnt(tcp_recoveries), 0);
}

TEST(a_full_ack_ends_the_recovery_with_half_the_window)
{
    ten_out();
    dup_acks(9, 1);
    expect(ACK, 1, 1, 1448);
    peer(ACK, 1, 14481, 0);
    assert_int_equal(tp->ca_state, CA_OPEN);
    assert_int_equal(tp->cwnd, 5);
    assert_int_equal(tp->packets_out, 0);
}

TEST(a_partial_ack_resends_the_next_hole_at_once)
{
    ten_out();
    dup_acks(8, 1); /* packets 1 and 4 were lost */
    expect(ACK, 1, 1, 1448);
    peer(ACK, 1, 3 * 1448 + 1, 0);
    expect(ACK, 3 * 1448 + 1, 1, 1448);
    assert_int_equal(tp->ca_state, CA_RECOVERY);
    assert_int_equal(cnt(tcp_partial_acks), 1);
    peer(ACK, 1, 14481, 0);
    assert_int_equal(tp->ca_state, CA_OPEN);
    assert_int_equal(cnt(tcp_rto), 0);
    assert_int_equal(cnt(tcp_out_retrans), 2);
}

TEST(many_holes_are_repaired_one_a_round_trip)
{
    ten_out();
    dup_acks(5, 1);
    expect(ACK, 1, 1, 1448);
    for (uint32_t i = 1; i < 5; i++) {
        peer(ACK, 1, i * 1448 + 1, 0);
        expect(ACK, i * 1448 + 1, 1, 1448);
        expect_none();
    }
    peer(ACK, 1, 14481, 0);
    assert_int_equal(tp->ca_state, CA_OPEN);
}

TEST(in_recovery_duplicates_let_new_data_out)
{
    ten_out();
    assert_int_equal(w(20000), 20000);
    dup_acks(2, 1); /* limited transmit: two more out */
    assert_int_equal(take_bytes(), 2 * 1448);
    dup_acks(1, 1);
    expect(ACK, 1, 1, 1448);
    expect_none();
    dup_acks(6, 1);
    assert_true(take_bytes() > 0);
    assert_true(tcp_in_flight(tp) <= tp->cwnd);
}

TEST(late_duplicates_after_recovery_do_not_start_another)
{
    ten_out();
    assert_int_equal(w(1448), 1448);
    dup_acks(9, 1);
    clear();
    peer(ACK, 1, 14481, 0);
    clear();
    /* RFC 6582 §4.1: only what is above the recovery point counts */
    dup_acks(3, 14481);
    assert_int_equal(cnt(tcp_recoveries), 1);
}

TEST(a_timeout_in_recovery_is_slow_start_without_a_second_cut)
{
    ten_out();
    dup_acks(3, 1);
    clear();
    assert_int_equal(tp->ssthresh, 5);
    advance(201 * MS);
    assert_int_equal(tp->ca_state, CA_LOSS);
    assert_int_equal(tp->ssthresh, 5);
    assert_int_equal(take()->seq, 1);
}

TEST(hostile_10_ack_division_does_not_multiply_the_window)
{
    ten_out();
    for (uint32_t i = 1; i < 1448; i += 10)
        peer(ACK, 1, 1 + i, 0);
    assert_in_range(tp->cwnd, 10, 11);
}

TEST(hostile_10_forged_duplicates_without_data_out_do_nothing)
{
    passive();
    dup_acks(20, 1);
    expect_none();
    assert_int_equal(cnt(tcp_in_dup_acks), 0);
    assert_int_equal(tp->sacked_out, 0);
}

TEST(hostile_10_more_duplicates_than_packets_are_counted_at_most_as_packets)
{
    ten_out();
    dup_acks(100, 1);
    assert_true(tp->sacked_out + tp->lost_out <= tp->packets_out);
    clear();
    peer(ACK, 1, 14481, 0);
    assert_int_equal(tp->sacked_out, 0);
}

TEST(an_offloaded_burst_loses_one_packet_not_all)
{
    passive();
    assert_int_equal(w(7240), 7240);
    expect(PSH | ACK, 1, 1, 7240); /* one frame */
    dup_acks(4, 1);
    expect(ACK, 1, 1, 1448);
    expect_none();
    assert_int_equal(cnt(tcp_out_retrans), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(the_third_duplicate_ack_resends_the_first_segment_at_once),
        T(three_duplicates_in_one_batch_too),
        T(limited_transmit_new_data_for_the_first_duplicates),
        T(what_may_not_be_sent_is_no_reason_to_see_duplicates),
        T(a_full_ack_ends_the_recovery_with_half_the_window),
        T(a_partial_ack_resends_the_next_hole_at_once),
        T(many_holes_are_repaired_one_a_round_trip),
        T(in_recovery_duplicates_let_new_data_out),
        T(late_duplicates_after_recovery_do_not_start_another),
        T(a_timeout_in_recovery_is_slow_start_without_a_second_cut),
        T(hostile_10_ack_division_does_not_multiply_the_window),
        T(hostile_10_forged_duplicates_without_data_out_do_nothing),
        T(hostile_10_more_duplicates_than_packets_are_counted_at_most_as_packets),
        T(an_offloaded_burst_loses_one_packet_not_all),
    };

    return cmocka_run_group_tests_name("newreno", tests, NULL, NULL);
}
