/* SPDX-License-Identifier: MIT */
/* RFC 9293 §3.4: initial sequence numbers as a peer sees them, and numbers that wrap. */
#include "tests/unit/tcp/fixture.h"

#define TICKS_PER_US                                                                               \
    15.625 /* our clock: 64 ns, as Linux's (the RFC asks for about 4 us or faster) */

/* The ISN of a connection between two ports, opened now and given up at once. */
static uint32_t isn(uint16_t our_port, unsigned conn)
{
    struct ip_endpoint local = fx_endpoint("10.0.0.1", our_port), to;
    struct sock *s = fx_socket();
    uint32_t seq;

    peer_use(conn);
    to = fx_peer_endpoint();
    assert_int_equal(sock_bind(s, &local, fx.now), 0);
    assert_int_equal(sock_connect(s, &to, fx.now), -EINPROGRESS);
    run();
    seq = take()->raw_seq;
    close_sock(&s);
    expect_none();
    return seq;
}

static void assert_ticks(uint32_t ticks, double us)
{
    assert_true((double)ticks >= us * TICKS_PER_US - 2 && (double)ticks <= us * TICKS_PER_US + 2);
}

/* One tuple, opened again and again: its ISN follows the clock; with tcp_isn_tick_ns 4000 the one
 * that the RFC names. */
TEST(rfc9293_must_08_isn_clock)
{
    uint32_t first = isn(5000, 0);

    advance(4);
    assert_ticks(isn(5000, 0) - first, 4);
    advance(996);
    assert_ticks(isn(5000, 0) - first, 1000);
    advance(99999000);
    assert_ticks(isn(5000, 0) - first, 100000000);
    tun.isn_tick_ns = 4000;
    first = isn(5000, 0);
    advance(100 * SEC);
    assert_in_range(isn(5000, 0) - first, 24999999, 25000001);
}

static void seed(uint8_t byte)
{
    memset(fx.config.seed, byte, sizeof(fx.config.seed));
    fx_restart();
}

/* At one moment, neighbouring tuples get numbers all over the space, and others with another
 * secret. */
TEST(rfc9293_must_09_isn_prf_not_predictable)
{
    enum { N = 256 };
    uint32_t a[N], equal_steps = 0, high[16] = {0};

    seed(1);
    for (unsigned i = 0; i < N; i++) {
        a[i] = isn((uint16_t)(5000 + i), 0);
        high[a[i] >> 28]++;
        if (i > 1)
            equal_steps += a[i] - a[i - 1] == a[i - 1] - a[i - 2];
    }
    assert_int_equal(equal_steps, 0);
    for (unsigned i = 0; i < 16; i++)
        assert_in_range(high[i], 4, 36); /* 16 expected; outside with less than one in 10000 */
    seed(2);
    for (unsigned i = 0; i < N; i++)
        assert_int_not_equal(isn((uint16_t)(5000 + i), 0), a[i]);
}

/* M + F: F depends on both ports and is constant, M is one clock for all. */
TEST(rfc9293_shld_01_isn_expression)
{
    uint32_t here = isn(5000, 0), other_port = isn(5001, 0), other_peer = isn(5000, 1);

    assert_int_not_equal(here, other_port);
    assert_int_not_equal(here, other_peer);
    assert_int_not_equal(other_port, other_peer);
    advance(123456);
    assert_ticks(isn(5000, 0) - here, 123456);
    assert_ticks(isn(5001, 0) - other_port, 123456);
    assert_ticks(isn(5000, 1) - other_peer, 123456);
}

/* After a crash the first SYN leaves at once: with the same secret the tuple's numbers go on, with
 * another they are unrelated. */
TEST(rfc9293e_54_quiet_time)
{
    uint32_t before = isn(5000, 0);
    uint64_t at = fx.now;

    fx_restart();
    advance(SEC);
    assert_ticks(isn(5000, 0) - before, (double)(fx.now - at));
    seed(7);
    at = fx.now;
    assert_true(isn(5000, 0) - before > 1000000000u || before - isn(5000, 0) > 100000000u);
    assert_int_equal(fx.now, at);
}

/* Our ISN such that our numbers wrap within the next 1000 bytes; the peer's too. */
static void near_the_wrap(void)
{
    uint32_t want = 0xffffff00u;

    advance((uint64_t)((double)(uint32_t)(want - isn(5000, 0)) / TICKS_PER_US));
    assert_in_range(isn(5000, 0), 0xfffffe00u, 0xfffffff0u);
    fx.c->irs = 0xffffff80u;
}

/* Data, out of order and lost, in both directions over the wrap of both numbers. */
TEST(rfc9293e_18_seq_wrap)
{
    struct ip_endpoint local = fx_endpoint("10.0.0.1", 5000);

    near_the_wrap();
    fx.s = fx_socket();
    assert_int_equal(sock_bind(fx.s, &local, fx.now), 0);
    active();
    assert_true(fx.c->iss > 0xfffffe00u);
    assert_int_equal(w(1000), 1000);
    expect(PSH | ACK, 1, 1, 1000);
    advance(SEC);
    while (fx.next < fx.n_segs)
        expect(PSH | ACK, 1, 1, 1000);
    peer(ACK, 1, 1001, 0);
    assert_int_equal(sock_unacked(fx.s), 0);
    peer(PSH | ACK, 101, 1001, 200);
    expect(ACK, 1001, 1, 0);
    peer(PSH | ACK, 301, 1001, 100);
    expect(ACK, 1001, 1, 0);
    peer(PSH | ACK, 1, 1001, 100);
    expect(ACK, 1001, 401, 0);
    assert_int_equal(r(1000), 400);
    peer(PSH | ACK, 1, 1001, 100); /* old, from before the wrap */
    expect(ACK, 1001, 401, 0);
    close_it();
    expect(FIN | ACK, 1001, 401, 0);
    peer(FIN | ACK, 401, 1002, 0);
    expect(ACK, 1002, 402, 0);
    assert_state(TIME_WAIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(rfc9293_must_08_isn_clock),      T(rfc9293_must_09_isn_prf_not_predictable),
        T(rfc9293_shld_01_isn_expression), T(rfc9293e_54_quiet_time),
        T(rfc9293e_18_seq_wrap),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
