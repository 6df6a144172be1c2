/* SPDX-License-Identifier: MIT */
/* Undo: by D-SACK, by Eifel detection, and never after an ECN mark. */
#include "tests/unit/tcp/fixture.h"

#include <stdio.h>

#define MSS 1448u

static uint32_t original; /**< timestamp of the first flight */

/* Ten segments in flight, sent 100 ms after the handshake's last word. */
static void ten_out(bool sack)
{
    fx.c->sack = sack;
    fx.rtt = 100 * MS;
    tun.early_retrans = 0;
    passive();
    assert_int_equal(w(10 * MSS), 10 * MSS);
    original = take()->tsval;
    clear();
    advance(100 * MS);
}

/* The first segment seems lost. */
static void recovery(void)
{
    if (fx.c->sack) {
        peer(ACK, 1, 1, 0, .sack = "1449:5793", .tsecr = original);
    } else {
        for (int i = 0; i < 3; i++)
            peer(ACK, 1, 1, 0, .tsecr = original);
    }
    assert_int_equal(tp->ca_state, CA_RECOVERY);
    assert_int_equal(tp->ssthresh, 5);
    assert_int_equal(take()->seq, 1);
    clear();
}

static void assert_undone(void)
{
    assert_int_equal(cnt(tcp_undone), 1);
    assert_int_equal(tp->ssthresh, TCP_INIT_SSTHRESH);
    assert_true(tp->cwnd >= 10);
    assert_int_equal(tp->ca_state, CA_OPEN);
}

TEST(eifel_at_a_full_ack)
{
    ten_out(true);
    recovery();
    advance(10 * MS);
    peer(ACK, 1, 1 + 10 * MSS, 0, .tsecr = original); /* it was only late */
    assert_undone();
    assert_int_equal(cnt(tcp_undo_full), 1);
}

/* After an outage: the ACKs were lost and some of the packets; the window of before is what the
 * real loss reduces, not the little that the answer to a spurious time-out lets out. */
TEST(a_loss_found_with_a_spurious_time_out_reduces_the_window_of_before)
{
    assert_int_equal(stack_tunable_set(fx.st, "tcp_congestion_control", "cubic"), 0);
    ten_out(true);
    advance(300 * MS);
    assert_int_equal(tp->ca_state, CA_LOSS);
    peer(ACK, 1, 1 + 4 * MSS, 0, .sack = "7241:13033", .tsecr = original);
    assert_int_equal(cnt(tcp_undone), 1);
    assert_int_equal(tp->ca_state, CA_RECOVERY);
    assert_int_equal(tp->ssthresh, 7);
}

/* The same when the news of the loss comes a round trip later: what is missing was sent in the
 * window of before. */
TEST(so_does_one_that_is_found_a_round_trip_later)
{
    assert_int_equal(stack_tunable_set(fx.st, "tcp_congestion_control", "cubic"), 0);
    ten_out(true);
    peer(ACK, 1, 1 + 10 * MSS, 0, .tsecr = original);
    assert_int_equal(w(20 * MSS), 20 * MSS);
    assert_int_equal(tp->packets_out, 20);
    original = take()->tsval;
    clear();
    advance(500 * MS);
    assert_int_equal(tp->ca_state, CA_LOSS);
    peer(ACK, 1, 1 + 29 * MSS, 0, .tsecr = original);
    assert_int_equal(cnt(tcp_undone), 1);
    assert_int_equal(tp->ca_state, CA_OPEN);
    assert_int_equal(tp->cwnd, 11);
    assert_int_equal(w(10 * MSS), 10 * MSS);
    advance(100 * MS);
    peer(ACK, 1, 1 + 29 * MSS, 0, .sack = "43441:57921", .tsecr = original);
    advance(50 * MS); /* as long as reordering may take */
    assert_int_equal(tp->ca_state, CA_RECOVERY);
    assert_int_equal(tp->ssthresh, 14);
}

TEST(the_echo_of_the_retransmission_undoes_nothing)
{
    ten_out(true);
    recovery();
    advance(100 * MS);
    peer(ACK, 1, 1 + 10 * MSS, 0);
    assert_int_equal(cnt(tcp_undone), 0);
    assert_int_equal(tp->cwnd, 5);
    assert_int_equal(tp->ca_state, CA_OPEN);
}

TEST(eifel_at_a_partial_ack_when_no_retransmission_is_out)
{
    ten_out(true);
    recovery();
    advance(10 * MS);
    peer(ACK, 1, 1 + 5 * MSS, 0, .tsecr = original);
    assert_int_equal(cnt(tcp_undo_partial), 1);
    assert_undone();
    assert_int_equal(tp->lost_out, 0);
}

TEST(d_sacks_of_all_retransmissions_undo)
{
    ten_out(true);
    recovery();
    advance(100 * MS);
    peer(ACK, 1, 1 + 10 * MSS, 0);
    assert_int_equal(cnt(tcp_undone), 0);
    peer(ACK, 1, 1 + 10 * MSS, 0, .sack = "1:1449");
    assert_int_equal(cnt(tcp_undo_dsack), 1);
    assert_undone();
}

TEST(d_sacks_of_some_do_not)
{
    ten_out(true);
    peer(ACK, 1, 1, 0, .sack = "2897:14481", .tsecr = original);
    assert_int_equal(tp->total_retrans, 2); /* two were missing */
    clear();
    advance(100 * MS);
    peer(ACK, 1, 1 + 10 * MSS, 0);
    peer(ACK, 1, 1 + 10 * MSS, 0, .sack = "1:1449");
    assert_int_equal(cnt(tcp_undone), 0);
    peer(ACK, 1, 1 + 10 * MSS, 0, .sack = "1449:2897");
    assert_int_equal(cnt(tcp_undone), 1);
}

TEST(hostile_d_sacks_of_what_was_never_sent_twice)
{
    ten_out(true);
    recovery();
    peer(ACK, 1, 1 + 5 * MSS, 0);
    for (int i = 0; i < 10; i++)
        peer(ACK, 1, 1 + 5 * MSS, 0, .sack = "4345:5793 4345:7241");
    assert_true(tp->dsack_dups <= tp->total_retrans);
}

TEST(in_loss_eifel_opens_the_window_again)
{
    ten_out(true);
    advance(tp->rto);
    assert_int_equal(tp->ca_state, CA_LOSS);
    clear();
    peer(ACK, 1, 1 + MSS, 0, .tsecr = original);
    assert_int_equal(cnt(tcp_undo_rto), 1);
    assert_undone();
    assert_int_equal(tp->retransmits, 0);
    assert_int_equal(cnt(tcp_out_retrans), 1);
}

TEST(in_loss_without_sack_the_state_stays_until_more_is_known)
{
    ten_out(false);
    advance(tp->rto);
    clear();
    peer(ACK, 1, 1 + MSS, 0, .tsecr = original);
    assert_int_equal(cnt(tcp_undone), 1);
    assert_int_equal(tp->ca_state, CA_LOSS);
    assert_int_equal(tp->lost_out, 0);
    peer(ACK, 1, 1 + 10 * MSS, 0, .tsecr = original);
    assert_int_equal(tp->ca_state, CA_OPEN);
    clear();
}

/* Late news: slow start has come a long way since, and is not thrown back (RFC 4015 §3.2). */
TEST(d_sacks_after_the_time_out_never_lower_the_window)
{
    uint32_t cwnd;

    ten_out(true);
    tun.frto = 0;
    advance(tp->rto);
    assert_int_equal(take_bytes(), MSS);
    for (uint32_t i = 1; i <= 10; i++)
        peer(ACK, 1, 1 + i * MSS, 0);
    clear();
    assert_int_equal(tp->ca_state, CA_OPEN);
    tp->cwnd = cwnd = 60;
    assert_int_equal(w(MSS), MSS);
    for (uint32_t i = 0; i < tp->total_retrans; i++) {
        char block[32];

        snprintf(block, sizeof(block), "%u:%u", 1 + i * MSS, 1 + (i + 1) * MSS);
        peer(ACK, 1, 1 + 10 * MSS, 0, .sack = block);
    }
    assert_true(tp->cwnd >= cwnd);
    assert_int_equal(cnt(tcp_undone), 1);
    clear();
}

static void mark(void)
{
    struct tcp_ack_state as = tcp_ack_begin(tp);

    as.ece = true;
    tcp_fastretrans_alert(tp, &as);
}

TEST(nothing_is_undone_after_an_ecn_mark)
{
    ten_out(true);
    recovery();
    mark();
    peer(ACK, 1, 1 + 10 * MSS, 0, .tsecr = original);
    assert_int_equal(cnt(tcp_undone), 0);
    assert_int_equal(tp->ssthresh, 5);
    assert_true(tp->cwnd <= 5);
    clear();
}

TEST(nor_what_the_mark_itself_has_cut)
{
    ten_out(true);
    mark();
    assert_int_equal(tp->ca_state, CA_CWR);
    assert_int_equal(tp->ssthresh, 5);
    peer(ACK, 1, 1, 0, .sack = "1449:5793", .tsecr = original); /* and then a loss */
    assert_int_equal(tp->ca_state, CA_RECOVERY);
    assert_int_equal(tp->ssthresh, 5); /* once for both */
    peer(ACK, 1, 1 + 10 * MSS, 0, .tsecr = original);
    assert_int_equal(tp->ssthresh, 5);
    clear();
}

/* When all of the flight is acknowledged the stamp of the retransmission is cleared and the state
 * held: that is no sign that nothing was sent again. */
TEST(a_held_state_without_sack_is_not_undone)
{
    ten_out(false);
    assert_int_equal(w(20 * MSS), 20 * MSS);
    for (int i = 0; i < 9; i++)
        peer(ACK, 1, 1, 0);
    assert_int_equal(tp->ca_state, CA_RECOVERY);
    clear();
    advance(100 * MS);
    peer(ACK, 1, tp->high_seq - tp->iss, 0);
    assert_int_equal(tp->ca_state, CA_RECOVERY);
    peer(ACK, 1, tp->high_seq - tp->iss + MSS, 0);
    assert_int_equal(tp->ca_state, CA_OPEN);
    assert_int_equal(cnt(tcp_undone), 0);
    assert_int_equal(tp->cwnd, 5);
    assert_int_equal(tp->ssthresh, 5);
    clear();
}

TEST(cubic_gets_its_epoch_back_after_two_cuts_as_well)
{
    assert_int_equal(stack_tunable_set(fx.st, "tcp_congestion_control", "cubic"), 0);
    ten_out(true);
    peer(ACK, 1, 1, 0, .sack = "1449:5793", .tsecr = original);
    assert_int_equal(tp->ssthresh, 7);
    tp->cwnd = tp->ssthresh;
    assert_int_equal(tp->cc->ssthresh(tp), 4); /* the retransmission was lost */
    clear();
    peer(ACK, 1, 1 + 10 * MSS, 0, .tsecr = original);
    assert_undone();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(eifel_at_a_full_ack),
        T(a_loss_found_with_a_spurious_time_out_reduces_the_window_of_before),
        T(so_does_one_that_is_found_a_round_trip_later),
        T(the_echo_of_the_retransmission_undoes_nothing),
        T(eifel_at_a_partial_ack_when_no_retransmission_is_out),
        T(d_sacks_of_all_retransmissions_undo),
        T(d_sacks_of_some_do_not),
        T(hostile_d_sacks_of_what_was_never_sent_twice),
        T(in_loss_eifel_opens_the_window_again),
        T(in_loss_without_sack_the_state_stays_until_more_is_known),
        T(d_sacks_after_the_time_out_never_lower_the_window),
        T(nothing_is_undone_after_an_ecn_mark),
        T(nor_what_the_mark_itself_has_cut),
        T(a_held_state_without_sack_is_not_undone),
        T(cubic_gets_its_epoch_back_after_two_cuts_as_well),
    };

    return cmocka_run_group_tests_name("undo", tests, NULL, NULL);
}
