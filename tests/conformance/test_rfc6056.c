/* SPDX-License-Identifier: MIT */
/* RFC 6056: which ephemeral port connect() takes, read from the SYNs. */
#include "tests/unit/tcp/fixture.h"

#include <math.h>
#include <stdio.h>

#define N 2000

/* The port of a connection to 10.0.x.y, opened now and given up again. */
static uint16_t port_to(unsigned host, uint16_t port)
{
    char text[32];
    struct sock *s = fx_socket();
    struct ip_endpoint to;
    uint16_t ours;

    snprintf(text, sizeof(text), "10.0.%u.%u", host >> 8 & 255, host & 255);
    to = fx_endpoint(text, port);
    assert_int_equal(sock_connect(s, &to, fx.now), -EINPROGRESS);
    run();
    assert_true(fx.next < fx.n_segs);
    ours = fx.segs[fx.next].src_port;
    sock_close(s, fx.now);
    run();
    clear();
    return ours;
}

static void range(int64_t low, int64_t high)
{
    tun.port_min = low;
    tun.port_max = high;
}

/* The peer is the only neighbour: everybody else is behind it. */
static void behind_gateway(void)
{
    fx.config.has_gateway = true;
    assert_int_equal(ip_addr_parse("10.0.0.2", &fx.config.gateway), 0);
    assert_int_equal(ip_prefix_parse("10.0.0.1/30", &fx.config.address), 0);
    fx_restart();
}

/* The default is Linux's 32768 to 60999; the RFC's whole range is a tunable, and then every part of
 * it is used. */
TEST(rfc6056_01_range_1024_65535)
{
    unsigned parts[63] = {0}, below = 0;

    behind_gateway();
    for (unsigned i = 0; i < 200; i++)
        assert_in_range(port_to(1024 + i, 80), 32768, 60999);
    range(1024, 65535);
    for (unsigned i = 0; i < N; i++) {
        uint16_t p = port_to(1024 + i, 80);

        assert_in_range(p, 1024, 65535);
        parts[(p - 1024) / 1024]++;
        below += p < 32768;
    }
    for (unsigned i = 0; i < 63; i++)
        assert_in_range(parts[i], 1, 80); /* 32 expected */
    assert_in_range(below, N * 4 / 10, N * 6 / 10);
}

/* A port that a local service has bound, listening or not, is never taken by connect(). */
TEST(rfc6056_02_exclude_local_services)
{
    struct ip_endpoint e = fx_endpoint("0.0.0.0", 0);
    struct sock *s;

    range(40000, 40015);
    for (uint16_t p = 40000; p < 40012; p++) {
        s = fx_socket();
        e.port = p;
        assert_int_equal(sock_bind(s, &e, fx.now), 0);
        if (p % 2)
            assert_int_equal(sock_listen(s, 1, fx.now), 0);
    }
    for (unsigned i = 0; i < 100; i++)
        assert_in_range(port_to(2, (uint16_t)(100 + i)), 40012, 40015);
}

/* An observer of his own connections learns nothing about the next one to somebody else. */
TEST(rfc6056_03_obfuscated)
{
    static double x[N];
    unsigned buckets[32] = {0}, same = 0;
    double chi = 0, mean = 0, above = 0, below = 0;

    behind_gateway();
    range(1024, 65535);
    for (unsigned i = 0; i < N; i++) {
        uint16_t p = port_to(1024 + i, 80);

        x[i] = p;
        mean += p / (double)N;
        buckets[(p - 1024) * 32 / 64512]++;
        same += i && fabs(x[i] - x[i - 1]) <= 32;
    }
    for (unsigned i = 0; i < 32; i++)
        chi += (buckets[i] - N / 32.0) * (buckets[i] - N / 32.0) / (N / 32.0);
    for (unsigned i = 0; i + 1 < N; i++) {
        above += (x[i] - mean) * (x[i + 1] - mean);
        below += (x[i] - mean) * (x[i] - mean);
    }
    assert_true(chi < 61.1);                        /* 31 degrees of freedom: one in a thousand */
    assert_true(fabs(above / below) < 4 / sqrt(N)); /* serial correlation */
    assert_true(same < 12);                         /* 2 by chance */
}

/* No two connections share a 4-tuple; when all ports to one peer are taken connect() says so, other
 * peers are not affected. */
TEST(rfc6056_04_no_collision)
{
    struct ip_endpoint to = fx_endpoint("10.0.0.2", 80);
    bool used[32] = {false};
    struct sock *s;

    range(40000, 40031);
    for (unsigned i = 0; i < 32; i++) {
        uint16_t p;

        assert_int_equal(sock_connect(fx_socket(), &to, fx.now), -EINPROGRESS);
        run();
        p = take()->src_port;
        assert_in_range(p, 40000, 40031);
        assert_false(used[p - 40000]);
        used[p - 40000] = true;
    }
    s = fx_socket();
    assert_int_equal(sock_connect(s, &to, fx.now), -EADDRNOTAVAIL);
    expect_none();
    to.port = 81;
    assert_int_equal(sock_connect(s, &to, fx.now), -EINPROGRESS);
}

/* To one destination the ports go up, so that the one just used comes back only after all of the
 * range (here: its even half). */
TEST(rfc6056_05_hash_variant_reuse_distance)
{
    bool used[65536] = {false};
    uint16_t before = port_to(2, 80);
    unsigned wraps = 0, n = 0;

    range(32768, 60999);
    for (; !used[before] && n < 3000; n++) {
        uint16_t p;

        used[before] = true;
        p = port_to(2, 80);
        wraps += p < before;
        before = p;
    }
    /* steps are 2 to 16, 9 on average: 14116 even ports last for more than 1000 connections */
    assert_true(n > 1000);
    assert_true(wraps <= 1 + n / 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(rfc6056_01_range_1024_65535),
        T(rfc6056_02_exclude_local_services),
        T(rfc6056_03_obfuscated),
        T(rfc6056_04_no_collision),
        T(rfc6056_05_hash_variant_reuse_distance),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
