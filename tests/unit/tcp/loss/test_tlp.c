/* SPDX-License-Identifier: MIT */
/* The tail loss probe: when there is none, what it is cut from, and what ends it. */
#include "tests/unit/tcp/fixture.h"

static void start(void)
{
    fx.c->sack = true;
    fx.c->ts = false;
    fx.c->mss = 1000;
    fx.rtt = 100 * MS;
    passive();
}

static void flight(unsigned n)
{
    start();
    assert_int_equal(w(1000 * n), 1000 * n);
    clear();
}

static void ack(uint32_t upto, const char *blocks)
{
    peer(ACK, 1, upto, 0, .sack = blocks);
}

TEST(none_without_the_tunable)
{
    tun.early_retrans = 0;
    flight(4);
    assert_false(tcp_timer_pending(tp, TCP_TIMER_loss_probe));
    advance(299 * MS);
    expect_none();
}

/* One packet of a burst of four: the rest of it stays where it is. */
TEST(the_probe_is_the_last_packet_of_a_burst)
{
    start();
    tun.min_tso_segs = 4;
    tp->cwnd = 20;
    assert_int_equal(w(4000), 4000);
    clear();
    advance(203 * MS);
    expect(PSH | ACK, 3001, 1, 1000);
    assert_int_equal(tp->packets_out, 4);
    assert_int_equal(tp->retrans_out, 1);
    assert_int_equal(tp->lost_out, 0);
}

TEST(the_probe_can_be_a_fin)
{
    flight(2);
    close_sock(&fx.s);
    clear();
    advance(203 * MS);
    assert_int_equal(take()->flags & FIN, FIN);
}

/* The last packet cannot be cut off: the RTO is armed, and does its work. */
TEST(without_memory_the_rto_takes_over)
{
    struct pool *pool = &fx.st->tcp.segment_pool;
    void *held[4096];
    unsigned n = 0;

    start();
    tun.min_tso_segs = 4;
    tp->cwnd = 20;
    assert_int_equal(w(4000), 4000);
    clear();
    fx.fail_all = true;
    while ((held[n] = pool_get(pool)))
        n++;
    advance(250 * MS);
    expect_none();
    assert_false(tp->tlp_out);
    assert_true(tcp_timer_pending(tp, TCP_TIMER_rexmt));
    fx.fail_all = false;
    while (n)
        pool_put(pool, held[--n]);
    advance(60 * MS);
    assert_int_equal(take()->seq, 1);
    assert_int_equal(tp->ca_state, CA_LOSS);
}

TEST(a_device_without_room_gets_the_rto)
{
    flight(4);
    fx.device_room = 0;
    advance(250 * MS);
    assert_false(tp->tlp_out);
    assert_true(tcp_timer_pending(tp, TCP_TIMER_rexmt));
    fx.device_room = -1;
    advance(60 * MS);
    assert_int_equal(take()->seq, 1);
}

/* An ACK of less than the probe says nothing about it. */
TEST(an_ack_below_the_probe_does_not_end_it)
{
    flight(4);
    advance(203 * MS);
    assert_int_equal(clear(), 1);
    ack(2001, NULL);
    assert_true(tp->tlp_out);
    advance(10 * MS);
    ack(4001, NULL);
    assert_true(tp->tlp_out); /* the copy's fate is open … */
    assert_int_equal(w(1000), 1000);
    advance(fx.rtt);
    ack(5001, NULL);
    assert_false(tp->tlp_out); /* … and was never reported: a loss was repaired */
    assert_int_equal(cnt(tcp_tlp_recovered), 1);
    assert_int_equal(tp->ca_state, CA_OPEN);
}

TEST(new_data_as_a_probe_is_no_loss)
{
    start();
    assert_int_equal(w(12000), 12000);
    clear();
    advance(203 * MS);
    expect(ACK, 10001, 1, 1000);
    assert_false(tp->tlp_retrans);
    ack(11001, NULL);
    assert_false(tp->tlp_out);
    assert_int_equal(cnt(tcp_tlp_recovered), 0);
}

/* RACK finds the tail from the probe's SACK; the probe ends with the recovery. */
TEST(a_recovery_ends_the_probe)
{
    flight(4);
    advance(203 * MS);
    clear();
    advance(fx.rtt);
    ack(1, "3001:4001");
    assert_int_equal(tp->ca_state, CA_RECOVERY);
    assert_false(tp->tlp_out);
    assert_false(tcp_timer_pending(tp, TCP_TIMER_loss_probe));
}

TEST(a_time_out_ends_the_probe)
{
    flight(4);
    advance(203 * MS);
    assert_true(tp->tlp_out);
    advance(SEC);
    assert_int_equal(tp->ca_state, CA_LOSS);
    assert_false(tp->tlp_out);
}

/* A sample, but the probe is still outstanding. */
TEST(no_second_probe_while_one_is_outstanding)
{
    flight(4);
    advance(203 * MS);
    assert_int_equal(clear(), 1);
    ack(1001, NULL);
    assert_true(tp->tlp_out && tp->tlp_sampled);
    advance(tp->srtt_us / 4 + 5 * MS);
    while (fx.next < fx.n_segs)
        assert_int_equal(take()->seq, 1001); /* the RTO's */
}

/* The D-SACK comes when nothing is in flight any more. */
TEST(a_late_dsack_clears_the_probe)
{
    flight(4);
    advance(203 * MS);
    clear();
    ack(4001, NULL);
    assert_true(tp->tlp_out);
    ack(4001, "3001:4001");
    assert_false(tp->tlp_out);
    assert_int_equal(w(1000), 1000);
    ack(5001, NULL);
    assert_int_equal(cnt(tcp_tlp_recovered), 0);
}

TEST(what_is_sacked_meanwhile_stops_the_probe)
{
    flight(4);
    advance(150 * MS);
    ack(1, "1001:2001");
    clear();
    assert_false(tcp_timer_pending(tp, TCP_TIMER_loss_probe));
    tcp_tlp_timer(tp);
    assert_false(tp->tlp_out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(none_without_the_tunable),
        T(the_probe_is_the_last_packet_of_a_burst),
        T(the_probe_can_be_a_fin),
        T(without_memory_the_rto_takes_over),
        T(a_device_without_room_gets_the_rto),
        T(an_ack_below_the_probe_does_not_end_it),
        T(new_data_as_a_probe_is_no_loss),
        T(a_recovery_ends_the_probe),
        T(a_time_out_ends_the_probe),
        T(no_second_probe_while_one_is_outstanding),
        T(a_late_dsack_clears_the_probe),
        T(what_is_sacked_meanwhile_stops_the_probe),
    };

    return cmocka_run_group_tests_name("tlp", tests, NULL, NULL);
}
