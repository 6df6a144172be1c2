/* SPDX-License-Identifier: MIT */
/* The sender's answer to marks (RFC 3168 §6.1.2; linux-sender §10). */
#include "tests/unit/tcp/ecn.h"

static void ten(void)
{
    classic();
    assert_int_equal(set_int(IPPROTO_TCP, TCP_NODELAY, 1), 0);
    tcp_cc_assign(tp, &tcp_cc_reno);
    assert_int_equal(w(10 * tp->mss_cache), 10 * tp->mss_cache);
    assert_int_equal(tp->packets_out, 10);
    clear();
}

static void acked(uint16_t flags, uint32_t packets)
{
    peer(ACK | flags, 1, 1 + packets * tp->mss_cache, 0);
}

TEST(one_reaction_a_window)
{
    ten();
    for (uint32_t i = 1; i <= 10; i++) {
        acked(ECE, i);
        assert_int_equal(tp->ssthresh, 5);
    }
    assert_int_equal(tp->ca_state, CA_CWR);
    assert_int_equal(tp->lost_total, 0);
    assert_int_equal(w(100), 100);
    peer(ACK, 1, 101 + 10 * tp->mss_cache, 0);
    assert_int_equal(tp->ca_state, CA_OPEN);
    assert_in_range(tp->cwnd, 5, 6);
    assert_int_equal(cnt(tcp_in_ece), 10);
}

TEST(ece_with_nothing_in_flight_says_nothing)
{
    classic();
    peer(ACK | ECE, 1, 1, 0);
    assert_int_equal(tp->ca_state, CA_OPEN);
    assert_int_equal(tp->ssthresh, TCP_INIT_SSTHRESH);
}

TEST(a_mark_forbids_undo_and_a_needless_loss_takes_cwr_back)
{
    ten();
    tcp_enter_cwr(tp, NULL, false);
    assert_true(tp->ecn.queue_cwr);
    tp->prior_ssthresh = TCP_INIT_SSTHRESH;
    tcp_undo_cwnd(tp, false);
    assert_false(tp->ecn.queue_cwr);
    acked(ECE, 1);
    assert_int_equal(tp->prior_ssthresh, 0);
}

TEST(a_time_out_asks_for_cwr_too)
{
    ten();
    advance(2 * SEC);
    assert_true(tp->ecn.queue_cwr);
    while (fx.next < fx.n_segs)
        assert_false(take()->flags & CWR);
}

TEST(at_one_packet_the_next_waits_for_the_time_out)
{
    uint64_t since;

    tun.initial_cwnd = 1;
    classic();
    assert_int_equal(w(3 * tp->mss_cache), 3 * tp->mss_cache);
    assert_int_equal(tp->packets_out, 1);
    clear();
    acked(ECE, 1);
    expect_none();
    assert_int_equal(tp->ssthresh, 2);
    since = fx.now;
    advance(5 * SEC);
    assert_in_range(take()->at - since, 200 * MS, SEC);
    acked(0, 2);
    assert_int_equal(clear() > 0, 1);
}

/* SYNs cross, and the program has closed: bbr has not begun, its state is not there. */
TEST(a_mark_before_the_transfer_asks_no_algorithm)
{
    assert_int_equal(stack_tunable_set(fx.st, "tcp_congestion_control", "bbr"), 0);
    tun.ecn = 1;
    tun.bbr_ecn = 1;
    connecting();
    clear();
    peer(SYN | ECE | CWR, 0, 0, 0);
    clear();
    assert_int_equal(sock_shutdown(fx.s, SHUT_WR, fx.now), 0);
    for (int i = 0; i < 3; i++) {
        peer(ACK | ECE, 1, 1, 0);
        advance(SEC);
    }
    assert_true(tp->ssthresh >= 2);
    clear();
}

TEST(delivered_ce_counts_what_ece_delivers)
{
    ten();
    acked(0, 2);
    acked(ECE, 5);
    acked(0, 7);
    assert_int_equal(tp->delivered_ce, 3);
    assert_int_equal(tp->delivered, 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(one_reaction_a_window),
        T(ece_with_nothing_in_flight_says_nothing),
        T(a_mark_forbids_undo_and_a_needless_loss_takes_cwr_back),
        T(a_time_out_asks_for_cwr_too),
        T(at_one_packet_the_next_waits_for_the_time_out),
        T(a_mark_before_the_transfer_asks_no_algorithm),
        T(delivered_ce_counts_what_ece_delivers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
