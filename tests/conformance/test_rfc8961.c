/* SPDX-License-Identifier: MIT */
/* RFC 8961: requirements for time-based loss detection. */
#include "tests/unit/tcp/fixture.h"

#define MSS 1448u

TEST(rfc8961_01_initial_rto_1s)
{
    connecting();
    expect(SYN, 0, 0, 0);
    advance(SEC - 1);
    expect_none();
    advance(1);
    expect(SYN, 0, 0, 0);
    close_it();
    peer_use(1);
    listening(5);
    fx.c->our_port = FX_PORT;
    peer(SYN, 0, 0, 0);
    expect(SYN | ACK, 0, 1, 0);
    advance(SEC - 1);
    expect_none();
    advance(1);
    expect(SYN | ACK, 0, 1, 0);
}

TEST(rfc8961_02_rto_from_samples)
{
    uint32_t una = 1;
    uint64_t samples;

    fx.rtt = 100 * MS;
    passive();
    samples = cnt(tcp_rtt_samples);
    /* one sample does not make the time-out, many do */
    for (int i = 0; i < 40; i++) {
        uint32_t before = tp->rto;

        assert_int_equal(w(MSS), MSS);
        clear();
        advance(250 * MS);
        peer(ACK, 1, una += MSS, 0);
        clear();
        if (i == 0)
            assert_in_range(tp->srtt_us >> 3, 118 * MS, 120 * MS);
        assert_true(tp->rto != before || i > 20);
    }
    assert_int_equal(cnt(tcp_rtt_samples) - samples, 40); /* one a round trip */
    assert_in_range(tp->srtt_us >> 3, 245 * MS, 250 * MS);
    assert_in_range(tp->rto, 445 * MS, 460 * MS);
}

TEST(rfc8961_03_no_ambiguous)
{
    uint64_t samples;
    uint32_t srtt;

    fx.rtt = 100 * MS;
    fx.c->ts = false;
    passive();
    samples = cnt(tcp_rtt_samples);
    srtt = tp->srtt_us;
    assert_int_equal(w(100), 100);
    advance(tp->rto + 1); /* which of the two is acknowledged? */
    peer(ACK, 1, 101, 0);
    assert_int_equal(cnt(tcp_rtt_samples), samples);
    assert_int_equal(tp->srtt_us, srtt);
    clear();
    assert_int_equal(w(100), 100);
    advance(100 * MS);
    peer(ACK, 1, 201, 0);
    assert_int_equal(cnt(tcp_rtt_samples), samples + 1);
    clear();
    peer(RST | ACK, 1, 1, 0);
    close_it();

    peer_use(1); /* with timestamps it is not ambiguous */
    passive();
    assert_int_equal(w(100), 100);
    advance(tp->rto + 1);
    samples = cnt(tcp_rtt_samples);
    advance(100 * MS);
    peer(ACK, 1, 101, 0); /* echoes the second */
    assert_int_equal(cnt(tcp_rtt_samples), samples + 1);
    assert_in_range(tp->srtt_us >> 3, 100 * MS, 101 * MS);
    clear();
}

TEST(rfc8961_04_loss_is_congestion)
{
    passive();
    assert_int_equal(w(20 * MSS), 20 * MSS);
    assert_int_equal(take_bytes(), 10 * MSS);
    advance(tp->rto + 1);
    assert_int_equal(take_bytes(), MSS);
    assert_int_equal(tp->cwnd, 1);
    assert_int_equal(tp->ssthresh, 5);
    peer(ACK, 1, 1 + MSS, 0);
    assert_int_equal(take_bytes(), 2 * MSS);
}

TEST(rfc8961_05_backoff)
{
    uint64_t rto;

    fx.c->ts = false;
    fx.rtt = 100 * MS;
    passive();
    assert_int_equal(w(100), 100);
    clear();
    rto = tp->rto;
    for (int i = 0; i < 5; i++) {
        advance(rto - 1);
        expect_none();
        advance(1);
        expect(PSH | ACK, 1, 1, 100);
        rto *= 2;
    }
    peer(ACK, 1, 101, 0); /* of a retransmission: the backed-off value stays */
    assert_int_equal(tp->rto, rto);
    assert_int_equal(w(100), 100);
    clear();
    advance(rto - 1);
    expect_none();
    advance(1);
    expect(PSH | ACK, 101, 1, 100);
    peer(ACK, 1, 201, 0);
    assert_int_equal(w(100), 100);
    clear();
    advance(100 * MS);
    peer(ACK, 1, 301, 0); /* got through at once: that ends it */
    assert_in_range(tp->rto, 300 * MS, 400 * MS);
}

TEST(rfc8961_06_max_60)
{
    uint64_t at = 0, longest = 0;

    passive();
    assert_int_equal(w(100), 100);
    clear();
    advance(1000 * SEC);
    while (fx.next < fx.n_segs) {
        const struct fx_seg *g = take();

        if (at && g->at - at > longest)
            longest = g->at - at;
        at = g->at;
    }
    assert_true(longest >= 60 * SEC);
    assert_int_equal(longest, 120 * SEC);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(rfc8961_01_initial_rto_1s), T(rfc8961_02_rto_from_samples),
        T(rfc8961_03_no_ambiguous),   T(rfc8961_04_loss_is_congestion),
        T(rfc8961_05_backoff),        T(rfc8961_06_max_60),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
