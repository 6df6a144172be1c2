/* SPDX-License-Identifier: MIT */
/* RFC 1191 §3 and §6: what a path MTU does to all who use the path, and for how long. */
#include "tests/unit/tcp/fixture.h"

/* The largest packet among what was recorded; forgets it. */
static uint32_t largest(void)
{
    uint32_t most = 0;

    while (fx.next < fx.n_segs) {
        const struct fx_seg *g = take();
        uint32_t len = (g->gso ? g->gso_size : g->len) + 40 + g->opt_len;

        most = len > most ? len : most;
    }
    for (unsigned i = 0; i < fx.n_segs; i++)
        free(fx.segs[i].payload);
    fx.n_segs = fx.next = 0;
    return most;
}

/* Write, see how large the segments are, and let them arrive. */
static uint32_t size_now(void)
{
    uint32_t most, more;

    assert_int_equal(w(20000), 20000);
    most = largest();
    advance(10 * MS);
    while (tp->snd_una != tp->write_seq) {
        peer(ACK, 1, tp->snd_nxt - tp->iss, 0);
        more = largest();
        most = more > most ? more : most;
    }
    return most;
}

/* A router on the way takes `mtu`. */
static void path_becomes(uint16_t mtu)
{
    uint32_t seq = tp->snd_una - tp->iss;

    assert_int_equal(w(5000), 5000);
    largest();
    peer_icmp(3, 4, mtu, seq);
    assert_int_equal(tp->pmtu, mtu);
    largest();
    while (tp->snd_una != tp->write_seq) {
        advance(10 * MS);
        peer(ACK, 1, tp->snd_nxt - tp->iss, 0);
        largest();
    }
}

TEST(rfc1191_03_avoid_more_ptb)
{
    passive();
    path_becomes(1000);
    for (int i = 0; i < 50; i++)
        assert_in_range(size_now(), 900, 1000);
    /* what the program had queued before the news as well */
    assert_int_equal(w(60000), 60000);
    peer_icmp(3, 4, 800, tp->snd_una - tp->iss);
    largest();
    for (int i = 0; i < 30 && tp->snd_una != tp->write_seq; i++) {
        advance(10 * MS);
        peer(ACK, 1, tp->snd_nxt - tp->iss, 0);
        assert_true(largest() <= 800);
    }
    assert_int_equal(tp->snd_una, tp->write_seq);
}

static void small_for(uint64_t seconds, uint32_t mtu)
{
    for (uint64_t i = 0; i < seconds; i++) {
        advance(SEC);
        assert_true(size_now() <= mtu);
    }
}

/* Also a search of our own may not try it earlier, and a second "too big" counts anew. */
TEST(rfc1191_07_increase_probe_interval)
{
    tun.mtu_probing = 2;
    tun.probe_interval = 1;
    passive();
    size_now();
    path_becomes(1200);
    small_for(300, 1200);
    advance(400 * SEC); /* long enough to be forgotten, and raised */
    for (int i = 0; i < 40; i++)
        size_now();
    assert_true(tp->pmtu == 1500);
    path_becomes(1100);
    small_for(300, 1100);
    assert_int_equal(stack_tunable_set(fx.st, "net.ipv4.route.mtu_expires", "299"), -ERANGE);
}

TEST(rfc1191_08_age_10min)
{
    passive();
    path_becomes(1000);
    advance(598 * SEC);
    assert_int_equal(size_now(), 1000);
    advance(3 * SEC);
    assert_int_equal(size_now(), 1500);
    assert_int_equal(cnt(pmtu_expired), 1);
    /* configurable */
    assert_int_equal(stack_tunable_set(fx.st, "net.ipv4.route.mtu_expires", "400"), 0);
    path_becomes(1000);
    advance(398 * SEC);
    assert_int_equal(size_now(), 1000);
    advance(3 * SEC);
    assert_int_equal(size_now(), 1500);
    /* and for ever */
    assert_int_equal(stack_tunable_set(fx.st, "net.ipv4.route.mtu_expires", "2147483647"), 0);
    path_becomes(1000);
    advance(UINT64_C(40) * 24 * 3600 * SEC);
    assert_int_equal(size_now(), 1000);
}

/* The window stays; the retransmissions begin with one packet, and each ACK lets two go. */
TEST(rfc1191_11_no_cwnd_change)
{
    uint32_t cwnd;

    tun.ptb_slow_start = 1;
    passive();
    cwnd = tp->cwnd;
    assert_int_equal(w(10 * 1448), 10 * 1448);
    assert_int_equal(take_bytes(), 10 * 1448);
    peer_icmp(3, 4, 1000, 1);
    assert_int_equal(tp->cwnd, cwnd);
    expect(ACK, 1, 1, 948);
    expect_none();
    advance(10 * MS);
    peer(ACK, 1, 949, 0);
    assert_int_equal(take_bytes(), 2 * 948);
    expect_none();
    advance(10 * MS);
    peer(ACK, 1, 949 + 2 * 948, 0);
    assert_int_equal(take_bytes(), 4 * 948);
    assert_true(tp->cwnd >= cwnd);
    assert_true(tp->ssthresh >= TCP_INIT_SSTHRESH);
}

TEST(rfc1191_12_all_connections_told)
{
    struct sock *first, *second;

    passive();
    first = fx.s;
    size_now();
    peer_use(1);
    passive();
    second = fx.s;
    assert_int_equal(size_now(), 1500);
    /* news of the first one's path */
    peer_use(0);
    fx.s = first;
    path_becomes(1000);
    /* the second has been idle: its next segments keep to it */
    peer_use(1);
    fx.s = second;
    assert_int_equal(size_now(), 1000);
    /* and a new one begins so */
    peer_use(2);
    passive();
    assert_int_equal(tp->pmtu, 1000);
    assert_int_equal(size_now(), 1000);
    close_it();
    fx.s = second;
    close_it();
    fx.s = first;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(rfc1191_03_avoid_more_ptb),
        T(rfc1191_07_increase_probe_interval),
        T(rfc1191_08_age_10min),
        T(rfc1191_11_no_cwnd_change),
        T(rfc1191_12_all_connections_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
