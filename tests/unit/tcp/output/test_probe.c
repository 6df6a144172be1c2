/* SPDX-License-Identifier: MIT */
/* Zero windows: when probes go out, what they look like, when they stop (RFC 9293 §3.8.6.1). */
#include "tests/unit/tcp/fixture.h"

/* The peer takes 10 bytes and closes its window; 1000 bytes wait. */
static void closed_window(void)
{
    passive();
    assert_int_equal(w(10), 10);
    expect(PSH | ACK, 1, 1, 10);
    peer(ACK, 1, 11, 0, .win = -1);
    assert_int_equal(w(1000), 1000);
    expect_none();
    assert_true(stops(rwnd) > 0);
}

TEST(probes_double_from_the_rto_and_are_empty_below_snd_una)
{
    uint64_t at, wait;

    closed_window();
    at = fx.now;
    wait = tp->rto;
    assert_in_range(wait, 200 * MS, 201 * MS);
    for (int i = 0; i < 6; i++) {
        advance(at + wait - fx.now - 1);
        expect_none();
        advance(1);
        /* seq = una - 1, no byte */
        expect(ACK, 10, 1, 0);
        at = fx.now;
        wait *= 2;
        peer(ACK, 1, 11, 0, .win = -1);
        expect_none();
    }
    assert_int_equal(cnt(tcp_out_probes), 6);
}

TEST(the_interval_is_at_most_two_minutes)
{
    closed_window();
    for (int i = 0; i < 14; i++) {
        advance(120 * SEC);
        clear();
        peer(ACK, 1, 11, 0, .win = -1);
    }
    assert_state(ESTABLISHED);
    assert_in_range(tp->deadline[TCP_TIMER_persist] - fx.now, 1, 120 * SEC);
}

TEST(the_window_opens_and_everything_goes)
{
    closed_window();
    advance(10 * SEC);
    clear();
    peer(ACK, 1, 11, 0);
    expect(PSH | ACK, 11, 1, 1000);
    assert_int_equal(tp->backoff, 0);
    assert_false(tcp_timer_pending(tp, TCP_TIMER_persist));
}

TEST(a_small_window_gets_what_fits_when_the_timer_fires)
{
    fx.c->wscale = -1;
    passive();
    assert_int_equal(w(10), 10);
    peer(ACK, 1, 11, 0, .win = -1);
    clear();
    assert_int_equal(w(1000), 1000);
    peer(ACK, 1, 11, 0, .win = 100);
    expect_none(); /* sender's silly window avoidance */
    advance(SEC);
    expect(PSH | ACK, 11, 1, 100);
}

TEST(a_peer_that_answers_probes_is_probed_for_ever)
{
    closed_window();
    for (int i = 0; i < 40; i++) {
        advance(120 * SEC);
        clear();
        peer(ACK, 1, 11, 0, .win = -1);
    }
    assert_state(ESTABLISHED);
}

TEST(a_peer_that_does_not_is_given_up_after_15)
{
    closed_window();
    advance(3600 * SEC);
    assert_int_equal(clear(), 15);
    assert_state(CLOSED);
    assert_int_equal(sock_error(fx.s, true), ETIMEDOUT);
}

TEST(user_timeout_ends_probing_earlier)
{
    passive();
    assert_int_equal(set_int(IPPROTO_TCP, TCP_USER_TIMEOUT, 3000), 0);
    assert_int_equal(w(10), 10);
    peer(ACK, 1, 11, 0, .win = -1);
    assert_int_equal(w(1000), 1000);
    advance(2 * SEC);
    assert_state(ESTABLISHED);
    advance(5 * SEC);
    assert_state(CLOSED);
}

TEST(a_window_shrunk_below_the_flight_is_survived_and_probed)
{
    passive();
    assert_int_equal(w(14480), 14480);
    assert_int_equal(take_bytes(), 14480);
    peer(ACK, 1, 1449, 0, .win = 11); /* 1408 bytes: less than is out */
    expect_none();
    peer(ACK, 1, 1449, 0, .win = -1);
    expect_none();
    /* the retransmission of the head is the probe */
    advance(300 * MS);
    expect(ACK, 1449, 1, 1448);
    peer(ACK, 1, 14481, 0);
    expect_none();
    assert_int_equal(w(10), 10);
    expect(PSH | ACK, 14481, 1, 10);
}

TEST(answers_to_the_retransmission_into_a_closed_window_are_no_duplicate_acks)
{
    passive();
    assert_int_equal(w(2896), 2896);
    clear();
    peer(ACK, 1, 1, 0, .win = -1);
    for (int i = 0; i < 5; i++) {
        advance(60 * SEC);
        clear();
        peer(ACK, 1, 1, 0, .win = -1);
    }
    assert_int_equal(cnt(tcp_recoveries), 0);
    assert_int_equal(cnt(tcp_in_dup_acks), 0);
    assert_state(ESTABLISHED);
}

TEST(the_window_edge_may_wrap)
{
    passive();
    /* as if 4 GiB less a little had been sent */
    tp->iss += 0xffffff00u - tp->snd_una;
    fx.c->iss = tp->iss - 1 + 1;
    tp->snd_una = tp->snd_nxt = tp->write_seq = tp->pushed_seq = tp->snd_sml = tp->snd_up =
        0xffffff00u;
    fx.c->iss = 0xffffff00u - 1;
    assert_int_equal(w(1000), 1000);
    expect(PSH | ACK, 1, 1, 1000);
    peer(ACK, 1, 1001, 0);
    assert_int_equal(tp->snd_una, 0xffffff00u + 1000);
    assert_int_equal(w(10), 10);
    expect(PSH | ACK, 1001, 1, 10);
}

/* Memory that never comes must not hold a connection for ever. */
TEST(a_probe_that_finds_no_memory_counts_as_unanswered)
{
    fx.st->tcp.segment_pool.per_slab = 1;
    passive();
    peer(ACK, 1, 1, 0, .win = -1);
    assert_int_equal(w(3000), 3000);
    fx.fail_all = true;
    peer(ACK, 1, 1, 0, .win = 8); /* less than a segment: one must be cut */
    advance(100 * SEC);
    expect_none();
    advance(2000 * SEC);
    clear();
    fx.fail_all = false;
    assert_state(CLOSED);
    assert_int_equal(sock_error(fx.s, true), ETIMEDOUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(probes_double_from_the_rto_and_are_empty_below_snd_una),
        T(the_interval_is_at_most_two_minutes),
        T(the_window_opens_and_everything_goes),
        T(a_small_window_gets_what_fits_when_the_timer_fires),
        T(a_peer_that_answers_probes_is_probed_for_ever),
        T(a_peer_that_does_not_is_given_up_after_15),
        T(user_timeout_ends_probing_earlier),
        T(a_window_shrunk_below_the_flight_is_survived_and_probed),
        T(answers_to_the_retransmission_into_a_closed_window_are_no_duplicate_acks),
        T(the_window_edge_may_wrap),
        T(a_probe_that_finds_no_memory_counts_as_unanswered),
    };

    return cmocka_run_group_tests_name("probe", tests, NULL, NULL);
}
