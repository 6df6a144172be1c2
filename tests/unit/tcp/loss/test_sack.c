/* SPDX-License-Identifier: MIT */
/* SACK and D-SACK at the sender: what is believed, what is not, and what it says about order. */
#include "tests/unit/tcp/fixture.h"

static void flight(unsigned n)
{
    fx.c->sack = true;
    fx.c->ts = false;
    fx.c->mss = 1000;
    fx.rtt = 100 * MS;
    tun.early_retrans = 0;
    passive();
    tp->cwnd = n > 10 ? n : 10;
    assert_int_equal(w(1000 * n), 1000 * n);
    clear();
    assert_int_equal(tp->packets_out, n);
    advance(fx.rtt);
}

static void ack(uint32_t upto, const char *blocks)
{
    peer(ACK, 1, upto, 0, .sack = blocks);
}

TEST(blocks_outside_of_the_flight_are_counted_and_ignored)
{
    flight(4);
    ack(1, "2001:5001");
    ack(1, "3001:2001");
    ack(1, "5001:6001");
    assert_int_equal(cnt(tcp_in_bad_sack), 3);
    assert_int_equal(tp->sacked_out, 0);
    assert_int_equal(tp->ca_state, CA_OPEN);
}

/* A block half a sequence space away must not look like one of ours. */
TEST(a_block_half_the_sequence_space_away)
{
    flight(4);
    ack(1, "2147483649:2147484649");
    ack(1, "1001:2147484649");
    assert_int_equal(tp->sacked_out, 0);
}

/* RFC 2883 §4: the first block is a D-SACK below the ACK, or inside of the second, and only then.
 */
TEST(two_blocks_beside_each_other_are_no_dsack)
{
    flight(8);
    ack(1, "5001:6001 2001:3001");
    ack(1, "2001:3001 5001:6001");
    assert_int_equal(cnt(tcp_in_dsacks), 0);
    ack(1, "2001:3001 2001:4001");
    assert_int_equal(cnt(tcp_in_dsacks), 1);
    ack(1001, "1:1001 2001:4001");
    assert_int_equal(cnt(tcp_in_dsacks), 2);
}

TEST(a_part_of_a_packet_is_not_tagged)
{
    flight(4);
    set_int(IPPROTO_TCP, TCP_NODELAY, 1);
    ack(1, "1001:1999");
    ack(1, "1002:2001");
    ack(1, "1500:1501");
    assert_int_equal(tp->sacked_out, 0);
    ack(1, "1002:3001");
    assert_int_equal(tp->sacked_out, 1);
}

/* Its blocks are news though its number is old. */
TEST(an_old_ack_s_blocks_count)
{
    flight(10);
    ack(3001, NULL);
    ack(1001, "5001:6001");
    assert_int_equal(tp->sacked_out, 1);
    assert_int_equal(tp->snd_una - tp->iss, 3001);
}

TEST(the_same_block_again_is_no_news)
{
    uint32_t delivered;

    flight(10);
    ack(1, "5001:6001");
    delivered = tp->delivered;
    for (int i = 0; i < 10; i++)
        ack(1, "5001:6001");
    assert_int_equal(tp->delivered, delivered);
    assert_int_equal(tp->sacked_out, 1);
}

TEST(highest_sacked_starts_anew_when_nothing_is)
{
    flight(10);
    ack(1, "5001:6001");
    assert_int_equal(tp->highest_sacked - tp->iss, 6001);
    ack(7001, NULL);
    ack(7001, "8001:9001");
    assert_int_equal(tp->highest_sacked - tp->iss, 9001);
}

/* Nothing was sent twice, so nothing can have come twice. */
TEST(a_dsack_of_what_was_sent_once_is_a_lie)
{
    flight(4);
    ack(2001, "1:1001");
    assert_int_equal(cnt(tcp_in_dsacks_ignored), 1);
    assert_int_equal(tp->dsack_dups, 0);
    ack(2001, "1001:1001"); /* empty, upside down */
    ack(2001, "1001:1");
    assert_int_equal(cnt(tcp_in_dsacks_ignored), 3);
    assert_int_equal(tp->sacked_out, 0);
}

TEST(a_dsack_wider_than_any_window_is_a_lie)
{
    flight(10);
    ack(1, "1001:4001");
    ack(4001, "3000000000:1001");
    assert_int_equal(cnt(tcp_in_dsacks_ignored), 1);
}

TEST(a_dsack_of_every_retransmission_undoes_the_reduction)
{
    flight(10);
    ack(1, "1001:4001");
    assert_int_equal(tp->ssthresh, 5);
    assert_int_equal(tp->undo_retrans, 1);
    advance(10 * MS);
    ack(5001, NULL);
    assert_int_equal(tp->ca_state, CA_RECOVERY);
    advance(90 * MS);
    ack(5001, "1:1001");
    assert_int_equal(tp->ca_state, CA_OPEN);
    assert_int_equal(cnt(tcp_undo_dsack), 1);
    assert_true(tp->cwnd >= 10);
}

/* Two were sent again, one D-SACK: the other one may have been needed. */
TEST(a_dsack_of_some_does_not)
{
    flight(10);
    ack(1, "2001:5001");
    advance(10 * MS);
    ack(1, "2001:8001");
    assert_int_equal(tp->undo_retrans, 2);
    advance(fx.rtt);
    ack(8001, "1:1001");
    assert_int_equal(cnt(tcp_undo_dsack), 0);
    assert_int_equal(tp->ca_state, CA_RECOVERY);
    assert_int_equal(tp->ssthresh, 5);
}

/* The first block lies inside the second, both above the ACK. */
TEST(a_dsack_above_the_ack_counts_as_well)
{
    flight(10);
    ack(1, "2001:5001");
    advance(10 * MS);
    ack(1, "2001:8001");
    assert_int_equal(tp->retrans_out, 2);
    ack(1, "1001:8001");
    advance(fx.rtt);
    ack(1, "1001:2001 1001:8001");
    assert_int_equal(tp->dsack_dups, 1);
    assert_int_equal(tp->undo_retrans, 1);
}

/* The distance from the late one to the highest that had come. */
TEST(reordering_is_measured_in_packets)
{
    flight(20);
    assert_int_equal(tp->reordering, 3);
    tp->reord_seen = 1; /* time decides: the third does not begin a recovery */
    ack(1, "7001:8001");
    advance(MS);
    ack(1, "1001:2001 7001:8001");
    assert_int_equal(tp->reordering, 7);
    assert_int_equal(tp->reord_seen, 2);
    ack(1, "1001:3001 7001:8001"); /* a smaller one does not lower it */
    assert_int_equal(tp->reordering, 7);
}

TEST(reordering_has_a_limit)
{
    tun.max_reordering = 5;
    flight(20);
    tp->reord_seen = 1;
    ack(1, "15001:16001");
    advance(MS);
    ack(1, "1001:2001 15001:16001");
    assert_int_equal(tp->reordering, 5);
}

/* The highest comes first, and an ACK in one with it fills the rest: nothing overtook. */
TEST(blocks_of_one_ack_are_no_reordering)
{
    flight(10);
    ack(1, "7001:8001 3001:4001 5001:6001");
    assert_true(tp->reord_seen <= 1);
    assert_int_equal(tp->sacked_out, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(blocks_outside_of_the_flight_are_counted_and_ignored),
        T(a_block_half_the_sequence_space_away),
        T(a_part_of_a_packet_is_not_tagged),
        T(an_old_ack_s_blocks_count),
        T(the_same_block_again_is_no_news),
        T(highest_sacked_starts_anew_when_nothing_is),
        T(a_dsack_of_what_was_sent_once_is_a_lie),
        T(a_dsack_wider_than_any_window_is_a_lie),
        T(a_dsack_of_every_retransmission_undoes_the_reduction),
        T(a_dsack_of_some_does_not),
        T(a_dsack_above_the_ack_counts_as_well),
        T(reordering_is_measured_in_packets),
        T(reordering_has_a_limit),
        T(blocks_of_one_ack_are_no_reordering),
        T(two_blocks_beside_each_other_are_no_dsack),
    };

    return cmocka_run_group_tests_name("sack", tests, NULL, NULL);
}
