/* SPDX-License-Identifier: MIT */
/* HyStart++ (RFC 9406), as cubic uses it. */
#include "tests/unit/tcp/cc/bare.h"

#define ROUND 40 /**< packets in flight, whatever the window: a round has as many ACKs */

static void begin(void)
{
    if (tun.hystart)
        tun.hystart = 1; /* the RFC's letter */
    bare_start(&tcp_cc_cubic, 10, 100 * MS);
    bare.snd_nxt = bare.snd_una + ROUND * 1448;
}

/* The i-th ACK of a round; before the last one all of the next round has been sent. */
static void ack_of_round(unsigned i, int64_t rtt_us)
{
    if (i == ROUND - 1)
        bare.snd_nxt += ROUND * 1448;
    ack_limited(1, rtt_us);
}

static uint32_t growth_of_round(int64_t rtt_us)
{
    uint32_t before = bare.cwnd;

    for (unsigned i = 0; i < ROUND; i++)
        ack_of_round(i, rtt_us);
    return bare.cwnd - before;
}

/* The growth of the round after one of 100 ms (or `base`). */
static uint32_t growth_after(int64_t base, int64_t rtt_us)
{
    begin();
    assert_int_equal(growth_of_round(base), ROUND);
    return growth_of_round(rtt_us);
}

/* Seven at full growth before the eighth decides, then a quarter. */
#define FIRST_CSS (7 + 33 / 4)

TEST(constant_round_trips_never_end_slow_start)
{
    begin();
    for (int i = 0; i < 100; i++)
        assert_int_equal(growth_of_round(100 * MS), ROUND);
    assert_int_equal(bare.ssthresh, TCP_INIT_SSTHRESH);
}

TEST(a_grown_delay_quarters_the_growth_and_five_rounds_end_it)
{
    assert_int_equal(growth_after(100 * MS, 113 * MS), FIRST_CSS);
    for (int i = 0; i < 3; i++)
        assert_in_range(growth_of_round(113 * MS), 10, 11);
    assert_int_equal(bare.ssthresh, TCP_INIT_SSTHRESH);
    growth_of_round(113 * MS);
    assert_int_equal(bare.ssthresh, bare.cwnd);
    assert_false(tcp_in_slow_start(&bare));
}

TEST(a_round_that_is_all_slow_ends_slow_start_at_once)
{
    begin();
    assert_int_equal(stack_tunable_set(fx.st, "tcp_hystart", "2"), 0);
    assert_int_equal(growth_of_round(100 * MS), ROUND);
    assert_int_equal(growth_of_round(124999), FIRST_CSS); /* twice the threshold is 25 ms */
    assert_int_equal(bare.ssthresh, TCP_INIT_SSTHRESH);
    for (unsigned i = 0; i < 8; i++)
        ack_of_round(i, 125 * MS);
    assert_int_equal(bare.ssthresh, bare.cwnd);
}

/* ACKs of two packets each, `gap` apart, until growth slows down or `n` are over. Returns how many.
 */
static unsigned train(unsigned n, uint64_t gap)
{
    unsigned i;

    for (i = 0; i < n; i++) {
        uint32_t before = bare.cwnd;

        pass(gap);
        ack_limited(2, 100 * MS);
        if (bare.cwnd - before < 2)
            break;
    }
    return i;
}

TEST(a_train_of_acks_over_half_a_round_trip_ends_slow_start)
{
    begin();
    tun.hystart = 2;
    bare.cwnd = 20;
    bare.snd_nxt = bare.snd_una + 1000 * 1448;
    assert_int_equal(train(100, MS), 51); /* the one after 50 ms */
    assert_in_range(bare.ssthresh, bare.cwnd - 1, bare.cwnd);
    begin();
    tun.hystart = 2;
    bare.cwnd = 20;
    bare.max_pacing_rate = 100000000;
    bare.snd_nxt = bare.snd_una + 1000 * 1448;
    assert_int_equal(train(150, MS), 101); /* paced: a whole one */
}

TEST(the_pause_between_two_rounds_is_no_gap_of_a_train)
{
    begin();
    tun.hystart = 2;
    bare.cwnd = 20;
    assert_int_equal(train(ROUND / 2, MS), ROUND / 2); /* the last of them ends the round */
    bare.snd_nxt = bare.snd_una + 1000 * 1448;
    pass(60 * MS);
    assert_int_equal(train(100, MS), 52);
}

TEST(acks_with_gaps_are_no_train)
{
    begin();
    tun.hystart = 2;
    bare.cwnd = 20;
    bare.snd_nxt = bare.snd_una + 1000 * 1448;
    assert_int_equal(train(60, 2001), 60);
    begin(); /* the letter of the RFC knows no trains */
    bare.cwnd = 20;
    bare.snd_nxt = bare.snd_una + 1000 * 1448;
    assert_int_equal(train(100, MS), 100);
}

TEST(less_than_the_threshold_is_noise)
{
    /* an eighth of the last round, 4 ms at least, 16 ms at most */
    assert_int_equal(growth_after(100 * MS, 112499), ROUND);
    assert_int_equal(growth_after(100 * MS, 112500), FIRST_CSS);
    assert_int_equal(growth_after(400 * MS, 415999), ROUND);
    assert_int_equal(growth_after(400 * MS, 416 * MS), FIRST_CSS);
    assert_int_equal(growth_after(1 * MS, 4999), ROUND);
    assert_int_equal(growth_after(1 * MS, 5 * MS), FIRST_CSS);
}

TEST(seven_samples_decide_nothing)
{
    uint32_t before;

    begin();
    growth_of_round(100 * MS);
    before = bare.cwnd;
    for (unsigned i = 0; i < ROUND; i++)
        ack_of_round(i, i < 7 ? 200 * (int64_t)MS : -1);
    assert_int_equal(bare.cwnd - before, ROUND);
    /* nor eight of which one is as short as before */
    begin();
    growth_of_round(100 * MS);
    before = bare.cwnd;
    for (unsigned i = 0; i < ROUND; i++)
        ack_of_round(i, i ? 200 * (int64_t)MS : 100 * (int64_t)MS);
    assert_int_equal(bare.cwnd - before, ROUND);
}

TEST(a_round_trip_below_the_baseline_resumes_slow_start)
{
    assert_int_equal(growth_after(100 * MS, 120 * MS), FIRST_CSS);
    assert_in_range(growth_of_round(120 * MS), 10, 11);
    /* the eighth sample decides again */
    assert_in_range(growth_of_round(119 * MS), 33 + 1, 33 + 2);
    assert_int_equal(growth_of_round(119 * MS), ROUND);
    assert_int_equal(bare.ssthresh, TCP_INIT_SSTHRESH);
}

TEST(a_loss_ends_it_for_good)
{
    begin();
    growth_of_round(100 * MS);
    bare.ssthresh = tcp_cc_cubic.ssthresh(&bare);
    tcp_cc_cubic.set_state(&bare, CA_LOSS);
    bare.cwnd = 1;
    bare.ssthresh = 1000;
    /* a later slow start is plain, and not limited */
    growth_of_round(100 * MS);
    assert_int_equal(growth_of_round(500 * MS), ROUND);
    ack_limited(30, 900 * MS);
    assert_int_equal(bare.cwnd, 1 + 2 * ROUND + 30);
}

TEST(a_loss_that_was_none_lets_it_go_on)
{
    begin();
    growth_of_round(100 * MS);
    bare.prior_ssthresh = TCP_INIT_SSTHRESH;
    bare.prior_cwnd = bare.cwnd;
    bare.ssthresh = bare.cc->ssthresh(&bare);
    bare.cwnd = bare.cc->undo_cwnd(&bare);
    bare.ssthresh = TCP_INIT_SSTHRESH;
    assert_int_equal(growth_of_round(100 * MS), ROUND);
    assert_int_equal(growth_of_round(113 * MS), FIRST_CSS);
}

TEST(an_ecn_mark_ends_it_too)
{
    begin();
    bare.ssthresh = tcp_cc_cubic.ecn_ssthresh(&bare);
    bare.ssthresh = 1000;
    growth_of_round(100 * MS);
    assert_int_equal(growth_of_round(200 * MS), ROUND);
}

TEST(one_ack_adds_eight_packets_at_most_unless_paced)
{
    tun.hystart_limit = 8;
    begin();
    ack_limited(20, 100 * MS);
    assert_int_equal(bare.cwnd, 18);
    bare.max_pacing_rate = 1000000000;
    ack_limited(20, 100 * MS);
    assert_int_equal(bare.cwnd, 38);
    tun.hystart_limit = 0;
    bare.max_pacing_rate = UINT64_MAX;
    ack_limited(20, 100 * MS);
    assert_int_equal(bare.cwnd, 58);
}

TEST(the_divisor_is_tunable)
{
    tun.hystart_css_divisor = 2;
    growth_after(100 * MS, 120 * MS);
    assert_in_range(growth_of_round(120 * MS), 20, 21);
}

TEST(it_can_be_switched_off)
{
    tun.hystart = 0;
    begin();
    for (int i = 1; i < 10; i++)
        assert_int_equal(growth_of_round(100 * (int64_t)MS * i), ROUND);
}

TEST(sequence_numbers_may_wrap)
{
    begin();
    bare.snd_una = UINT32_MAX - 60 * 1448;
    bare.snd_nxt = bare.snd_una + ROUND * 1448;
    assert_int_equal(growth_of_round(100 * MS), ROUND);
    assert_int_equal(growth_of_round(120 * MS), FIRST_CSS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(constant_round_trips_never_end_slow_start),
        T(a_grown_delay_quarters_the_growth_and_five_rounds_end_it),
        T(a_round_that_is_all_slow_ends_slow_start_at_once),
        T(a_train_of_acks_over_half_a_round_trip_ends_slow_start),
        T(the_pause_between_two_rounds_is_no_gap_of_a_train),
        T(acks_with_gaps_are_no_train),
        T(less_than_the_threshold_is_noise),
        T(seven_samples_decide_nothing),
        T(a_round_trip_below_the_baseline_resumes_slow_start),
        T(a_loss_ends_it_for_good),
        T(a_loss_that_was_none_lets_it_go_on),
        T(an_ecn_mark_ends_it_too),
        T(one_ack_adds_eight_packets_at_most_unless_paced),
        T(the_divisor_is_tunable),
        T(it_can_be_switched_off),
        T(sequence_numbers_may_wrap),
    };

    return cmocka_run_group_tests_name("hystart", tests, NULL, NULL);
}
