/* SPDX-License-Identifier: MIT */
/* The tests that hold small segments back, one by one (RFC 896; linux-sender §4, §5). */
#include "tests/unit/tcp/fixture.h"

static bool passes(uint32_t len, uint8_t seg_flags, uint8_t nonagle, enum tcp_stop *why)
{
    struct segment seg = {.seq = tp->snd_nxt, .end_seq = tp->snd_nxt + len, .flags = seg_flags};

    if (seg_flags & SEG_FIN)
        seg.end_seq++;
    return tcp_nagle_test(tp, &seg, 1448, nonagle, why);
}

/* One small segment is unacknowledged. */
static void small_one_out(void)
{
    passive();
    assert_int_equal(w(10), 10);
    clear();
}

TEST(what_nagle_holds_and_what_passes)
{
    enum tcp_stop why;

    small_one_out();
    assert_false(passes(10, 0, 0, &why));
    assert_int_equal(why, TCP_STOP_nagle);
    assert_true(passes(1448, 0, 0, &why));
    assert_true(passes(10, SEG_FIN, 0, &why));
    assert_true(passes(10, 0, TCP_NAGLE_OFF, &why));
    assert_true(passes(10, 0, TCP_NAGLE_PUSH, &why));
}

TEST(what_a_cork_holds_and_what_passes)
{
    enum tcp_stop why;

    passive();
    assert_false(passes(10, 0, TCP_NAGLE_CORK, &why));
    assert_int_equal(why, TCP_STOP_cork);
    assert_false(passes(10, 0, TCP_NAGLE_CORK | TCP_NAGLE_OFF, &why));
    assert_true(passes(1448, 0, TCP_NAGLE_CORK, &why));
    assert_true(passes(10, SEG_FIN, TCP_NAGLE_CORK, &why));
    assert_true(passes(10, 0, TCP_NAGLE_CORK | TCP_NAGLE_PUSH, &why));
}

TEST(nothing_out_nothing_held)
{
    enum tcp_stop why;

    passive();
    assert_true(passes(10, 0, 0, &why));
}

TEST(bursts_last_a_millisecond_but_are_at_least_two_segments)
{
    passive();
    tp->min_rtt_us = 100 * MS;
    tp->pacing_rate = 1000;
    assert_int_equal(tcp_tso_autosize(tp, 1448), 2);
    tp->pacing_rate = 10240ull * 1448;
    assert_int_equal(tcp_tso_autosize(tp, 1448), 10);
    tp->pacing_rate = UINT64_MAX;
    assert_int_equal(tcp_tso_autosize(tp, 1448), 45);
}

TEST(a_short_round_trip_gets_a_bonus)
{
    passive();
    tp->pacing_rate = 0;
    tp->min_rtt_us = 100;
    assert_int_equal(tcp_tso_autosize(tp, 1448), 45);
    tp->min_rtt_us = 1024; /* two halvings */
    assert_int_equal(tcp_tso_autosize(tp, 1448), 65535 / 4 / 1448);
}

TEST(autocork_only_with_earlier_data_in_the_device)
{
    struct segment seg = {.seq = 1000, .end_seq = 1100};

    small_one_out();
    tp->device_queued = 0;
    assert_false(tcp_should_autocork(tp, &seg, 65160));
    tp->device_queued = 101;
    assert_true(tcp_should_autocork(tp, &seg, 65160));
    assert_false(tcp_should_autocork(tp, &seg, 100));
    seg.flags = SEG_EOR;
    assert_false(tcp_should_autocork(tp, &seg, 65160));
    seg.flags = 0;
    tun.autocorking = 0;
    assert_false(tcp_should_autocork(tp, &seg, 65160));
}

TEST(uncorking_meets_plain_nagle)
{
    small_one_out();
    set_int(IPPROTO_TCP, TCP_CORK, 1);
    assert_int_equal(w(10), 10);
    set_int(IPPROTO_TCP, TCP_CORK, 0);
    expect_none();
    peer(ACK, 1, 11, 0);
    expect(PSH | ACK, 11, 1, 10);
}

TEST(uncorking_with_nodelay_pushes)
{
    small_one_out();
    set_int(IPPROTO_TCP, TCP_CORK, 1);
    set_int(IPPROTO_TCP, TCP_NODELAY, 1);
    assert_int_equal(w(10), 10);
    expect_none();
    set_int(IPPROTO_TCP, TCP_CORK, 0);
    expect(PSH | ACK, 11, 1, 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(what_nagle_holds_and_what_passes),
        T(what_a_cork_holds_and_what_passes),
        T(nothing_out_nothing_held),
        T(bursts_last_a_millisecond_but_are_at_least_two_segments),
        T(a_short_round_trip_gets_a_bonus),
        T(autocork_only_with_earlier_data_in_the_device),
        T(uncorking_meets_plain_nagle),
        T(uncorking_with_nodelay_pushes),
    };

    return cmocka_run_group_tests_name("nagle", tests, NULL, NULL);
}
