/* SPDX-License-Identifier: MIT */
/*
 * RFC 6675, which tcp_recovery=0 chooses instead of RACK: SACKed data is counted. A flight of
 * segments of 1000 bytes, or of 100 where bytes must not matter; S(n) is where the n-th begins.
 */
#include "tests/unit/tcp/fixture.h"

#define S(n) (1 + 1000u * ((n)-1))
#define Q(n) (1 + 100u * ((n)-1))

static void start(void)
{
    fx.c->sack = true;
    fx.c->ts = false;
    fx.c->mss = 1000;
    fx.rtt = 100 * MS;
    tun.recovery = 0;
    tun.early_retrans = 0;
    passive();
}

/* n full segments, and the time until their first ACK. */
static void flight(unsigned n)
{
    start();
    assert_int_equal(w(1000 * n), 1000 * n);
    clear();
    assert_int_equal(tp->packets_out, n);
    advance(fx.rtt);
}

/* n segments of 100 bytes. */
static void small_flight(unsigned n)
{
    start();
    set_int(IPPROTO_TCP, TCP_NODELAY, 1);
    for (unsigned i = 0; i < n; i++)
        assert_int_equal(w(100), 100);
    clear();
    assert_int_equal(tp->packets_out, n);
    advance(fx.rtt);
}

static void ack(uint32_t upto, const char *blocks)
{
    peer(ACK, 1, upto, 0, .sack = blocks);
}

static bool recovering(void)
{
    return tp->ca_state == CA_RECOVERY;
}

TEST(rfc6675_01_scoreboard_updated)
{
    flight(10);
    ack(1, "2001:3001");
    assert_int_equal(tp->sacked_out, 1);
    peer(PSH | ACK, 1, 1, 50, .sack = "2001:3001 4001:5001");
    assert_int_equal(tp->sacked_out, 2);
    peer(ACK, 51, 1001, 0, .win = 30000, .sack = "8001:9001 4001:5001");
    assert_int_equal(tp->sacked_out, 3);
    assert_int_equal(tp->packets_out, 9);
    peer(ACK, 51, 5001, 0, .sack = "8001:9001");
    assert_int_equal(tp->sacked_out, 1);
    assert_int_equal(tp->packets_out, 5);
}

/* With payload, with another window, with an acknowledgement: each of the three counts. */
TEST(rfc6675_02_dupack_is_new_sack)
{
    small_flight(10);
    peer(ACK, 1, Q(2), 0, .sack = "201:301");
    peer(PSH | ACK, 1, Q(2), 50, .sack = "201:401");
    assert_false(recovering());
    peer(ACK, 51, Q(2), 0, .win = 30000, .sack = "201:501");
    assert_true(recovering());
}

TEST(rfc6675_03_dupacks_reset)
{
    small_flight(10);
    ack(1, "201:301");
    ack(1, "201:401");
    ack(Q(2), NULL);
    ack(Q(2), "201:501");
    ack(Q(2), "201:601");
    assert_false(recovering());
    ack(Q(2), "201:701");
    assert_true(recovering());
}

/* One ACK with three ranges: what is below all of them is lost, what is below two is not. */
TEST(rfc6675_04_islost_three_ranges)
{
    small_flight(10);
    ack(1, "101:201 301:401");
    assert_int_equal(tp->lost_out, 0);
    ack(1, "501:601 101:201 301:401");
    assert_true(recovering());
    assert_int_equal(tp->lost_out, 1);
    assert_true(scoreboard_find(tp, tp->iss + 1)->marks & SEG_LOST);
}

/* Two segments are not more than (DupThresh - 1) * SMSS; a byte more would be. */
TEST(rfc6675_05_islost_bytes)
{
    flight(10);
    ack(1, "1001:3001");
    assert_int_equal(tp->lost_out, 0);
    assert_false(recovering());
    ack(1, "1001:4001");
    assert_int_equal(tp->sack_count.dup_acks, 2);
    assert_int_equal(tp->lost_out, 1);
    assert_true(recovering());
}

TEST(rfc6675_06_enter_dupthresh)
{
    small_flight(10);
    ack(1, "101:201");
    ack(1, "101:301");
    assert_false(recovering());
    expect_none();
    ack(1, "101:401");
    assert_true(recovering());
    assert_int_equal(take()->seq, 1);
}

/* The ACKs of the first were lost: the third part of them tells enough. */
TEST(rfc6675_07_enter_islost)
{
    flight(10);
    ack(1, "1001:4001");
    assert_int_equal(tp->sack_count.dup_acks, 1);
    assert_true(recovering());
    expect(ACK, 1, 1, 1000);
}

TEST(rfc6675_08_limited_transmit_pipe)
{
    flight(10);
    assert_int_equal(w(3000), 3000);
    expect_none();
    ack(1, "1001:2001");
    assert_int_equal(take()->seq, S(11));
    advance(2 * MS);
    ack(1, "1001:2001");
    expect_none();
    ack(1, "1001:3001");
    assert_int_equal(take()->seq, S(12));
    expect_none();
    assert_false(recovering());
    assert_int_equal(tcp_in_flight(tp), tp->cwnd);
}

/* Twelve are outstanding, two of them by limited transmit: half of ten. */
TEST(rfc6675_09_entry_halves)
{
    flight(10);
    assert_int_equal(w(2000), 2000);
    ack(1, "1001:2001");
    ack(1, "1001:3001");
    assert_int_equal(tp->packets_out, 12);
    ack(1, "1001:4001");
    assert_true(recovering());
    assert_int_equal(tp->ssthresh, 5);
    assert_int_equal(tp->high_seq, tp->snd_nxt);
    advance(fx.rtt);
    ack(S(13), NULL);
    assert_int_equal(tp->cwnd, 5);
}

/* Ten sent, three SACKed, two lost and one of these sent again. */
TEST(rfc6675_10_setpipe)
{
    flight(10);
    tp->cwnd = 4;
    ack(1, "2001:5001");
    assert_int_equal(tp->lost_out, 2);
    assert_int_equal(tp->retrans_out, 1);
    assert_int_equal(tcp_in_flight(tp), 10 - 3 - 2 + 1);
}

/* The first hole, then the second, each once; what is SACKed in between never. */
TEST(rfc6675_11_nextseg_rule1)
{
    flight(10);
    assert_int_equal(w(1000), 1000);
    ack(1, "1001:2001 3001:6001");
    expect(ACK, 1, 1, 1000);
    ack(1, "1001:2001 3001:7001");
    ack(1, "1001:2001 3001:8001");
    assert_int_equal(take()->seq, S(3));
    ack(1, "1001:2001 3001:10001");
    assert_int_equal(take()->seq, S(11)); /* nothing that is lost is left */
}

TEST(rfc6675_12_nextseg_rule2)
{
    flight(10);
    assert_int_equal(w(9000), 9000);
    ack(1, "1001:8001");
    while (fx.next < fx.n_segs - 1)
        take();
    assert_true(take()->seq >= S(11));
    assert_int_equal(tcp_in_flight(tp), tp->cwnd);
}

/* No lost data and none that is new: a hole below the highest SACK, though nothing says that it is
 * lost. */
TEST(rfc6675_13_nextseg_rule3)
{
    flight(10);
    ack(1, "1001:8001 9001:10001");
    expect(ACK, 1, 1, 1000);
    assert_int_equal(tp->lost_out, 1);
    assert_int_equal(take()->seq, S(9));
    expect_none();
}

/* Nothing of that either: the end of what is outstanding, once in a recovery. */
TEST(rfc6675_14_nextseg_rule4_rescue)
{
    uint32_t high_rxt;

    flight(10);
    ack(1, "1001:8001");
    expect(ACK, 1, 1, 1000);
    assert_int_equal(take()->seq, S(10));
    expect_none();
    high_rxt = tp->sack_count.high_rxt;
    assert_int_equal(high_rxt, tp->iss + S(2));
    ack(1, "1001:9001"); /* no second one */
    expect_none();
    assert_int_equal(tp->sack_count.high_rxt, high_rxt);
    assert_int_equal(w(1000), 1000);
    assert_int_equal(take()->seq, S(11));
    advance(fx.rtt);
    ack(1, "1001:10001"); /* nor for what is the end now */
    expect_none();
    assert_true(tcp_in_flight(tp) < tp->cwnd);
    ack(S(12), NULL);
    assert_int_equal(w(10000), 10000);
    clear();
    advance(fx.rtt);
    ack(S(12), "12001:15001"); /* in the next recovery one again */
    assert_true(recovering());
    clear();
    assert_false(tp->sack_count.rescued);
}

/* All that the window has room for goes at one ACK. */
TEST(rfc6675_15_send_loop)
{
    flight(10);
    assert_int_equal(w(9000), 9000);
    ack(1, "6001:10001"); /* six lost, nothing else in flight */
    assert_int_equal(tp->lost_out, 6);
    assert_int_equal(tp->retrans_out, 4);
    assert_int_equal(tcp_in_flight(tp), tp->cwnd);
    for (unsigned i = 0; i < 4;)
        i += take()->len / 1000;
    expect_none();
}

/* The ACK reaches RecoveryPoint: what was SACKed of the data behind it stays known. */
TEST(rfc6675_16_exit)
{
    flight(10);
    assert_int_equal(w(6000), 6000);
    ack(1, "1001:10001");
    assert_true(recovering());
    assert_true(seq_gt(tp->snd_nxt, tp->high_seq));
    clear();
    advance(fx.rtt);
    ack(S(10), "11001:12001");
    assert_true(recovering());
    ack(S(11), "11001:12001");
    assert_false(recovering());
    assert_int_equal(tp->sacked_out, 1);
    assert_int_equal(tp->cwnd, 5);
}

TEST(rfc6675_17_sacked_not_freed)
{
    flight(10);
    ack(1, "1001:10001");
    assert_int_equal(tcp_wmem_queued(tp), 10000);
    clear();
    advance(fx.rtt);
    ack(S(2), NULL); /* and forgotten by the peer: all of it can be sent again */
    advance(2 * SEC);
    assert_int_equal(take()->seq, S(2));
    clear();
    for (unsigned n = 3; n <= 11; n++) {
        ack(S(n), NULL);
        if (n < 11)
            assert_in_range(fx.n_segs - fx.next, 0, 9);
    }
    assert_int_equal(tp->packets_out, 0);
    assert_int_equal(tcp_wmem_queued(tp), 0);
}

/* Three more segments SACKed after the time-out would be reason enough for a recovery. */
TEST(rfc6675_18_rto_in_recovery)
{
    flight(10);
    assert_int_equal(w(5000), 5000);
    ack(1, "1001:4001");
    assert_true(recovering());
    advance(tp->rto + 10 * MS);
    assert_int_equal(tp->ca_state, CA_LOSS);
    assert_int_equal(tp->high_seq, tp->snd_nxt);
    ack(1, "1001:7001");
    assert_int_equal(tp->ca_state, CA_LOSS);
    ack(S(8), "8001:10001");
    assert_int_equal(tp->ca_state, CA_LOSS);
    clear();
    advance(fx.rtt);
    ack(tp->high_seq - tp->iss, NULL);
    assert_int_equal(tp->ca_state, CA_OPEN);
}

/* What is SACKed after the time-out is not sent again. */
TEST(rfc6675_19_rto_uses_new_sack)
{
    flight(10);
    advance(SEC);
    assert_int_equal(tp->ca_state, CA_LOSS);
    clear();
    ack(S(2), "2001:5001 6001:10001");
    ack(S(3), "2001:5001 6001:10001");
    advance(fx.rtt);
    while (fx.next < fx.n_segs) {
        const struct fx_seg *g = take();

        assert_true(g->seq == S(2) || g->seq == S(6));
        assert_int_equal(g->len, 1000);
    }
    assert_int_equal(tp->sacked_out, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(rfc6675_01_scoreboard_updated), T(rfc6675_02_dupack_is_new_sack),
        T(rfc6675_03_dupacks_reset),      T(rfc6675_04_islost_three_ranges),
        T(rfc6675_05_islost_bytes),       T(rfc6675_06_enter_dupthresh),
        T(rfc6675_07_enter_islost),       T(rfc6675_08_limited_transmit_pipe),
        T(rfc6675_09_entry_halves),       T(rfc6675_10_setpipe),
        T(rfc6675_11_nextseg_rule1),      T(rfc6675_12_nextseg_rule2),
        T(rfc6675_13_nextseg_rule3),      T(rfc6675_14_nextseg_rule4_rescue),
        T(rfc6675_15_send_loop),          T(rfc6675_16_exit),
        T(rfc6675_17_sacked_not_freed),   T(rfc6675_18_rto_in_recovery),
        T(rfc6675_19_rto_uses_new_sack),
    };

    return cmocka_run_group_tests_name("rfc6675", tests, NULL, NULL);
}
