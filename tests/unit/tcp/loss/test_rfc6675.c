/* SPDX-License-Identifier: MIT */
/* Counting instead of time (tcp_recovery=0): what its scripts and RFC 6675's ids do not reach. */
#include "tests/unit/tcp/fixture.h"

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

TEST(the_same_news_again_is_none)
{
    flight(10);
    for (int i = 0; i < 5; i++)
        ack(1, "1001:2001");
    assert_int_equal(tp->ca_state, CA_DISORDER);
    assert_int_equal(tp->sack_count.dup_acks, 1);
}

/* The ISN is in the upper half of the sequence space, or the flight wraps: what was looked at is no
 * number from before. */
static void at_isn(uint32_t isn)
{
    struct ip_endpoint local = fx_endpoint("10.0.0.1", FX_PORT);
    struct ip_endpoint remote = fx_endpoint("10.0.0.2", FX_PEER_PORT);

    fx.now += (uint64_t)(isn - isn_generate(fx.st, &local, &remote)) * 64 / 1000;
    flight(10);
    assert_in_range(tp->iss, isn - 100, isn + 100);
    ack(1, "2001:3001 4001:5001 6001:7001");
    assert_int_equal(tp->ca_state, CA_RECOVERY);
    assert_int_equal(tp->lost_out, 2);
}

TEST(a_high_isn)
{
    at_isn(0xc0000000u);
}

TEST(a_flight_across_the_wrap)
{
    at_isn(0u - 5000u);
    advance(fx.rtt);
    ack(10001, NULL);
    assert_int_equal(tp->ca_state, CA_OPEN);
}

TEST(no_reordering_timer_runs)
{
    flight(10);
    ack(1, "1001:2001");
    assert_false(tcp_timer_pending(tp, TCP_TIMER_reorder));
    advance(100 * MS);
    assert_int_equal(tp->lost_out, 0);
    assert_int_equal(clear(), 0);
}

/* Lost again: only the time-out knows (RFC 6675 §5.1). */
TEST(a_lost_retransmission_waits_for_the_time_out)
{
    flight(10);
    ack(1, "1001:4001");
    assert_int_equal(take()->seq, 1);
    assert_int_equal(w(5000), 5000);
    ack(1, "1001:10001");
    clear();
    advance(fx.rtt);
    ack(1, "1001:13001");
    while (fx.next < fx.n_segs)
        assert_int_not_equal(take()->seq, 1);
    assert_int_equal(cnt(tcp_rto), 0);
    advance(SEC);
    assert_true(cnt(tcp_rto) > 0);
}

/* Rule 3 of NextSeg(): holes that are not known to be lost go too while the window has room. */
TEST(all_holes_that_fit_go_at_once)
{
    flight(10);
    ack(1, "1001:4001 5001:6001 7001:8001");
    assert_int_equal(tp->ca_state, CA_RECOVERY);
    assert_int_equal(tp->lost_out, 1);
    clear();
    tp->cwnd = 20;
    tcp_6675_send_more(tp);
    assert_int_equal(take()->seq, 4001);
    assert_int_equal(take()->seq, 6001);
    clear();
}

/* No memory to cut the tail for the rescue: another time. */
TEST(a_rescue_that_cannot_be_cut_is_not_spent)
{
    struct pool *pool = &fx.st->tcp.segment_pool;
    void *held[4096];
    unsigned n = 0;

    start();
    tun.min_tso_segs = 4;
    assert_int_equal(w(8000), 8000);
    clear();
    advance(fx.rtt);
    fx.fail_all = true;
    while ((held[n] = pool_get(pool)))
        n++;
    ack(1, "1001:4001");
    fx.fail_all = false;
    while (n)
        pool_put(pool, held[--n]);
    assert_false(tp->sack_count.rescued);
    ack(1, "1001:4001");
    advance(5 * MS);
    ack(1, "1001:5001");
    assert_true(tp->packets_out == 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(the_same_news_again_is_none),
        T(a_high_isn),
        T(a_flight_across_the_wrap),
        T(no_reordering_timer_runs),
        T(a_lost_retransmission_waits_for_the_time_out),
        T(a_rescue_that_cannot_be_cut_is_not_spent),
        T(all_holes_that_fit_go_at_once),
    };

    return cmocka_run_group_tests_name("rfc6675", tests, NULL, NULL);
}
