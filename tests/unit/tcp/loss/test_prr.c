/* SPDX-License-Identifier: MIT */
/* The reduction of the window: its beginning, a second loss in it, undo, algorithms of their own.
 */
#include "tests/unit/tcp/fixture.h"

static void flight(unsigned n)
{
    fx.c->sack = true;
    fx.c->ts = false;
    fx.c->mss = 1000;
    fx.rtt = 100 * MS;
    tun.early_retrans = 0;
    passive();
    tp->cwnd = n;
    assert_int_equal(w(1000 * n), 1000 * n);
    clear();
    advance(fx.rtt);
}

static void ack(uint32_t upto, const char *blocks)
{
    peer(ACK, 1, upto, 0, .sack = blocks);
}

/* The ACK of the SYN-ACK came, and nothing is outstanding: no division by zero. */
TEST(nothing_outstanding_is_one)
{
    flight(10);
    ack(10001, NULL);
    tcp_prr_begin(tp, NULL, false);
    assert_int_equal(tp->prr.recover_fs, 1);
}

TEST(the_timer_begins_it_without_an_ack)
{
    flight(10);
    ack(1, "1001:2001");
    advance(28 * MS);
    assert_int_equal(tp->ca_state, CA_RECOVERY);
    assert_int_equal(tp->prr.recover_fs, 9);
    assert_int_equal(take()->seq, 1);
}

/* Each lost retransmission lowers ssthresh, but those of one round only once. */
TEST(lost_retransmissions_of_one_round_cut_once)
{
    flight(20);
    ack(1, "1001:4001");
    assert_int_equal(tp->ssthresh, 10);
    advance(MS);
    ack(1, "5001:12001 1001:4001");
    assert_int_equal(tp->retrans_out, 2);
    assert_int_equal(w(4000), 4000);
    advance(MS);
    ack(1, "5001:20001 1001:4001");
    clear();
    advance(fx.rtt);
    ack(1, "5001:22001 1001:4001"); /* younger than both retransmissions */
    assert_int_equal(cnt(tcp_lost_retransmits), 2);
    assert_int_equal(tp->ssthresh, 5);
    ack(1, "5001:23001 1001:4001");
    assert_int_equal(tp->ssthresh, 5);
    advance(fx.rtt);
    ack(24001, NULL);
    assert_int_equal(tp->ca_state, CA_OPEN);
    assert_int_equal(tp->cwnd, 5);
}

/* An undo takes both cuts back. */
TEST(undo_restores_the_window_of_before)
{
    flight(20);
    ack(1, "1001:4001");
    assert_int_equal(tp->prior_cwnd, 20);
    tp->prr.lost_again = true;
    tcp_cut_again(tp, NULL);
    assert_int_equal(tp->ssthresh, 5);
    assert_int_equal(tp->prior_cwnd, 20);
    tcp_undo_cwnd(tp, false);
    assert_true(tp->cwnd >= 20);
    assert_true(tp->ssthresh >= 20);
    run();
}

TEST(without_a_loss_nothing_is_cut_again)
{
    flight(20);
    ack(1, "1001:4001");
    tcp_cut_again(tp, NULL);
    assert_int_equal(tp->ssthresh, 10);
}

/* An algorithm with a control of its own keeps its window at the end. */
TEST(bbr_keeps_its_window)
{
    flight(10);
    assert_int_equal(sock_setsockopt(fx.s, IPPROTO_TCP, TCP_CONGESTION, "bbr", 3, fx.now), 0);
    tp->ca_state = CA_RECOVERY;
    tp->ssthresh = 3;
    tp->undo_ok = true;
    tp->cwnd = 17;
    tcp_prr_end(tp);
    assert_int_equal(tp->cwnd, 17);
    tp->prr.lost_again = true;
    tcp_cut_again(tp, NULL);
    assert_int_equal(tp->ssthresh, 3);
    tp->ca_state = CA_OPEN;
}

/* A forged flood of SACKs of the same range delivers nothing. */
TEST(a_flood_of_acks_without_news_sends_nothing)
{
    flight(20);
    assert_int_equal(w(20000), 20000);
    ack(1, "1001:4001");
    clear();
    for (int i = 0; i < 100; i++)
        ack(1, "1001:4001");
    expect_none();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(nothing_outstanding_is_one),
        T(the_timer_begins_it_without_an_ack),
        T(lost_retransmissions_of_one_round_cut_once),
        T(undo_restores_the_window_of_before),
        T(without_a_loss_nothing_is_cut_again),
        T(bbr_keeps_its_window),
        T(a_flood_of_acks_without_news_sends_nothing),
    };

    return cmocka_run_group_tests_name("prr", tests, NULL, NULL);
}
