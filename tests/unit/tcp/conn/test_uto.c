/* SPDX-License-Identifier: MIT */
/* The user timeout option: values on the wire and the timeout that follows from them (RFC 5482). */
#include "tests/unit/tcp/fixture.h"

static uint16_t advertised(uint32_t ms)
{
    tp->user_timeout_ms = ms;
    return uto_advertise(tp);
}

TEST(seconds_up_to_15_bits_then_minutes_rounded_up)
{
    passive();
    tun.uto = 1;
    assert_int_equal(advertised(1), 1);
    assert_int_equal(advertised(1000), 1);
    assert_int_equal(advertised(1001), 2);
    assert_int_equal(advertised(32767000), 32767);
    assert_int_equal(advertised(32767001), 0x8000 | 547);
    assert_int_equal(advertised(32820000), 0x8000 | 547);
    assert_int_equal(advertised(32820001), 0x8000 | 548);
    assert_int_equal(advertised(INT32_MAX), 0xffff); /* 35792 minutes, but for the 15 bits */
    tun.uto_adv = 1966020;
    assert_int_equal(advertised(0), 0xffff);
}

TEST(without_the_tunable_nothing_is_sent_or_taken)
{
    passive();
    assert_int_equal(uto_advertise(tp), 0);
    uto_schedule(tp);
    assert_false(tp->uto_pending);
    uto_received(tp, 500);
    assert_int_equal(uto_effective_ms(tp), 0);
}

TEST(the_adopted_timeout_keeps_its_limits)
{
    passive();
    tun.uto = 1;
    uto_received(tp, 0);
    uto_received(tp, 0x8000);
    assert_int_equal(uto_effective_ms(tp), 0);
    uto_received(tp, 1);
    assert_int_equal(uto_effective_ms(tp), 300000); /* ours */
    uto_received(tp, 0x8000 | 10);
    assert_int_equal(uto_effective_ms(tp), 600000);
    uto_received(tp, 0xffff);
    assert_int_equal(uto_effective_ms(tp), 3600000);
    tun.uto_adv = 1;
    uto_received(tp, 1);
    assert_int_equal(uto_effective_ms(tp), 100000);
}

TEST(the_program_s_own_choice_wins)
{
    passive();
    tun.uto = 1;
    uto_received(tp, 500);
    assert_int_equal(set_int(IPPROTO_TCP, TCP_USER_TIMEOUT, 7000), 0);
    assert_int_equal(uto_effective_ms(tp), 7000);
    assert_int_equal(set_int(IPPROTO_TCP, TCP_USER_TIMEOUT, 0), 0);
    assert_int_equal(uto_effective_ms(tp), 500000);
}

/* A full segment has no room for four more bytes: the option goes ahead of it. */
TEST(the_option_never_makes_a_segment_too_long)
{
    tun.uto = 1;
    passive();
    assert_int_equal(w(1445), 1445);
    assert_int_equal(expect(ACK, 1, 1, 0)->opt_len, 16);
    assert_int_equal(expect(PSH | ACK, 1, 1, 1445)->opt_len, 12);
    peer(ACK, 1, 1446, 0);
    uto_schedule(tp);
    assert_int_equal(w(1444), 1444);
    assert_int_equal(expect(PSH | ACK, 1446, 1, 1444)->opt_len, 16);
    assert_int_equal(w(10), 10);
    peer(ACK, 1, 2890, 0);
    assert_int_equal(expect(PSH | ACK, 2890, 1, 10)->opt_len, 12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(seconds_up_to_15_bits_then_minutes_rounded_up),
        T(without_the_tunable_nothing_is_sent_or_taken),
        T(the_adopted_timeout_keeps_its_limits),
        T(the_program_s_own_choice_wins),
        T(the_option_never_makes_a_segment_too_long),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
