/* SPDX-License-Identifier: MIT */
/*
 * RFC 8985 where the wire alone does not show it; the rest of RACK-TLP is in
 * tests/scripts/conformance.
 */
#include "tests/unit/tcp/fixture.h"

#include <stdio.h>

static void start(uint64_t rtt)
{
    fx.c->sack = true;
    fx.c->ts = false;
    fx.c->mss = 1000;
    fx.rtt = rtt;
    passive();
    set_int(IPPROTO_TCP, TCP_NODELAY, 1);
}

static void ack(uint32_t upto, const char *blocks)
{
    peer(ACK, 1, upto, 0, .sack = blocks);
}

static uint64_t due(enum tcp_timer t)
{
    return tp->deadline[t] ? tp->deadline[t] - fx.now : 0;
}

/* A round trip of 40 us: two segments that leave 1 us apart are told apart, and each is judged by
 * its own time. */
TEST(rfc8985_02_xmit_ts_granularity)
{
    start(40);
    assert_int_equal(w(1000), 1000);
    advance(1);
    assert_int_equal(w(1000), 1000);
    assert_int_equal(scoreboard_last(tp)->sent_at - scoreboard_first(tp)->sent_at, 1);
    advance(39);
    ack(1, "1001:2001");
    assert_int_equal(tp->lost_out, 0);
    /* its round trip was 39 us, the window is 9: the first has 8 left */
    assert_int_equal(due(TCP_TIMER_reorder), 39 + 9 - 40 + TCP_TIMEOUT_MIN);
}

/* However often duplicates were reported: one smoothed round trip. */
TEST(rfc8985_11_reo_wnd_bounded)
{
    start(100 * MS);
    assert_int_equal(w(3000), 3000);
    tp->reord_seen = 1;
    tp->rack.reo_wnd_steps = 255;
    tp->rack.reo_wnd_persist = 16;
    advance(fx.rtt);
    ack(1, "1001:2001");
    assert_in_range(due(TCP_TIMER_reorder), 99 * MS, 101 * MS + TCP_TIMEOUT_MIN);
    assert_int_equal(due(TCP_TIMER_reorder), (tp->srtt_us >> 3) + TCP_TIMEOUT_MIN);
}

/* One segment lost and found: a recovery; `dup`: the peer reports the copy. */
static void recovery(uint32_t *seq, bool dup)
{
    char blocks[40];

    assert_int_equal(w(2000), 2000);
    advance(fx.rtt);
    snprintf(blocks, sizeof(blocks), "%u:%u", *seq + 1000, *seq + 2000);
    ack(*seq, blocks);
    advance(3 * fx.rtt); /* the timer, and the copy's way */
    assert_int_equal(tp->ca_state, CA_RECOVERY);
    snprintf(blocks, sizeof(blocks), "%u:%u", *seq, *seq + 1000);
    *seq += 2000;
    ack(*seq, dup ? blocks : NULL);
    assert_int_equal(tp->packets_out, 0);
    clear();
}

TEST(rfc8985_13_dsack_decays)
{
    uint32_t seq = 1;

    start(100 * MS);
    tp->reord_seen = 1;
    tp->rack.reo_wnd_steps = 1;
    recovery(&seq, true);
    recovery(&seq, false); /* the window is widened at the next ACK */
    assert_int_equal(tp->rack.reo_wnd_steps, 2);
    for (int i = 1; i < 16; i++) {
        assert_int_equal(tp->rack.reo_wnd_steps, 2);
        recovery(&seq, false);
    }
    recovery(&seq, false);
    assert_int_equal(tp->rack.reo_wnd_steps, 1);
}

/* Between a round trip and the reordering window after it: not lost. */
TEST(rfc8985_17_rto_marks)
{
    start(100 * MS);
    tun.early_retrans = 0;
    assert_int_equal(w(1000), 1000);
    advance(fx.rtt);
    ack(1001, NULL);
    assert_int_equal(w(1000), 1000);
    advance(tp->rto - 130 * MS);
    assert_int_equal(w(1000), 1000);
    advance(20 * MS);
    assert_int_equal(w(1000), 1000);
    advance(109 * MS);
    assert_int_equal(tp->ca_state, CA_OPEN);
    advance(2 * MS); /* ages: the RTO, 130 ms and 110 ms; the window ends at 125 ms */
    assert_int_equal(tp->ca_state, CA_LOSS);
    assert_int_equal(tp->lost_out, 2);
}

/* No round trip is known: a second. */
TEST(rfc8985_18_pto_value)
{
    start(100 * MS);
    assert_int_equal(w(2000), 2000);
    tp->srtt_us = 0;
    tp->rto = 3 * SEC;
    assert_true(tcp_schedule_loss_probe(tp, true));
    assert_int_equal(due(TCP_TIMER_loss_probe), SEC);
    tp->rto = 900 * MS; /* never behind the time-out */
    assert_true(tcp_schedule_loss_probe(tp, true));
    assert_int_equal(due(TCP_TIMER_loss_probe), 900 * MS);
}

/* No round trip was measured since the last probe: none, though it has been answered. */
TEST(rfc8985_20_probe_conditions)
{
    start(100 * MS);
    assert_int_equal(w(2000), 2000);
    clear();
    advance(203 * MS);
    assert_int_equal(clear(), 1);
    assert_true(tp->tlp_out);
    ack(2001, "1001:2001"); /* both copies have come: over, and no sample */
    assert_false(tp->tlp_out);
    assert_false(tp->tlp_sampled);
    assert_int_equal(w(2000), 2000);
    clear();
    advance(250 * MS);
    assert_int_equal(clear(), 0);
    advance(tp->rto);
    assert_int_equal(tp->ca_state, CA_LOSS);
}

static void check_exclusive(void)
{
    static const enum tcp_timer t[] = {TCP_TIMER_reorder, TCP_TIMER_loss_probe, TCP_TIMER_rexmt,
                                       TCP_TIMER_persist};
    unsigned n = 0;

    for (unsigned i = 0; i < 4; i++)
        n += tcp_timer_pending(tp, t[i]);
    assert_true(n <= 1);
    assert_true(!tp->packets_out || n == 1);
}

/* The time passes in steps of a millisecond. */
static void watch(unsigned ms)
{
    check_exclusive();
    while (ms--) {
        advance(MS);
        check_exclusive();
    }
}

TEST(rfc8985_27_timers_exclusive)
{
    start(100 * MS);
    assert_int_equal(w(4000), 4000);
    watch(50);
    assert_true(tcp_timer_pending(tp, TCP_TIMER_loss_probe));
    ack(1, "2001:3001");
    watch(10);
    assert_true(tcp_timer_pending(tp, TCP_TIMER_reorder));
    assert_int_equal(w(1000), 1000); /* new data, while that runs */
    watch(10);
    ack(1001, "2001:3001");
    watch(100);
    assert_true(tcp_timer_pending(tp, TCP_TIMER_rexmt));
    watch(700);
    ack(5001, NULL);
    check_exclusive();
    assert_int_equal(w(2000), 2000);
    peer(ACK, 1, 6001, 0, .win = -1);
    watch(50);
    peer(ACK, 1, 7001, 0, .win = -1);
    assert_int_equal(w(1000), 1000);
    watch(50);
    assert_true(tcp_timer_pending(tp, TCP_TIMER_persist));
    ack(7001, NULL);
    watch(300);
    ack(8001, NULL);
    check_exclusive();
    assert_int_equal(tp->packets_out, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(rfc8985_02_xmit_ts_granularity), T(rfc8985_11_reo_wnd_bounded),
        T(rfc8985_13_dsack_decays),        T(rfc8985_17_rto_marks),
        T(rfc8985_18_pto_value),           T(rfc8985_20_probe_conditions),
        T(rfc8985_27_timers_exclusive),
    };

    return cmocka_run_group_tests_name("rfc8985", tests, NULL, NULL);
}
