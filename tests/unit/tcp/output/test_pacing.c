/* SPDX-License-Identifier: MIT */
/* Pacing: when the rate is enforced, and how departures follow from it. */
#include "tests/unit/tcp/fixture.h"

static void set_rate(uint64_t rate)
{
    assert_int_equal(
        sock_setsockopt(fx.s, SOL_SOCKET, SO_MAX_PACING_RATE, &rate, sizeof(rate), fx.now), 0);
}

/* Established, the free packets used up, nothing in flight. */
static void paced(uint64_t rate)
{
    passive();
    bulk(100000);
    set_rate(rate);
    tp->pacing_until = 0;
    tp->pacing_ns = 0;
}

TEST(without_a_wish_it_is_not_enforced)
{
    passive();
    bulk(100000);
    tp->pacing_rate = 1000;
    tcp_pacing_advance(tp, 1448);
    assert_false(tcp_pacing_check(tp));
    assert_int_equal(tp->deadline[TCP_TIMER_pacing], 0);
}

TEST(an_algorithm_that_paces_enforces_its_own_rate)
{
    passive();
    bulk(100000);
    assert_int_equal(sock_setsockopt(fx.s, IPPROTO_TCP, TCP_CONGESTION, "bbr", 3, fx.now), 0);
    tp->pacing_until = tp->st->now;
    tp->pacing_rate = 1448000;
    tcp_pacing_advance(tp, 1448);
    assert_true(tcp_pacing_check(tp));
    assert_int_equal(tp->pacing_until, tp->st->now + 1000);
}

TEST(departures_are_as_far_apart_as_the_bytes_take)
{
    uint64_t start;

    paced(1000000);
    tp->pacing_until = start = fx.now;
    tcp_pacing_advance(tp, 1448);
    assert_int_equal(tp->pacing_until, start + 1448);
    assert_true(tcp_pacing_check(tp));
    assert_int_equal(tp->deadline[TCP_TIMER_pacing], start + 1448);
    tcp_pacing_advance(tp, 500);
    assert_int_equal(tp->pacing_until, start + 1948);
}

TEST(fractions_of_a_microsecond_add_up)
{
    uint64_t start;

    /* 100 bytes at 3 GB/s: 33.3 ns */
    paced(3000000000);
    tp->pacing_rate = 3000000000;
    tp->pacing_until = start = fx.now;
    for (int i = 0; i < 100000; i++)
        tcp_pacing_advance(tp, 100);
    assert_in_range(tp->pacing_until - start, 3300, 3334);
}

TEST(lateness_is_forgiven_up_to_half_of_a_burst)
{
    paced(1000000);
    tp->pacing_until = fx.now - 300;
    tcp_pacing_advance(tp, 1000);
    assert_int_equal(tp->pacing_until, fx.now + 700);
    tp->pacing_until = fx.now - 500;
    tcp_pacing_advance(tp, 1000);
    assert_int_equal(tp->pacing_until, fx.now + 500);
    tp->pacing_until = fx.now - 100 * SEC;
    tcp_pacing_advance(tp, 1000);
    assert_int_equal(tp->pacing_until, fx.now + 500);
}

TEST(the_first_ten_packets_are_free)
{
    passive();
    set_rate(14480);
    assert_int_equal(w(30 * 1448), 30 * 1448);
    assert_int_equal(take_bytes(), 14480);
    peer(ACK, 1, 14481, 0);
    expect_none();
    advance(499 * MS);
    expect_none();
    advance(2 * MS);
    assert_true(take_bytes() > 0);
}

TEST(a_transfer_has_the_rate_that_was_asked_for)
{
    uint64_t start, bytes = 0;

    fx.rtt = 1 * MS;
    paced(1000000);
    assert_int_equal(set_int(SOL_SOCKET, SO_SNDBUF, 4000000), 0);
    assert_true(w(2000000) > 1000000);
    start = fx.now;
    while (fx.now - start < SEC) {
        bytes += take_bytes();
        peer(ACK, 1, tp->snd_nxt - tp->iss, 0);
        advance(1 * MS);
    }
    /* a burst more, because the first one leaves at once */
    assert_in_range(bytes, 980000, 1000000 + 65160);
}

TEST(retransmissions_take_their_time_too)
{
    paced(1448000);
    assert_int_equal(w(1448), 1448);
    clear();
    advance(tp->rto + 1000);
    assert_true(fx.n_segs > fx.next);
    assert_true(tp->pacing_until > take()->at);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(without_a_wish_it_is_not_enforced),
        T(an_algorithm_that_paces_enforces_its_own_rate),
        T(departures_are_as_far_apart_as_the_bytes_take),
        T(fractions_of_a_microsecond_add_up),
        T(lateness_is_forgiven_up_to_half_of_a_burst),
        T(the_first_ten_packets_are_free),
        T(a_transfer_has_the_rate_that_was_asked_for),
        T(retransmissions_take_their_time_too),
    };

    return cmocka_run_group_tests_name("pacing", tests, NULL, NULL);
}
