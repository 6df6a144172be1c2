/* SPDX-License-Identifier: MIT */
/* RFC 9438: CUBIC. Most tests play the core around the algorithm; its whole curve is held against
 * the formulas in tests/unit/tcp/cc/test_cubic.c. */
#include "tests/sim/flows.h"
#include "tests/unit/tcp/cc/bare.h"
#include "tests/unit/tcp/ecn.h"

#include <math.h>

#define MSS 1448u
#define RTT (100 * MS)

/* A loss at `cwnd` whose recovery is over at once. */
static void loss(uint32_t cwnd)
{
    bare.cwnd = bare.prior_cwnd = cwnd;
    bare.ssthresh = tcp_cc_cubic.ssthresh(&bare);
    bare.cwnd = bare.ssthresh;
}

static void begin(uint32_t w_max, uint32_t rtt_us)
{
    bare_start(&tcp_cc_cubic, 10, rtt_us);
    loss(w_max);
}

/* Time in which all of the window is used. */
static void busy(uint64_t us, uint32_t rtt_us)
{
    while (us) {
        uint64_t step = us < rtt_us / 10 ? us : rtt_us / 10;

        pass(step);
        us -= step;
        ack_limited(bare.cwnd / 10 ? bare.cwnd / 10 : 1, rtt_us);
    }
}

/* W_cubic(t) of the RFC, with K from the window at the begin of the epoch. */
static double w_cubic(double t, double w_max, double cwnd_epoch)
{
    double k = cbrt((w_max - cwnd_epoch) / 0.4);

    return 0.4 * pow(t - k, 3) + w_max;
}

static void assert_near(double got, double want, double part)
{
    if (fabs(got - want) > want * part)
        fail_msg("%f instead of %f", got, want);
}

TEST(rfc9438_01_w_cubic)
{
    static const double at[] = {1, 3, 5, 9, 11, 14, 20};
    double t = 0;

    begin(1000, RTT);
    ack_limited(1, RTT); /* the epoch begins */
    for (size_t i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
        busy((uint64_t)((at[i] - t) * 1e6 + 0.5), RTT);
        t = at[i];
        /* one round trip behind its target, which is one ahead */
        assert_near(bare.cwnd, w_cubic(t, 1000, 700), 0.02);
    }
}

TEST(rfc9438_02_beta)
{
    begin(1000, RTT);
    assert_int_equal(bare.ssthresh, 700);
    begin(100000, RTT);
    assert_near(bare.ssthresh, 70000, 0.001);
}

TEST(rfc9438_03_target_clamp)
{
    begin(100, RTT);
    ack_limited(1, RTT);
    pass(1000 * SEC); /* the curve is in the sky */
    bare.is_cwnd_limited = true;
    ack_limited(1, RTT);
    assert_int_equal(bare.cwnd, 70);
    ack_limited(1, RTT);
    assert_int_equal(bare.cwnd, 71); /* a half for each packet */
    begin(1000, RTT);
    ack_limited(1, RTT);
    bare.cwnd = 5000; /* below the window it does not pull */
    for (int i = 0; i < 10; i++)
        ack_limited(5000, RTT);
    assert_int_equal(bare.cwnd, 5000);
}

/* Concave at 1 s, convex at 14 s: in a round trip the window goes from cwnd to the target. */
TEST(rfc9438_04_per_ack_increment)
{
    static const double at[] = {1, 14};

    for (size_t i = 0; i < 2; i++) {
        uint32_t cwnd, acked = 0;
        double target;

        begin(10000, RTT);
        ack_limited(1, RTT);
        busy((uint64_t)(at[i] * 1e6), RTT);
        cwnd = bare.cwnd;
        target = w_cubic(at[i] + 0.1, 10000, 7000);
        for (acked = 0; acked < cwnd; acked += 10)
            ack_limited(10, RTT);
        /* the sum of (target - cwnd) / cwnd over cwnd packets, cwnd growing */
        assert_near(bare.cwnd - cwnd, (target - cwnd) * (1 - exp(-1)), 0.1);
    }
}

TEST(rfc9438_05_app_limited_time)
{
    uint32_t idle, steady;

    begin(1000, RTT);
    busy(12 * SEC, RTT);
    steady = bare.cwnd;
    for (int i = 0; i < 2; i++) {
        begin(1000, RTT);
        busy(6 * SEC, RTT);
        if (i) { /* nothing to send */
            pass(30 * SEC);
            tcp_cc_cubic.event(&bare, TCP_CC_TX_START);
        } else { /* little to send */
            bare.is_cwnd_limited = false;
            bare.ssthresh = 1;
            for (int k = 0; k < 300; k++) {
                pass(RTT);
                ack_limited(1, RTT);
            }
            bare.is_cwnd_limited = true;
        }
        busy(6 * SEC, RTT);
        idle = bare.cwnd;
        assert_near(idle, steady, 0.005);
    }
}

/* Packets acknowledged one by one, at 1 ms, where the cube is far slower. */
static void reno_rounds(uint32_t packets)
{
    while (packets--) {
        pass(1);
        ack_limited(1, MS);
    }
}

TEST(rfc9438_06_reno_friendly)
{
    begin(200, MS);
    reno_rounds(140 * 100);
    assert_true(w_cubic(0.015, 200, 140) < 142);
    assert_in_range(bare.cwnd, 140 + 38, 140 + 53);
}

TEST(rfc9438_07_w_est_growth)
{
    double w = 1400;

    begin(2000, MS);
    reno_rounds(1400 * 50);
    for (int i = 0; i < 1400 * 50; i++)
        w += 3 * 0.3 / 1.7 / w; /* alpha = 3 (1 - beta) / (1 + beta) */
    assert_near(bare.cwnd, w, 0.001);
    assert_true(w < 2000);
}

TEST(rfc9438_08_alpha_one)
{
    double w = 20;

    begin(20, MS);
    while (bare.cwnd < 20)
        reno_rounds(1);
    reno_rounds(5000);
    for (int i = 0; i < 5000; i++)
        w += 1 / w;
    assert_near(bare.cwnd, w, 0.02);
    begin(20, MS);
    reno_rounds(10);
    assert_int_equal(bare.cwnd, 14); /* 10 / 14 of alpha is not one packet */
}

/* On a connection: at once, and by PRR. */
TEST(rfc9438_09_loss_reduction)
{
    fx.rtt = 100 * MS;
    fx.config.features = 0;
    fx_restart();
    assert_int_equal(stack_tunable_set(fx.st, "tcp_congestion_control", "cubic"), 0);
    passive();
    tp->sndbuf = 8000000;
    tp->cwnd = 20;
    tp->cwnd_stamp = fx.st->now;
    assert_int_equal(w(60 * MSS), 60 * MSS);
    clear();
    for (int i = 0; i < 3; i++)
        peer(ACK, 1, 1, 0);
    assert_int_equal(tp->ca_state, CA_RECOVERY);
    assert_int_equal(tp->ssthresh, 14);
    assert_true(tp->cwnd < 20);
    for (int i = 3; i < 21; i++)
        peer(ACK, 1, 1, 0);
    assert_int_equal(tcp_in_flight(tp), 14);
    peer(ACK, 1, tp->high_seq - tp->iss + MSS, 0);
    assert_int_equal(tp->ca_state, CA_OPEN);
    assert_int_equal(tp->cwnd, 14);
    clear();
}

/* cwnd is used for flight_size; but it does not grow while it is not used, not even in slow start.
 */
TEST(rfc9438_10_ssthresh_flight)
{
    begin(3, RTT);
    assert_int_equal(bare.ssthresh, 2);
    begin(1, RTT);
    assert_int_equal(bare.ssthresh, 2);

    assert_int_equal(stack_tunable_set(fx.st, "tcp_congestion_control", "cubic"), 0);
    fx.rtt = 50 * MS;
    passive();
    tp->sndbuf = 8000000;
    bulk(100 * MSS);
    tp->cwnd = 40;
    tp->ssthresh = 100;
    for (int i = 0; i < 40; i++) {
        uint32_t end = tp->snd_nxt - tp->iss + 5 * MSS;

        assert_int_equal(w(5 * MSS), 5 * MSS);
        clear();
        advance(50 * MS);
        peer(ACK, 1, end, 0);
        assert_int_equal(tp->cwnd, 40);
    }
    clear();
}

/* Marks bring the window down to one packet, and then one goes out per time-out. */
TEST(rfc9438_11_ecn_reduction_floor)
{
    uint32_t una = 1;

    assert_int_equal(stack_tunable_set(fx.st, "tcp_congestion_control", "cubic"), 0);
    classic();
    tp->cwnd = 3;
    tp->ssthresh = 2;
    assert_int_equal(w(20 * MSS), 20 * MSS);
    for (int i = 0; i < 4; i++) {
        clear();
        advance(50 * MS);
        una = tp->snd_nxt - tp->iss;
        peer(ACK | ECE, 1, una, 0);
    }
    assert_int_equal(tp->cwnd, 1);
    clear();
    advance(100 * MS);
    expect_none();
    advance(SEC);
    assert_true(fx.next < fx.n_segs);
    assert_in_range(take()->len, 1, MSS);
}

TEST(rfc9438_12_fast_convergence)
{
    begin(1000, RTT);
    ack_limited(1, RTT);
    loss(800); /* below the last plateau: 800 * 1.7 / 2 */
    ack_limited(1, RTT);
    busy(7 * SEC, RTT);
    /* K = cbrt((680 - 560) / 0.4) = 6.7 s */
    assert_near(bare.cwnd, 680, 0.01);
    begin(1000, RTT);
    ack_limited(1, RTT);
    loss(1200); /* above it: the plateau is where the loss was */
    ack_limited(1, RTT);
    busy(9700 * MS, RTT);
    assert_near(bare.cwnd, 1200, 0.01);
}

TEST(rfc9438_13_timeout)
{
    begin(1000, RTT);
    busy(3 * SEC, RTT);
    loss(900);
    assert_int_equal(bare.ssthresh, 630); /* by beta */
    tcp_cc_cubic.set_state(&bare, CA_LOSS);
    bare.ca_state = CA_LOSS;
    bare.cwnd = 1;
    while (bare.cwnd < 630)
        busy(RTT / 10, RTT);
    bare.ca_state = CA_OPEN;
    busy(RTT, RTT);
    /* K = 0, Wmax = cwnd: convex from here on */
    busy(4900 * MS, RTT);
    assert_near(bare.cwnd, 630 + 0.4 * 125, 0.02);

    /* on a connection, cwnd as Reno */
    assert_int_equal(stack_tunable_set(fx.st, "tcp_congestion_control", "cubic"), 0);
    passive();
    assert_int_equal(w(10 * MSS), 10 * MSS);
    advance(tp->rto + 1);
    assert_int_equal(tp->cwnd, 1);
    assert_int_equal(tp->ssthresh, 7);
    clear();
}

TEST(rfc9438_14_spurious_undo)
{
    uint32_t before, after[2];

    for (int i = 0; i < 2; i++) {
        begin(1000, RTT);
        busy(5 * SEC, RTT);
        before = bare.cwnd;
        if (i) {
            loss(before);
            if (i == 1)
                tcp_cc_cubic.set_state(&bare, CA_LOSS);
            bare.cwnd = tcp_cc_cubic.undo_cwnd(&bare);
            assert_int_equal(bare.cwnd, before);
        }
        busy(8 * SEC, RTT);
        after[i] = bare.cwnd;
    }
    assert_near(after[1], after[0], 0.001); /* the same curve goes on */
    bare.cwnd = 5000;
    assert_int_equal(tcp_cc_cubic.undo_cwnd(&bare), 5000);
}

TEST(rfc9438_15_slow_start_used)
{
    bare_start(&tcp_cc_cubic, 10, RTT);
    bare.ssthresh = 100; /* not the first slow start: HyStart++ is not in the way */
    for (uint32_t i = 0; i < 90; i++) {
        assert_int_equal(bare.cwnd, 10 + i);
        ack_limited(1, RTT);
    }
    assert_int_equal(bare.cwnd, 100);
    for (int i = 0; i < 50; i++)
        ack_limited(1, RTT);
    assert_in_range(bare.cwnd, 100, 101);
}

TEST(rfc9438_16_hystart_exit_state)
{
    bare_start(&tcp_cc_cubic, 1000, RTT);
    bare.ssthresh = bare.cwnd; /* as HyStart++ leaves it */
    ack_limited(1, RTT);
    busy(5 * SEC, RTT);
    assert_near(bare.cwnd, 1000 + 0.4 * 125, 0.01); /* K = 0 */
    /* Wmax = cwnd_prior = 1000: fast convergence at once below it */
    loss(900);
    ack_limited(1, RTT);
    busy(7100 * MS, RTT);
    assert_near(bare.cwnd, 765, 0.01);
}

TEST(rfc9438_17_ack_clocked)
{
    uint32_t cwnd;

    assert_int_equal(stack_tunable_set(fx.st, "tcp_congestion_control", "cubic"), 0);
    fx.rtt = 50 * MS;
    passive();
    tp->ssthresh = 10;
    assert_int_equal(w(40 * MSS), 40 * MSS);
    cwnd = tp->cwnd;
    advance(100 * MS); /* neither time */
    assert_int_equal(tp->cwnd, cwnd);
    peer(ACK, 1, 1, 0, .win = 60000); /* nor an ACK of nothing */
    peer(PSH | ACK, 1, 1, 100);
    assert_int_equal(tp->cwnd, cwnd);
    for (uint32_t i = 1; i <= 30; i++)
        peer(ACK, 101, 1 + i * MSS, 0);
    assert_true(tp->cwnd > cwnd);
    clear();
}

/* Round trips of 40 and 120 ms at one bottleneck of 100 Mbit/s; the share of the slower in
 * thousandths. */
static uint32_t share_of_the_slow(const char *algorithm)
{
    static struct flows_result result;
    struct link_config wire = {.rate_bps = 100000000, .delay_us = 20000, .queue_bytes = 400000};
    struct flows_config config = {.forward = wire,
                                  .back = wire,
                                  .n = 2,
                                  .algorithm = {algorithm, algorithm},
                                  .far_us = 80000,
                                  .warm_us = 20 * SEC,
                                  .measure_us = 60 * SEC,
                                  .seed = 5};

    flows_run(&config, &result);
    assert_string_equal(result.failure, "");
    return (uint32_t)(result.bytes[1] * 1000 / (result.bytes[0] + result.bytes[1]));
}

TEST(rfc9438_18_rtt_independence)
{
    uint32_t cubic = share_of_the_slow("cubic"), reno = share_of_the_slow("reno");

    assert_true(cubic > reno);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(rfc9438_01_w_cubic),
        T(rfc9438_02_beta),
        T(rfc9438_03_target_clamp),
        T(rfc9438_04_per_ack_increment),
        T(rfc9438_05_app_limited_time),
        T(rfc9438_06_reno_friendly),
        T(rfc9438_07_w_est_growth),
        T(rfc9438_08_alpha_one),
        T(rfc9438_09_loss_reduction),
        T(rfc9438_10_ssthresh_flight),
        T(rfc9438_11_ecn_reduction_floor),
        T(rfc9438_12_fast_convergence),
        T(rfc9438_13_timeout),
        T(rfc9438_14_spurious_undo),
        T(rfc9438_15_slow_start_used),
        T(rfc9438_16_hystart_exit_state),
        T(rfc9438_17_ack_clocked),
        T(rfc9438_18_rtt_independence),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
