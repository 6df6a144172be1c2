/* SPDX-License-Identifier: MIT */
/* RFC 7323: the clock in our timestamps, over many connections and long times. */
#include "tests/unit/tcp/fixture.h"

/* The TSval of a SYN to the peer's port 7000 + n, sent now. */
static uint32_t tsval_of(uint16_t n)
{
    struct ip_endpoint from = fx_endpoint("10.0.0.1", 5000),
                       to = fx_endpoint("10.0.0.2", (uint16_t)(7000 + n));
    struct sock *s = fx_socket();
    uint32_t tsval;

    assert_int_equal(sock_bind(s, &from, fx.now), 0);
    assert_int_equal(sock_connect(s, &to, fx.now), -EINPROGRESS);
    run();
    assert_true(fx.segs[fx.next].has_ts);
    tsval = take()->tsval;
    close_sock(&s);
    clear();
    return tsval;
}

/* One tick is a millisecond: never back, and as fast as real time within a connection and across
 * its sequels. */
TEST(rfc7323_26_ts_clock)
{
    uint32_t first, before;
    uint64_t start;

    passive();
    assert_int_equal(w(1), 1);
    first = before = take()->tsval;
    start = fx.now;
    for (unsigned i = 1; i <= 1000; i++) {
        uint32_t v;

        advance(333 + 7 * i);
        peer(ACK, 1, i + 1, 0);
        assert_int_equal(w(1), 1);
        v = take()->tsval;
        assert_in_range(v - before, (333 + 7 * i) / 1000, (333 + 7 * i) / 1000 + 1);
        before = v;
    }
    assert_in_range(before - first, (fx.now - start) / 1000 - 1, (fx.now - start) / 1000 + 1);
    first = tsval_of(0);
    fx.now += 3600 * SEC;
    assert_int_equal(tsval_of(0) - first, 3600 * 1000); /* between 1 ms and 1 s a tick */
}

/* What a peer sees is the time plus an offset of its own connection: no two agree, and none shows
 * how long we are up. */
TEST(rfc7323_27_ts_random_offset)
{
    unsigned buckets[16] = {0}, near = 0, uptime = 0;
    uint32_t before = tsval_of(999), now;
    double chi = 0;

    for (uint16_t i = 0; i < 512; i++) {
        now = tsval_of(i);
        near += now - before < 1u << 20 || before - now < 1u << 20;
        uptime += now < 3600u * 1000;
        buckets[now >> 28]++;
        before = now;
    }
    for (unsigned i = 0; i < 16; i++)
        chi += ((double)buckets[i] - 32) * ((double)buckets[i] - 32) / 32;
    assert_true(chi < 37.7); /* 15 degrees of freedom: one in a thousand */
    assert_true(near < 4);
    assert_true(uptime < 6);
    /* the same connection again continues where it was, for PAWS at the other end (RFC 7323 §7.1,
     * RFC 6191) */
    now = tsval_of(3);
    fx.now += SEC;
    assert_int_equal(tsval_of(3) - now, 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(rfc7323_26_ts_clock),
        T(rfc7323_27_ts_random_offset),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
