/* SPDX-License-Identifier: MIT */
/* RFC 9406: HyStart++, as cubic uses it; by the RFC's letter: tcp_hystart 1 and
 * tcp_hystart_limit 8. The defaults leave slow start sooner and, as Linux, count on ACKs that come
 * in time. */
#include "tests/unit/tcp/cc/bare.h"

#define MSS   1448u
#define ROUND 40u

static void begin(void)
{
    tun.hystart = 1;
    tun.hystart_limit = 8;
    bare_start(&tcp_cc_cubic, 10, 100 * MS);
    bare.snd_nxt = bare.snd_una + ROUND * MSS;
}

/* n ACKs of a round, one packet each. */
static void acks(unsigned n, int64_t rtt_us)
{
    while (n--)
        ack_limited(1, rtt_us);
}

/* A round: before its last ACK all of the next one is sent. Returns the growth. */
static uint32_t round_of(int64_t rtt_us)
{
    uint32_t before = bare.cwnd;

    acks(ROUND - 1, rtt_us);
    bare.snd_nxt += ROUND * MSS;
    acks(1, rtt_us);
    return bare.cwnd - before;
}

/* Full growth until the eighth sample shows the delay, then a quarter. */
#define GROWTH_AT_DELAY (7 + 33 / 4)

static bool leaves_slow_start(int64_t last_ms, int64_t now_us)
{
    begin();
    round_of(last_ms * (int64_t)MS);
    return round_of(now_us) == GROWTH_AT_DELAY;
}

TEST(rfc9406_01_rounds)
{
    begin();
    round_of(100 * MS);
    /* the marker is what was SND.NXT: twenty slow samples before it are not held against
     * themselves, the next round's are */
    acks(ROUND - 1, 100 * MS);
    bare.snd_nxt += 3 * ROUND * MSS; /* the next round is a long one */
    acks(1, 100 * MS);
    assert_int_equal(round_of(120 * MS), GROWTH_AT_DELAY);
    /* three times as many ACKs, and two of ROUND more, before another round counts */
    acks(ROUND, 110 * MS);
    assert_int_equal(bare.ssthresh, TCP_INIT_SSTHRESH);
}

TEST(rfc9406_02_samples)
{
    uint32_t before;

    begin();
    round_of(100 * MS);
    before = bare.cwnd;
    acks(7, 200 * MS);
    acks(20, -1); /* ACKs without a sample (Karn) */
    assert_int_equal(bare.cwnd, before + 27);
    acks(1, 200 * MS); /* the eighth */
    before = bare.cwnd;
    acks(4, -1);
    assert_in_range(bare.cwnd, before, before + 1);
}

TEST(rfc9406_03_threshold)
{
    assert_false(leaves_slow_start(100, 112499)); /* an eighth */
    assert_true(leaves_slow_start(100, 112500));
    assert_false(leaves_slow_start(10, 13999)); /* 4 ms at least */
    assert_true(leaves_slow_start(10, 14000));
    assert_false(leaves_slow_start(300, 315999)); /* 16 ms at most */
    assert_true(leaves_slow_start(300, 316000));
}

TEST(rfc9406_04_css_growth)
{
    assert_true(leaves_slow_start(100, 120 * MS));
    assert_int_equal(round_of(120 * MS), ROUND / 4);
    assert_int_equal(round_of(120 * MS), ROUND / 4);
}

TEST(rfc9406_05_css_resume)
{
    assert_true(leaves_slow_start(100, 120 * MS));
    assert_int_equal(round_of(120 * MS), ROUND / 4);
    assert_in_range(round_of(119 * MS), 33 + 1, 33 + 2); /* from the eighth sample on */
    assert_int_equal(round_of(119 * MS), ROUND);
    /* and again, measured against a new last round */
    assert_int_equal(round_of(140 * MS), GROWTH_AT_DELAY);
}

TEST(rfc9406_06_css_end)
{
    assert_true(leaves_slow_start(100, 120 * MS)); /* a part of a round is one */
    for (int i = 2; i <= 5; i++) {
        assert_int_equal(bare.ssthresh, TCP_INIT_SSTHRESH);
        round_of(120 * MS);
    }
    assert_int_equal(bare.ssthresh, bare.cwnd);
}

TEST(rfc9406_07_loss_or_ecn_exits)
{
    for (int i = 0; i < 4; i++) {
        begin();
        round_of(100 * MS);
        if (i % 2)
            round_of(120 * MS); /* in conservative slow start */
        bare.ssthresh = i < 2 ? tcp_cc_cubic.ssthresh(&bare) : tcp_cc_cubic.ecn_ssthresh(&bare);
        bare.cwnd = bare.ssthresh;
        assert_true(bare.ssthresh < 100);
        assert_in_range(round_of(100 * MS), 0, 3);
        assert_false(tcp_in_slow_start(&bare));
    }
}

TEST(rfc9406_08_divisor_at_least_2)
{
    assert_int_equal(stack_tunable_set(fx.st, "tcp_hystart_css_divisor", "1"), -ERANGE);
    assert_int_equal(stack_tunable_set(fx.st, "tcp_hystart_css_divisor", "0"), -ERANGE);
    assert_int_equal(tun.hystart_css_divisor, 4);
    assert_int_equal(stack_tunable_set(fx.st, "tcp_hystart_css_divisor", "2"), 0);
    begin();
    round_of(100 * MS);
    round_of(120 * MS);
    assert_int_equal(round_of(120 * MS), ROUND / 2);
}

TEST(rfc9406_09_initial_only)
{
    begin();
    round_of(100 * MS);
    bare.ssthresh = tcp_cc_cubic.ssthresh(&bare);
    tcp_cc_cubic.set_state(&bare, CA_LOSS);
    bare.cwnd = 1;
    bare.ssthresh = 1000;
    for (int i = 1; i < 10; i++)
        assert_int_equal(round_of(i * 100 * (int64_t)MS), ROUND);
    /* nor where the threshold is known from the start */
    tun.hystart = 1;
    bare_start(&tcp_cc_cubic, 10, 100 * MS);
    bare.ssthresh = 1000;
    tcp_cc_start(&bare);
    bare.snd_nxt = bare.snd_una + ROUND * MSS;
    for (int i = 1; i < 10; i++)
        assert_int_equal(round_of(i * 100 * (int64_t)MS), ROUND);
}

TEST(rfc9406_10_limit_l)
{
    begin();
    ack_limited(30, 100 * MS);
    assert_int_equal(bare.cwnd, 18);
    ack_limited(8, 100 * MS);
    assert_int_equal(bare.cwnd, 26);
    bare.max_pacing_rate = 125000000; /* paced */
    ack_limited(30, 100 * MS);
    assert_int_equal(bare.cwnd, 56);
}

TEST(rfc9406_11_stable_rtt_negative)
{
    begin();
    for (int i = 0; i < 200; i++)
        assert_int_equal(round_of(100 * MS), ROUND);
    /* nor noise below the threshold */
    for (int i = 0; i < 200; i++)
        assert_int_equal(round_of((100 + i % 2 * 12) * (int64_t)MS), ROUND);
    assert_int_equal(bare.ssthresh, TCP_INIT_SSTHRESH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(rfc9406_01_rounds),
        T(rfc9406_02_samples),
        T(rfc9406_03_threshold),
        T(rfc9406_04_css_growth),
        T(rfc9406_05_css_resume),
        T(rfc9406_06_css_end),
        T(rfc9406_07_loss_or_ecn_exits),
        T(rfc9406_08_divisor_at_least_2),
        T(rfc9406_09_initial_only),
        T(rfc9406_10_limit_l),
        T(rfc9406_11_stable_rtt_negative),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
