/* SPDX-License-Identifier: MIT */
/* RFC 6528: initial sequence numbers, read from the SYNs that a peer gets. */
#include "tests/unit/tcp/fixture.h"

#define N 512

/* The ISN of a connection from one port of ours to port `remote` of the peer, opened now. */
static uint32_t isn_of(uint16_t remote)
{
    struct ip_endpoint from = fx_endpoint("10.0.0.1", 5000), to = fx_endpoint("10.0.0.2", remote);
    struct sock *s = fx_socket();
    uint32_t isn;

    assert_int_equal(sock_bind(s, &from, fx.now), 0);
    assert_int_equal(sock_connect(s, &to, fx.now), -EINPROGRESS);
    run();
    isn = take()->raw_seq;
    close_sock(&s);
    clear();
    return isn;
}

/* M + F: what the clock adds is the same for every tuple, and is one in four microseconds with the
 * RFC's tick. */
TEST(rfc6528_01_isn_formula)
{
    uint32_t first[8];

    tun.isn_tick_ns = 4000;
    for (uint16_t i = 0; i < 8; i++)
        first[i] = isn_of((uint16_t)(7000 + i));
    fx.now += 4;
    for (uint16_t i = 0; i < 8; i++)
        assert_int_equal(isn_of((uint16_t)(7000 + i)) - first[i], 1);
    fx.now += 10 * SEC - 4;
    for (uint16_t i = 0; i < 8; i++)
        assert_int_equal(isn_of((uint16_t)(7000 + i)) - first[i], 2500000);
    /* Linux's tick, the default, is 62.5 times as fast */
    tun.isn_tick_ns = 64;
    first[0] = isn_of(7000);
    fx.now += 10 * SEC;
    assert_int_equal(isn_of(7000) - first[0], 156250000);
}

/* A new boot has a new secret: all numbers change, in an unrelated way; with the same secret none
 * does. */
TEST(rfc6528_02_prf_secret)
{
    uint32_t isn[32], moved[32];

    for (uint16_t i = 0; i < 32; i++)
        isn[i] = isn_of((uint16_t)(7000 + i));
    fx_restart();
    for (uint16_t i = 0; i < 32; i++)
        assert_int_equal(isn_of((uint16_t)(7000 + i)), isn[i]);
    fx.config.seed[31] ^= 1;
    fx_restart();
    for (uint16_t i = 0; i < 32; i++)
        moved[i] = isn_of((uint16_t)(7000 + i)) - isn[i];
    for (unsigned i = 1; i < 32; i++) {
        assert_int_not_equal(moved[i], 0);
        assert_int_not_equal(moved[i], moved[i - 1]);
    }
}

static unsigned bits_of(uint32_t x)
{
    return (unsigned)__builtin_popcount(x);
}

/* At one moment the numbers of neighbouring tuples are spread over all 32 bits, and so are their
 * differences. */
TEST(rfc6528_03_isn_distinct_tuples)
{
    static uint32_t isn[N];
    unsigned buckets[16] = {0}, flips = 0, near = 0;
    double chi = 0;

    for (uint16_t i = 0; i < N; i++)
        isn[i] = isn_of((uint16_t)(7000 + i));
    for (unsigned i = 0; i < N; i++) {
        uint32_t d = isn[i] - isn[(i + 1) % N];

        buckets[isn[i] >> 28]++;
        flips += bits_of(isn[i] ^ isn[(i + 1) % N]);
        near += d < 1u << 24 || d > -(1u << 24);
    }
    for (unsigned i = 0; i < 16; i++)
        chi += ((double)buckets[i] - N / 16.0) * ((double)buckets[i] - N / 16.0) / (N / 16.0);
    assert_true(chi < 37.7); /* 15 degrees of freedom: one in a thousand */
    assert_in_range(flips, 16 * N - 400, 16 * N + 400); /* 16 bits a pair, six sigma */
    assert_true(near < 20);                             /* 4 by chance */
}

/* Of one tuple the later number is the larger one, for as long as the clock does not wrap. */
TEST(rfc6528_04_isn_monotonic_same_tuple)
{
    static const uint64_t steps[] = {1, 10, 500, 20 * MS, SEC, 7 * SEC, 60 * SEC};
    uint32_t first = isn_of(7000), before = first;

    for (unsigned i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        uint32_t now;

        fx.now += steps[i];
        now = isn_of(7000);
        assert_true(seq_gt(now, before));
        assert_true(now - first > before - first);
        before = now;
    }
}

/* The secret is 128 bits that the host draws from getrandom(2), and each of them counts. (That each
 * daemon draws its own: tests/net/test_secret.sh.) */
TEST(rfc6528_05_random_secret_quality)
{
    uint32_t isn = isn_of(7000);

    for (unsigned bit = 0; bit < 128; bit++) {
        fx.config.seed[16 + bit / 8] ^= (uint8_t)(1 << bit % 8);
        fx_restart();
        assert_int_not_equal(isn_of(7000), isn);
        fx.config.seed[16 + bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(rfc6528_01_isn_formula),           T(rfc6528_02_prf_secret),
        T(rfc6528_03_isn_distinct_tuples),   T(rfc6528_04_isn_monotonic_same_tuple),
        T(rfc6528_05_random_secret_quality),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
