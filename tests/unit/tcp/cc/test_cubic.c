/* SPDX-License-Identifier: MIT */
/* CUBIC (RFC 9438), against the RFC's formulas in floating point. */
#include "tests/unit/tcp/cc/bare.h"

#include <math.h>

#define RTT (100 * MS)

/** The RFC, equation by equation. */
static struct model {
    long double w_max, k, origin, t0, w_est, cwnd, prior, beta;
} m;

static long double seconds(void)
{
    return (long double)fx.st->now / 1e6L;
}

static void model_epoch(uint32_t cwnd, long double w_max, long double prior)
{
    m.cwnd = m.w_est = cwnd;
    m.w_max = w_max;
    m.prior = prior;
    m.k = w_max > cwnd ? cbrtl((w_max - cwnd) / 0.4L) : 0;
    m.origin = w_max > cwnd ? w_max : cwnd;
    m.t0 = seconds();
}

static long double model_w(long double t)
{
    return 0.4L * powl(t - m.k, 3) + m.origin;
}

static void model_ack(uint32_t n, long double rtt)
{
    long double alpha = m.w_est >= m.prior ? 1 : 3 * (1 - 0.7L) / (1 + 0.7L);
    long double t = seconds() - m.t0, target;

    m.w_est += alpha * n / m.cwnd;
    if (model_w(t) < m.w_est) {
        m.cwnd = m.cwnd > m.w_est ? m.cwnd : m.w_est;
        return;
    }
    target = model_w(t + rtt);
    if (target < m.cwnd)
        target = m.cwnd;
    if (target > 1.5L * m.cwnd)
        target = 1.5L * m.cwnd;
    m.cwnd += (target - m.cwnd) / m.cwnd * n;
}

static void assert_as_model(void)
{
    long double off = fabsl(bare.cwnd - m.cwnd);

    /* whole packets: with small windows the steps are felt */
    if (off > 2 && off > m.cwnd * 0.015L)
        fail_msg("after %Lf s: cwnd %u, by the RFC %Lf", seconds() - m.t0, bare.cwnd, m.cwnd);
}

/* A loss at `cwnd`; the recovery is over at once. */
static void loss(uint32_t cwnd)
{
    bare.cwnd = bare.prior_cwnd = cwnd;
    bare.ssthresh = tcp_cc_cubic.ssthresh(&bare);
    bare.cwnd = bare.ssthresh;
}

/* Round trips in which the window is the limit, ten ACKs each. */
static void rounds(unsigned n, uint32_t rtt_us)
{
    for (unsigned i = 0; i < 10 * n; i++) {
        uint32_t acked = bare.cwnd / 10 ? bare.cwnd / 10 : 1;

        pass(rtt_us / 10);
        ack_limited(acked, rtt_us);
        model_ack(acked, rtt_us / 1e6L);
        assert_as_model();
    }
}

TEST(a_loss_leaves_seven_tenths_and_two_at_least)
{
    bare_start(&tcp_cc_cubic, 10, RTT);
    loss(1000);
    assert_int_equal(bare.ssthresh, 700);
    loss(100);
    assert_int_equal(bare.ssthresh, 70);
    loss(3);
    assert_int_equal(bare.ssthresh, 2);
    loss(1);
    assert_int_equal(bare.ssthresh, 2);
}

TEST(the_window_follows_the_cubic_function)
{
    static const struct {
        uint32_t w_max, rtt_ms, rounds;
    } paths[] = {{30, 200, 300},     {100, 100, 400},    {1000, 50, 600},  {1000, 300, 150},
                 {10000, 100, 1000}, {100000, 80, 1500}, {1000, 1, 20000}, {65, 10, 4000}};

    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        bare_start(&tcp_cc_cubic, 10, paths[i].rtt_ms * MS);
        loss(paths[i].w_max);
        model_epoch(bare.cwnd, paths[i].w_max, paths[i].w_max);
        rounds(paths[i].rounds, paths[i].rtt_ms * MS);
        assert_true(bare.cwnd > paths[i].w_max);
    }
}

TEST(it_is_back_at_the_old_window_after_k)
{
    uint64_t start;

    bare_start(&tcp_cc_cubic, 10, RTT);
    loss(1000);
    start = fx.st->now;
    while (bare.cwnd < 1010) {
        pass(RTT / 100);
        ack_limited(bare.cwnd / 100, RTT);
    }
    /* K = cbrt(300 / 0.4) = 9.086 s, ten packets more cbrt(10 / 0.4) = 2.924 s */
    assert_in_range(fx.st->now - start, 12010 * MS - 500 * MS, 12010 * MS + 100 * MS);
}

TEST(a_round_trip_adds_a_half_at_most_and_takes_nothing)
{
    bare_start(&tcp_cc_cubic, 10, RTT);
    loss(100);
    ack_limited(1, RTT);
    pass(1000 * SEC);
    bare.is_cwnd_limited = true;
    ack_limited(70, RTT);
    assert_in_range(bare.cwnd, 104, 105);
    /* far above its curve it stands still (W_est is far below) */
    loss(1000);
    ack_limited(1, RTT);
    bare.cwnd = 5000;
    for (int i = 0; i < 20; i++) {
        pass(RTT);
        ack_limited(5000, RTT);
    }
    assert_int_equal(bare.cwnd, 5000);
}

TEST(where_reno_would_be_faster_it_is_reno)
{
    /* 1 ms: W_cubic needs 2.7 s for six packets, Reno 20 ms */
    bare_start(&tcp_cc_cubic, 10, 1 * MS);
    loss(20);
    assert_int_equal(bare.cwnd, 14);
    for (int i = 0; i < 12 * 14; i++) {
        pass(1000 / 14);
        ack_limited(1, 1 * MS);
    }
    /* 14 + 0.529 a round, and a round has cwnd packets: W^2 = 14^2 + 2 * 0.529 * 168 */
    assert_int_equal(bare.cwnd, 19);
    /* past the old window one a round: W^2 = 20^2 + 2 * 2000 */
    while (bare.cwnd < 20) {
        pass(50);
        ack_limited(1, 1 * MS);
    }
    for (int i = 0; i < 2000; i++) {
        pass(50);
        ack_limited(1, 1 * MS);
    }
    assert_in_range(bare.cwnd, 65, 67);
}

TEST(below_the_last_plateau_a_loss_gives_room_to_others)
{
    bare_start(&tcp_cc_cubic, 10, RTT);
    loss(1000);
    ack_limited(1, RTT);
    loss(800);
    assert_int_equal(bare.cwnd, 560);
    /* Wmax = 800 * 1.7 / 2 */
    model_epoch(bare.cwnd, 680, 800);
    rounds(150, RTT);
}

TEST(after_a_time_out_the_curve_starts_on_its_plateau)
{
    bare_start(&tcp_cc_cubic, 10, RTT);
    loss(1000);
    tcp_cc_cubic.set_state(&bare, CA_LOSS);
    bare.ca_state = CA_LOSS;
    bare.cwnd = 1;
    while (bare.cwnd < 700) {
        pass(RTT);
        ack_limited(bare.cwnd, RTT);
    }
    assert_int_equal(bare.cwnd, 700);
    bare.ca_state = CA_OPEN;
    model_epoch(bare.cwnd, 700, 1000);
    rounds(200, RTT);
}

TEST(slow_start_that_ends_without_a_loss_starts_on_the_plateau_too)
{
    bare_start(&tcp_cc_cubic, 300, RTT);
    bare.ssthresh = 300; /* as HyStart++ does */
    model_epoch(300, 300, 300);
    rounds(200, RTT);
}

/* The window after 100 rounds and `pause` without use of it. */
static uint32_t after_a_pause(uint64_t pause, bool idle)
{
    bare_start(&tcp_cc_cubic, 10, RTT);
    loss(1000);
    for (int i = 0; i < 50; i++) {
        pass(RTT);
        ack_limited(bare.cwnd, RTT);
    }
    if (pause && idle) {
        pass(pause);
        tcp_cc_cubic.event(&bare, TCP_CC_TX_START);
    }
    bare.is_cwnd_limited = false;
    bare.ssthresh = 1;
    for (uint64_t t = 0; pause && !idle && t < pause; t += RTT) {
        pass(RTT);
        ack_limited(1, RTT);
    }
    bare.is_cwnd_limited = true;
    for (int i = 0; i < 50; i++) {
        pass(RTT);
        ack_limited(bare.cwnd, RTT);
    }
    return bare.cwnd;
}

TEST(time_in_which_the_window_was_not_the_limit_does_not_count)
{
    uint32_t busy = after_a_pause(0, false);

    assert_int_equal(after_a_pause(10 * SEC, false), busy);
    assert_int_equal(after_a_pause(10 * SEC, true), busy);
}

/* RFC 9438 §4.2.3, RFC 5681 §4.1: after a long silence the climb to the plateau begins anew. */
TEST(a_restart_after_idling_begins_a_new_climb)
{
    bare_start(&tcp_cc_cubic, 10, RTT);
    loss(1000);
    model_epoch(bare.cwnd, 1000, 1000);
    rounds(30, RTT);
    tcp_cc_cubic.event(&bare, TCP_CC_CWND_RESTART);
    bare.cwnd = 300;
    bare.ssthresh = 300;
    model_epoch(300, 1000, 1000);
    rounds(100, RTT);
}

TEST(a_spurious_loss_is_taken_back_with_its_epoch)
{
    uint32_t before;

    bare_start(&tcp_cc_cubic, 10, RTT);
    loss(1000);
    model_epoch(bare.cwnd, 1000, 1000);
    rounds(60, RTT);
    before = bare.cwnd;
    loss(before);
    assert_true(bare.cwnd < before);
    bare.cwnd = tcp_cc_cubic.undo_cwnd(&bare);
    assert_int_equal(bare.cwnd, before);
    rounds(100, RTT);
    /* no window is given back twice, none is lowered */
    bare.cwnd = 5000;
    assert_int_equal(tcp_cc_cubic.undo_cwnd(&bare), 5000);
}

TEST(a_time_out_that_was_spurious_leaves_no_trace)
{
    bare_start(&tcp_cc_cubic, 10, RTT);
    loss(1000);
    model_epoch(bare.cwnd, 1000, 1000);
    rounds(60, RTT);
    loss(bare.cwnd);
    tcp_cc_cubic.set_state(&bare, CA_LOSS);
    bare.cwnd = tcp_cc_cubic.undo_cwnd(&bare);
    rounds(100, RTT);
}

TEST(an_ecn_mark_takes_less_when_abe_is_on)
{
    bare_start(&tcp_cc_cubic, 1000, RTT);
    assert_int_equal(tcp_cc_cubic.ecn_ssthresh(&bare), 700);
    tun.abe = 1;
    bare_start(&tcp_cc_cubic, 1000, RTT);
    assert_int_equal(tcp_cc_cubic.ecn_ssthresh(&bare), 849);
    bare_start(&tcp_cc_cubic, 1000, RTT);
    assert_int_equal(tcp_cc_cubic.ssthresh(&bare), 700);
}

TEST(it_survives_what_no_path_can_be)
{
    bare_start(&tcp_cc_cubic, 10, 1);
    loss(UINT32_MAX / 2);
    for (int i = 0; i < 1000; i++) {
        pass(UINT64_C(1) << (i % 50));
        ack_limited(UINT32_MAX / 4, 1);
        if (bare.cwnd > UINT32_MAX / 2)
            loss(bare.cwnd);
        assert_true(bare.cwnd >= 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_loss_leaves_seven_tenths_and_two_at_least),
        T(the_window_follows_the_cubic_function),
        T(it_is_back_at_the_old_window_after_k),
        T(a_round_trip_adds_a_half_at_most_and_takes_nothing),
        T(where_reno_would_be_faster_it_is_reno),
        T(below_the_last_plateau_a_loss_gives_room_to_others),
        T(after_a_time_out_the_curve_starts_on_its_plateau),
        T(slow_start_that_ends_without_a_loss_starts_on_the_plateau_too),
        T(time_in_which_the_window_was_not_the_limit_does_not_count),
        T(a_spurious_loss_is_taken_back_with_its_epoch),
        T(a_time_out_that_was_spurious_leaves_no_trace),
        T(an_ecn_mark_takes_less_when_abe_is_on),
        T(it_survives_what_no_path_can_be),
        T(a_restart_after_idling_begins_a_new_climb),
    };

    return cmocka_run_group_tests_name("cubic", tests, NULL, NULL);
}
